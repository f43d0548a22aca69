import Batch
import Expression
import Testing

struct Example: Sendable {
    let text: String
    let value: String
    let type: String

    init(_ text: String, _ value: String, _ type: String) {
        self.text = text
        self.value = value
        self.type = type
    }
}

private func check(_ example: Example) throws {
    let (value, type) = try first(example.text)
    #expect("\(value)" == example.value, "\(example.text)")
    #expect("\(type)" == example.type, "\(example.text)")
}

@Test(arguments: [
    Example("12", "12", "int64"), Example("-12", "-12", "int64"), Example("- -12", "12", "int64"), Example("+5", "5", "int64"),
    Example("-9223372036854775808", "-9223372036854775808", "int64"),
    Example("9223372036854775808", "9223372036854775808e-0", "decimal(19,0)"), Example("1.50", "150e-2", "decimal(3,2)"),
    Example(".5", "5e-1", "decimal(1,1)"), Example("5.", "5e-0", "decimal(1,0)"), Example("-0.001", "-1e-3", "decimal(3,3)"),
    Example("1e3", "1000.0", "float64"), Example("2.5E-1", "0.25", "float64"), Example("'it''s'", "'it's'", "string"),
    Example("''", "''", "string"),
    Example("TRUE", "true", "bool"), Example("false", "false", "bool"),
    Example("timestamp '1970-01-01T00:00:01Z'", "1000000", "timestamp"),
    Example("TIMESTAMP '2026-02-01 00:59:59.1234567+01:00'", "\(someTime)", "timestamp"),
    Example("timestamp '1969-12-31t23:59:59.5z'", "-500000", "timestamp"),
    Example("timestamp '2024-02-29T00:00:00-00:30'", "1709166600000000", "timestamp"), Example("\"i\"", "7", "int64"),
])
func literalsHaveTheirValueAndType(_ example: Example) throws { try check(example) }

@Test(arguments: [
    Example("i + 2 * 3", "13", "int64"), Example("(i + 2) * 3", "27", "int64"), Example("i - 2 - 3", "2", "int64"),
    Example("i / 2", "3", "int64"),
    Example("-i / 2", "-3", "int64"), Example("-i % 4", "-3", "int64"), Example("i / 0", "null", "int64"),
    Example("i % 0", "null", "int64"),
    Example("9223372036854775807 + i", "null", "int64"), Example("-9223372036854775808 - i", "null", "int64"),
    Example("4611686018427387904 * i", "null", "int64"), Example("-9223372036854775808 / (i - 8)", "null", "int64"),
    Example("-9223372036854775808 % (i - 8)", "0", "int64"), Example("-(i - 7 - 9223372036854775807 - 1)", "null", "int64"),
    Example("i + f", "9.5", "float64"), Example("i / f", "2.8", "float64"), Example("f / 0", "null", "float64"),
    Example("f % 2", "0.5", "float64"),
    Example("f * 1e308 * 10", "null", "float64"), Example("-f", "-2.5", "float64"), Example("d + f", "15.0", "float64"),
    Example("ni + 1", "-2", "int64"),
])
func arithmeticOnIntegersAndFloatsIsTotal(_ example: Example) throws { try check(example) }

@Test(arguments: [
    Example("d + 1", "1350e-2", "decimal(22,2)"), Example("d + 0.005", "12505e-3", "decimal(12,3)"),
    Example("d - nd", "137345e-4", "decimal(21,4)"),
    Example("d * 2.5", "31250e-3", "decimal(12,3)"), Example("d * d", "1562500e-4", "decimal(20,4)"),
    Example("d / 3", "4166667e-6", "decimal(38,6)"),
    Example("-d / 3", "-4166667e-6", "decimal(38,6)"), Example("d / 0", "null", "decimal(38,6)"),
    Example("d / 0.0", "null", "decimal(38,6)"),
    Example("2 / 3.0", "666667e-6", "decimal(38,6)"), Example("1.0000000 / 3", "3333333e-7", "decimal(38,7)"),
    Example("d % 5", "250e-2", "decimal(10,2)"),
    Example("-d % 5", "-250e-2", "decimal(10,2)"), Example("d % 0", "null", "decimal(10,2)"), Example("-d", "-1250e-2", "decimal(10,2)"),
    Example("99999999999999999999999999999999999999 + d", "null", "decimal(38,2)"),
    Example("99999999999999999999999999999999999999 + cast(i as decimal(1,0))", "null", "decimal(38,0)"),
    Example(
        "99999999999999999999999999999999999999 - cast(i as decimal(1,0))", "99999999999999999999999999999999999992e-0", "decimal(38,0)"),
    Example("cast(i as decimal(38,0)) * 99999999999999999999999999999999999999", "null", "decimal(38,0)"),
    Example("cast(i as decimal(38,0)) / 0.00000000000000000000000000000000000007", "null", "decimal(38,6)"),
    Example("cast(i as decimal(38,0)) / 0.0000000000000000000000000000007", "10000000000000000000000000000000000000e-6", "decimal(38,6)"),
    Example(
        "12345678901234567890123456789012.345678 / cast(i as decimal(38,0))", "1763668414462081127160493827001763668e-6", "decimal(38,6)"),
])
func arithmeticOnDecimalsIsExact(_ example: Example) throws { try check(example) }

@Test(arguments: [
    Example("t + 1s", "\(someTime + 1_000_000)", "timestamp"), Example("2 * 30m + t", "\(someTime + 3_600_000_000)", "timestamp"),
    Example("t - 1d", "\(someTime - 86_400_000_000)", "timestamp"), Example("(t - nt) / 1s", "1769903999", "int64"),
    Example("t - nt > 7d", "true", "bool"), Example("(t - timestamp '2026-01-31T00:00:00Z') % 1h / 1m", "59", "int64"),
    Example("-1h < 1ms", "true", "bool"),
    Example("2w = 14d", "true", "bool"), Example("t + 106751991d", "null", "timestamp"),
])
func timesAndIntervalsAreCounted(_ example: Example) throws { try check(example) }

@Test(
    arguments: [
        Example("i = 7", "true", "bool"), Example("i <> 7", "false", "bool"), Example("i != 8", "true", "bool"),
        Example("7 < i", "false", "bool"),
        Example("i <= 7", "true", "bool"), Example("i > 6.99", "true", "bool"), Example("i = 7.00", "true", "bool"),
        Example("i < 7.5e0", "true", "bool"),
        Example("d = 12.5", "true", "bool"), Example("d < nd", "false", "bool"), Example("nd < -1", "true", "bool"),
        Example("d >= 12.500001", "false", "bool"),
        Example("i < 99999999999999999999999999999999999999", "true", "bool"),
        Example("i > -0.00000000000000000000000000000000000001", "true", "bool"),
        Example("cast(i as decimal(38,38)) is null", "true", "bool"),
        Example("9000000000000000000 > 0.00000000000000000000000000000000000001", "true", "bool"), Example("s > 'Grün'", "true", "bool"),
        Example("s = 'Grüße, Jürgen'", "true", "bool"), Example("'a' < 'ab'", "true", "bool"), Example("'Z' < 'a'", "true", "bool"),
        Example("b = true", "true", "bool"),
        Example("b <> nb", "true", "bool"), Example("t > timestamp '2026-01-31T23:59:59Z'", "true", "bool"),
    ])
func comparisonsFindTheOrder(_ example: Example) throws { try check(example) }

@Test(arguments: [
    Example("i in (1, 7, 3)", "true", "bool"), Example("i in (1, 3)", "false", "bool"), Example("i not in (1, 3)", "true", "bool"),
    Example("i in (7.0, 1)", "true", "bool"),
    Example("i in (7.5)", "false", "bool"), Example("i in (1, ni + 10)", "true", "bool"), Example("d in (1, 12.5000)", "true", "bool"),
    Example("d in (12.505)", "false", "bool"), Example("s in ('b', 'Grüße, Jürgen', '')", "true", "bool"),
    Example("'c' in ('a', 'bb', 'd')", "false", "bool"),
    Example("f in (1, 2.5)", "true", "bool"), Example("t in (timestamp '1970-01-01T00:00:00Z')", "false", "bool"),
    Example("b in (false)", "false", "bool"),
    Example("i between 7 and 8", "true", "bool"), Example("i not between 7 and 8", "false", "bool"),
    Example("i between 8 and 6", "false", "bool"),
    Example("d between 12 and 12.5", "true", "bool"), Example("s between 'A' and 'H'", "true", "bool"),
    Example("i between 1 and 9 and b", "true", "bool"),
])
func membershipAndRangesAreFound(_ example: Example) throws { try check(example) }

@Test(arguments: [
    ("abc", "abc", true), ("abc", "ab", false), ("abc", "a%", true), ("abc", "%c", true), ("abc", "%b%", true), ("abc", "_b_", true),
    ("abc", "__", false),
    ("abc", "%", true), ("", "%", true), ("", "", true), ("", "_", false), ("äöü", "___", true), ("äöü", "ä%ü", true),
    ("äöü", "_%ö_", true), ("aab", "%ab", true),
    ("abab", "ab%ab", true), ("aba", "ab%ba", false), ("a%c", "a!%c", true), ("abc", "a!%c", false), ("a_c!", "a!_c!!", true),
    ("aXbXc", "%X%X%", true),
    ("aXbc", "%X%X%", false), ("a\nb", "a_b", true), ("aaaaaaaaab", "%a%a%a%c", false), ("ab😀", "%_", true), ("😀", "_", true),
    ("mississippi", "m%iss%pi", true),
    ("mississippi", "m%iss_pp%", true), ("abcd", "%b_d", true), ("xay", "x%_%y", true), ("xy", "x%_%y", false),
])
func likeMatchesAsInSQL(_ text: String, _ pattern: String, _ expected: Bool) throws {
    let schema = Schema([Field("s", .string)])
    let rows = batch(schema, [[.string(text)]])
    let column = try evaluate("s like '\(pattern)' escape '!'", rows)
    #expect(column.value(0) == .bool(expected))
    #expect(try evaluate("s not like '\(pattern)' escape '!'", rows).value(0) == .bool(!expected))
}

@Test(arguments: [
    ("true and null", "null"), ("false and null", "false"), ("null and true", "null"), ("true or null", "true"), ("null or false", "null"),
    ("not null", "null"),
    ("null or null", "null"), ("not not true", "true"), ("nb and b", "false"), ("nb or b", "null"), ("nb and true", "null"),
    ("not nb", "null"), ("not (nb and b)", "true"),
    ("ni = 3", "null"), ("ni = ni", "null"), ("ni in (3)", "null"), ("i in (0, ni)", "true"), ("i in (1, ni)", "null"),
    ("i not in (1, ni)", "null"), ("ni between 1 and 2", "null"),
    ("i between 1 and ni", "false"), ("i between 0 and ni", "null"), ("ns like '%'", "null"), ("ni is null", "true"),
    ("ni is not null", "false"), ("i is null", "false"),
    ("i + ni", "null"), ("length(ns)", "null"), ("ns || 'x'", "null"), ("concat('a', ns)", "null"), ("cast(ni as string)", "null"),
    ("date(nt)", "null"), ("nt + 1s", "null"),
    ("coalesce(ni, i)", "0"), ("coalesce(ni, null, 5)", "5"), ("coalesce(ni, nd)", "null"), ("case when nb then 1 else 2 end", "2"),
    ("case when b then 1 end", "null"),
    ("case ni when 3 then 'a' else 'b' end", "'b'"), ("case when ni is null then null else 1 end", "null"),
])
func nullsFollowTheRulesOfSQL(_ text: String, _ expected: String) throws {
    #expect("\(try second(text))" == expected, "\(text)")
}

@Test(arguments: [
    Example("case when i > 5 then 'big' when i > 0 then 'small' else 'none' end", "'big'", "string"),
    Example("case i when 1 then 'a' when 7.0 then 'b' end", "'b'", "string"),
    Example("case s when 'x' then 1 else 2.5 end", "25e-1", "decimal(20,1)"), Example("case when b then i else f end", "7.0", "float64"),
    Example("case when b then d else nd end", "125000e-4", "decimal(20,4)"), Example("case when b then t end", "\(someTime)", "timestamp"),
    Example("case when b then s || '!' else ns end", "'Grüße, Jürgen!'", "string"), Example("coalesce(ni, i)", "-3", "int64"),
    Example("coalesce(null, s)", "'Grüße, Jürgen'", "string"),
    Example("coalesce(ni, 1.5)", "-30e-1", "decimal(20,1)"), Example("case when b then t - nt else 1s end / 1s", "1769903999", "int64"),
])
func branchesAreBroughtToOneType(_ example: Example) throws { try check(example) }

@Test(arguments: [
    Example("cast(i as string)", "'7'", "string"), Example("cast(f as string)", "'2.5'", "string"),
    Example("cast(d as string)", "'12.50'", "string"),
    Example("cast(nd as string)", "'-1.2345'", "string"), Example("cast(-0.05 as string)", "'-0.05'", "string"),
    Example("cast(b as string)", "'true'", "string"),
    Example("cast(t as string)", "'2026-01-31T23:59:59.123456Z'", "string"),
    Example("cast(timestamp '2026-01-31T00:00:00.5Z' as string)", "'2026-01-31T00:00:00.500Z'", "string"),
    Example("cast(timestamp '2026-01-31T00:00:00Z' as string)", "'2026-01-31T00:00:00Z'", "string"),
    Example("cast(b as int64)", "1", "int64"), Example("cast(f as int64)", "2", "int64"),
    Example("cast(-f as int64)", "-2", "int64"), Example("cast(1e300 as int64)", "null", "int64"),
    Example("cast(d as int64)", "12", "int64"), Example("cast(nd as int64)", "-1", "int64"),
    Example("cast(i as decimal(5,2))", "700e-2", "decimal(5,2)"), Example("cast(i * 1000 as decimal(5,2))", "null", "decimal(5,2)"),
    Example("cast(d as decimal(4,1))", "125e-1", "decimal(4,1)"),
    Example("cast(d as decimal(3,0))", "13e-0", "decimal(3,0)"), Example("cast(-d as decimal(3,0))", "-13e-0", "decimal(3,0)"),
    Example("cast(f as decimal(3,2))", "250e-2", "decimal(3,2)"),
    Example("cast(0.1e0 as decimal(20,18))", "100000000000000000e-18", "decimal(20,18)"), Example("cast(d as float64)", "12.5", "float64"),
    Example("cast(i as float64)", "7.0", "float64"),
    Example("cast('12' as int64)", "12", "int64"), Example("cast('12x' as int64)", "null", "int64"),
    Example("cast('' as int64)", "null", "int64"), Example("cast('1e2' as float64)", "100.0", "float64"),
    Example("cast('inf' as float64)", "null", "float64"), Example("cast('0x10' as float64)", "null", "float64"),
    Example("cast('999999999999999999999999999999999999999' as decimal(38,0))", "null", "decimal(38,0)"),
    Example("cast('99999999999999999999999999999999999999' as decimal(38,0))", "99999999999999999999999999999999999999e-0", "decimal(38,0)"),
    Example("cast('1e-9223372036854775808' as decimal(6,1))", "null", "decimal(6,1)"),
    Example("cast('12.345' as decimal(5,2))", "1235e-2", "decimal(5,2)"),
    Example("cast('1.5e3' as decimal(6,1))", "15000e-1", "decimal(6,1)"), Example("cast('1e-400' as decimal(6,1))", "0e-1", "decimal(6,1)"),
    Example("cast('1e400' as decimal(6,1))", "null", "decimal(6,1)"),
    Example("cast('0e999999' as decimal(6,1))", "0e-1", "decimal(6,1)"), Example("cast('.' as decimal(6,1))", "null", "decimal(6,1)"),
    Example("cast('TRUE' as bool)", "true", "bool"),
    Example("cast('yes' as bool)", "null", "bool"), Example("cast('2026-01-31T23:59:59.123456Z' as timestamp)", "\(someTime)", "timestamp"),
    Example("cast('2026-02-29T00:00:00Z' as timestamp)", "null", "timestamp"),
    Example("cast('2026-01-31' as timestamp)", "null", "timestamp"), Example("cast(null as DECIMAL(4, 1))", "null", "decimal(4,1)"),
    Example("cast('2016-12-31T23:59:60Z' as timestamp)", "null", "timestamp"), Example("cast(s as string)", "'Grüße, Jürgen'", "string"),
])
func castsConvertOrGiveNull(_ example: Example) throws { try check(example) }

@Test(
    arguments: [
        Example("lower(s)", "'grüße, jürgen'", "string"), Example("upper(s)", "'GRÜSSE, JÜRGEN'", "string"),
        Example("UPPER('abc')", "'ABC'", "string"), Example("length(s)", "13", "int64"),
        Example("length('a😀é')", "3", "int64"), Example("substr(s, 3, 3)", "'üße'", "string"),
        Example("substr(s, -6)", "'Jürgen'", "string"), Example("substr(s, -6, 2)", "'Jü'", "string"),
        Example("substr(s, 0, 2)", "'Gr'", "string"), Example("substr(s, 1, 0)", "''", "string"),
        Example("substr(s, 1, -1)", "''", "string"), Example("substr(s, 20)", "''", "string"),
        Example("substr(s, -20)", "''", "string"), Example("substr(s, i)", "' Jürgen'", "string"),
        Example("substr(s, -9223372036854775808, 9223372036854775807)", "''", "string"),
        Example("substr(s, 9223372036854775807, 9223372036854775807)", "''", "string"),
        Example("s || '/' || cast(i as string)", "'Grüße, Jürgen/7'", "string"),
        Example("concat(s, '')", "'Grüße, Jürgen'", "string"), Example("trim(ns)", "'trim me'", "string"),
        Example("ltrim(ns)", "'trim me '", "string"), Example("rtrim(ns)", "'  trim me'", "string"),
        Example("length(trim('   '))", "0", "int64"), Example("date(t)", "'2026-01-31'", "string"),
        Example("date(nt)", "'1969-12-31'", "string"), Example("hour(t)", "23", "int64"), Example("hour(nt)", "23", "int64"),
        Example("date_trunc('hour', t) = timestamp '2026-01-31T23:00:00Z'", "true", "bool"),
        Example("date_trunc('day', nt) = timestamp '1969-12-31T00:00:00Z'", "true", "bool"),
        Example("date_trunc('WEEK', t) = timestamp '2026-01-26T00:00:00Z'", "true", "bool"),
        Example("date_trunc('week', nt) = timestamp '1969-12-29T00:00:00Z'", "true", "bool"),
        Example("date_trunc('month', t) = timestamp '2026-01-01T00:00:00Z'", "true", "bool"),
        Example("date_trunc('quarter', timestamp '2024-12-31T23:00:00Z') = timestamp '2024-10-01T00:00:00Z'", "true", "bool"),
        Example("date_trunc('year', nt) = timestamp '1969-01-01T00:00:00Z'", "true", "bool"),
        Example("date_trunc('second', nt) = timestamp '1969-12-31T23:59:59Z'", "true", "bool"),
        Example("date_trunc('minute', t) = timestamp '2026-01-31T23:59:00Z'", "true", "bool"),
        Example("date(timestamp '0001-01-01T00:00:00Z' - 367d)", "'-0001-12-31'", "string"),
    ])
func functionsGiveTheirResult(_ example: Example) throws { try check(example) }

@Test func daysAndDatesAgreeOverThreeCenturies() throws {
    let schema = Schema([Field("t", .timestamp)])
    let days = stride(from: Int64(-60_000), through: 60_000, by: 1)
    let rows = batch(schema, days.map { [.integer($0 * 86_400_000_000)] })
    let dates = try evaluate("date(t)", rows)
    let back = try evaluate("cast(date(t) || 'T00:00:00Z' as timestamp)", rows)
    var (year, month, dayOfMonth) = (1805, 9, 23)  // 60,000 days before 1970
    let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    for row in 0..<rows.rowCount {
        let text = "\(year)-\(month < 10 ? "0" : "")\(month)-\(dayOfMonth < 10 ? "0" : "")\(dayOfMonth)"
        guard dates.value(row) == .string(text), back.value(row) == rows.columns[0].value(row) else {
            Issue.record("\(dates.value(row)) is not \(text)")
            return
        }
        dayOfMonth += 1
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        if dayOfMonth > lengths[month - 1] + (month == 2 && isLeap ? 1 : 0) { (month, dayOfMonth) = (month + 1, 1) }
        if month > 12 { (year, month) = (year + 1, 1) }
    }
}

@Test func everyTimeHasADateAndAStart() throws {
    let schema = Schema([Field("t", .timestamp)])
    let rows = batch(schema, [[.integer(.min)], [.integer(.max)], [.integer(.min + 1)]])
    for unit in ["second", "minute", "hour", "day", "week", "month", "quarter", "year"] {
        let column = try evaluate("date_trunc('\(unit)', t)", rows)
        #expect(column.integers[0] == .min && column.integers[1] > .max - 366 * 86_400_000_000)
    }
    #expect(try evaluate("cast(t as string)", rows).value(0) == .string("-290308-12-21T19:59:05.224192Z"))
    #expect(try evaluate("date(t)", rows).value(1) == .string("+294247-01-10"))
    #expect(try evaluate("hour(t)", rows).value(0) == .integer(19))
}
