import Batch
import Expression
import Testing

@Test func aConditionKeepsTheRowsForWhichItIsTrue() throws {
    let schema = Schema([Field("x", .int64, isNullable: true)])
    var rows = batch(schema, [[.integer(1)], [.null], [.integer(5)], [.integer(3)], [.integer(7)]])
    let condition = try Expression.parse("x > 2").condition(in: schema)
    rows.selection = [1, 2, 3]
    condition.select(&rows)
    #expect(rows.selection == [2, 3])
    #expect(rows.rowCount == 5)
    try Expression.parse("null").condition(in: schema).select(&rows)
    #expect(rows.selection == [])
}

@Test func constantConditionsKeepAllOrNothing() throws {
    var rows = twoRows()
    try Expression.parse("1 < 2").condition(in: everyType).select(&rows)
    #expect(rows.selection == [0, 1])
    try Expression.parse("b").condition(in: everyType).select(&rows)
    #expect(rows.selection == [0])
    #expect(throws: ExpressionError.self) { try Expression.parse("i").condition(in: everyType) }
}

@Test func onlySelectedRowsDecideAboutNulls() throws {
    var rows = twoRows()
    rows.selection = [0]
    let column = try evaluate("ni + 1", rows)
    #expect(column.value(0) == .integer(-2))
    #expect(column.count == 2)
}

@Test func aColumnAloneIsReturnedAsItIs() throws {
    let rows = twoRows()
    let expression = try Expression.parse("(s)").typed(in: everyType)
    #expect(expression.columnReference == 4)
    #expect(expression.columns == [4])
    let column = expression.evaluate(rows)
    #expect(column.bytes.withUnsafeBytes { $0.baseAddress } == rows.columns[4].bytes.withUnsafeBytes { $0.baseAddress })
    #expect(try Expression.parse("ni + length(s) * ni").typed(in: everyType).columns == [4, 7])
    #expect(try Expression.parse("s || ''").typed(in: everyType).columnReference == nil)
}

@Test func whatIsConstantIsComputedOnce() throws {
    let rows = batch(Schema([]), [[], [], []])
    let expression = try Expression.parse("2 * 3 + length('abc') = 9 and 'a' in ('b', 'a')").typed(in: Schema([]))
    #expect(expression.columns == [])
    #expect(!expression.isNullable)
    let column = expression.evaluate(rows)
    #expect(column.count == 3 && (0..<3).allSatisfy { column.value($0) == .bool(true) })
    #expect(try evaluate("1 / 0", rows).validity == [0, 0, 0])
}

@Test func nullRowsHoldZeros() throws {
    let column = try evaluate("case when b then ni * 2 else null end", twoRows())
    #expect(column.value(1) == .null && column.integers[1] == 0)
    let text = try evaluate("ns || 'x'", twoRows())
    #expect(text.views[1] == StringView(start: 0, length: 0))
    #expect(try evaluate("ni + 5", twoRows()).integers[1] == 0)
}

@Test func nullabilityIsKnownBeforehand() throws {
    func isNullable(_ text: String) throws -> Bool { try Expression.parse(text).typed(in: everyType).isNullable }
    for text in [
        "i", "i / 100", "i % 7", "s = 'x'", "lower(s)", "d + 1", "d * d", "coalesce(ni, 1)", "ni is null", "date(t)", "cast(i as string)",
        "case when nb then 1 else 2 end", "cast(d as float64)", "i in (1, 2)",
    ] {
        #expect(try !isNullable(text), "\(text)")
    }
    for text in [
        "ni", "i + 1", "i / i", "i / -1", "i / 0", "ni = 1", "d / 2", "coalesce(ni, nd)", "cast(s as int64)", "case when b then 1 end",
        "s || s", "f + f", "cast(nd * 1.00 as decimal(5,2))", "i in (1, ni)",
    ] {
        #expect(try isNullable(text), "\(text)")
    }
}

@Test func anEmptyBatchHasEmptyResults() throws {
    let rows = batch(everyType, [])
    for text in ["i + 1", "s || 'x'", "1", "case when b then 'a' end", "i in (1)", "lower(s)", "date(t)"] {
        #expect(try evaluate(text, rows).count == 0, "\(text)")
    }
}

@Test func aTooLongConcatenationIsNull() throws {
    let schema = Schema([Field("s", .string)])
    let rows = batch(schema, [[.string(String(repeating: "x", count: 128 << 10))], [.string("y")]])
    let column = try evaluate("s || s", rows)
    #expect(column.views[0].length == 256 << 10)
    let longer = try evaluate("s || s || 'z'", rows)
    #expect(longer.value(0) == .null)
    #expect(longer.value(1) == .string("yyz"))
}

@Test func hostileExpressionsAreRefusedAndNotRun() {
    func nested(_ open: String, _ inner: String, _ close: String, _ count: Int) -> String {
        String(repeating: open, count: count) + inner + String(repeating: close, count: count)
    }
    let tooDeep = "the expression is nested deeper than 64 levels; split it over two transforms"
    #expect(refusal(nested("(", "i", ")", 63)) == "")
    for text in [
        nested("(", "i", ")", 5_000), nested("lower(", "s", ")", 2_000), nested("not (b and ", "b", ")", 1_000),
        String(repeating: "- ", count: 5_000) + "i", "i" + String(repeating: " + i", count: 3_000),
        "i" + String(repeating: " * 2", count: 3_000),
        nested("case when b then ", "i", " end", 500), nested("case b when ", "true", " then true end", 500),
        nested("coalesce(ni, ", "i", ")", 1_000),
    ] {
        #expect(refusal(text).hasSuffix(tooDeep), "\(text.prefix(40))")
    }
    #expect(refusal(String(repeating: "x", count: 100_000)) == "16385: an expression has at most 16384 characters")
    #expect(refusal("b" + String(repeating: " and b", count: 2_000)) == "")
    #expect(refusal("i in (1" + String(repeating: ", 2", count: 4_000) + ")") == "")
    #expect(refusal("'x'" + String(repeating: " || s", count: 2_000)) == "")
}

@Test func nestedBranchesAreCheckedAndEvaluatedOnceEach() throws {
    // Twice the work a level would not end.
    let text = String(repeating: "case ", count: 40) + "b" + String(repeating: " when true then b when nb then nb end", count: 40)
    let expression = try Expression.parse(text).typed(in: everyType)
    #expect(expression.evaluate(twoRows()).value(0) == .bool(true))
}
