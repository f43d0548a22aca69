import Batch
import Formats
import Seeded
import Testing

@Test(arguments: [
    ("0", 0), ("-0", 0), ("7", 7), ("-7", -7), ("1234567", 1_234_567), ("12345678", 12_345_678), ("123456789", 123_456_789),
    ("1767225600000", 1_767_225_600_000), ("-1767225600000", -1_767_225_600_000), ("999999999999999999", 999_999_999_999_999_999),
    ("1234567890123456789", 1_234_567_890_123_456_789), ("9223372036854775807", .max), ("-9223372036854775808", .min),
] as [(String, Int64)])
func readsIntegers(_ text: String, _ expected: Int64) {
    #expect(value(text, as: .int64) == .row([.integer(expected)]))
}

@Test(arguments: [
    "1.0", "1e3", "1E0", "0.0", "-0.0", "12345678.5", "1234567e8", "9223372036854775808", "-9223372036854775809", "18446744073709551616",
    "123456789012345678901234567890", "\"1\"", "true", "[]", "{}", "{\"v\":1}", "12345678901234567890e0",
])
func refusesWhatIsNoInteger(_ text: String) {
    #expect(value(text, as: .int64) == .failed(.badType))
}

@Test(arguments: [
    "0", "-0", "1", "-1.5", "0.1", "0.30000000000000004", "123456789.125", "9007199254740993", "9007199254740992", "1e22", "1e23", "1.7976931348623157e308",
    "5e-324", "2.2250738585072011e-308", "1e-400", "0e99999", "0.000000000000001", "12345678901234567890", "3.14159265358979323846264338327950288",
    "52.520006599999998", "1234567890123456", "99999999999999.9", "1E5", "1e+5", "0.1e1", "9007199254740993.0",
])
func readsTheNearestDouble(_ text: String) throws {
    #expect(value(text, as: .float64) == .row([.number(try #require(Double(text)))]))
}

@Test(arguments: ["1e309", "-1e309", "1.7976931348623159e308", "1e99999999999", "\"1\"", "true", "[1]"])
func refusesWhatNoDoubleHolds(_ text: String) {
    #expect(value(text, as: .float64) == .failed(.badType))
}

@Test(arguments: [
    ("0", 0), ("-0", 0), ("0.00", 0), ("1", 100), ("-1", -100), ("1.5", 150), ("19.99", 1999), ("-19.99", -1999), ("19.990000", 1999), ("0.1", 10),
    ("1e2", 10000), ("1.5e1", 1500), ("1234e-2", 1234), ("1234000e-5", 1234), ("12.34E+0", 1234), ("0e999999999999999999999", 0), ("0.00000000e5", 0),
    ("1e-2", 1), ("0.0001e4", 100), ("9999999999.99", 999_999_999_999), ("-9999999999.99", -999_999_999_999), ("99999999999900e-4", 999_999_999_999),
    ("\"19.99\"", 1999), ("\"-1e1\"", -1000), ("\"\\u0031\"", 100), ("10.00000000000000000000000000000000000000000000", 1000),
] as [(String, Int128)])
func readsDecimalsExactly(_ text: String, _ mantissa: Int128) {
    #expect(value(text, as: .decimal(precision: 12, scale: 2)) == .row([.decimal(mantissa)]))
}

@Test(arguments: [
    "0.001", "1.999", "-1.999", "1e-3", "10000000000", "9999999999.991", "1e10", "1e400", "1e-400", "1e99999999999999999999", "1e-99999999999999999999",
    "123456789012345678901234567890", "\"\"", "\"x\"", "\" 1\"", "\"1 \"", "\"+1\"", "\"01\"", "\".5\"", "\"1.\"", "\"NaN\"", "\"\\ud800\"", "true", "[]",
])
func refusesWhatTheDecimalDoesNotHold(_ text: String) {
    #expect(value(text, as: .decimal(precision: 12, scale: 2)) == .failed(.badType))
}

@Test func readsTheLargestDecimals() {
    let nines = String(repeating: "9", count: 38)
    let largest = Int128(nines) ?? 0
    #expect(value(nines, as: .decimal(precision: 38, scale: 0)) == .row([.decimal(largest)]))
    #expect(value("-0." + nines, as: .decimal(precision: 38, scale: 38)) == .row([.decimal(-largest)]))
    #expect(value("-" + nines + "0e-1", as: .decimal(precision: 38, scale: 0)) == .row([.decimal(-largest)]))
    #expect(value("1" + nines, as: .decimal(precision: 38, scale: 0)) == .failed(.badType))
    #expect(value("1", as: .decimal(precision: 38, scale: 38)) == .failed(.badType))
    #expect(value("1e-38", as: .decimal(precision: 38, scale: 38)) == .row([.decimal(1)]))
    #expect(value("9999999999999999999", as: .decimal(precision: 38, scale: 19)) == .row([.decimal(9_999_999_999_999_999_999 * 10_000_000_000_000_000_000)]))
}

@Test func readsDecimalsAsSchoolArithmeticDoes() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SplitMix64(seed: seed)
    for _ in 0..<2000 {
        let precision = Int.random(in: 1...38, using: &random)
        let scale = Int.random(in: 0...precision, using: &random)
        func digits(_ range: ClosedRange<Int>) -> String {
            // Many zeros: they decide.
            String((0..<Int.random(in: range, using: &random)).map { _ in "0001234509".randomElement(using: &random) ?? "0" })
        }
        var text = digits(1...(Bool.random(using: &random) ? 4 : 40))
        text = String(text.drop { $0 == "0" })
        if text.isEmpty { text = "0" }
        if Bool.random(using: &random) { text += "." + digits(1...(Bool.random(using: &random) ? 3 : 45)) }
        if Int.random(in: 0..<3, using: &random) == 0 { text += "e\(Int.random(in: -45...45, using: &random))" }
        if Bool.random(using: &random) { text = "-" + text }
        let expected = referenceDecimal(text, precision, scale).map { Decoded.row([$0]) } ?? .failed(.badType)
        let type = ValueType.decimal(precision: precision, scale: scale)
        guard value(text, as: type) == expected else {
            Issue.record("seed \(seed): \(text) as \(type) gives \(value(text, as: type)), not \(expected)")
            return
        }
    }
}

@Test(arguments: [
    ("true", .row([.bool(true)])), ("false", .row([.bool(false)])), ("1", .failed(.badType)), ("\"true\"", .failed(.badType)),
    ("null", .failed(.missingField)), ("[true]", .failed(.badType)),
] as [(String, Decoded)])
func readsBools(_ text: String, _ expected: Decoded) {
    #expect(value(text, as: .bool) == expected)
}

@Test(arguments: [
    ("\"\"", ""), ("\"abc\"", "abc"), ("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\u{8}\u{c}\n\r\t"), ("\"\\u0041\\u00e9\\u20AC\"", "Aé€"),
    ("\"\\ud83d\\uDE00!\"", "😀!"), ("\"naïve 😀\"", "naïve 😀"), ("\"\\u0000\"", "\0"), ("\"a\\\\\"", "a\\"), ("\"\\\\\\\\n\"", "\\\\n"),
    ("\"\\uFFFF\\udbff\\udfff\"", "\u{FFFF}\u{10FFFF}"),
])
func readsStringsWithoutTheirEscapes(_ text: String, _ expected: String) {
    #expect(value(text, as: .string) == .row([.text(expected)]))
}

@Test(arguments: ["\"\\ud83d\"", "\"\\udc00\"", "\"\\ud83dx\"", "\"\\ud83d\\u0041\"", "\"\\udc00\\ud83d\"", "\"\\ud83d\\n\"", "1", "true", "{}", "[\"a\"]"])
func refusesWhatIsNoText(_ text: String) {
    #expect(value(text, as: .string) == .failed(.badType))
}

@Test(arguments: [
    ("0", TimestampForm.seconds, 0), ("1767225600", .seconds, 1_767_225_600_000_000), ("-1", .seconds, -1_000_000),
    ("1767225600123", .milliseconds, 1_767_225_600_123_000), ("-1", .milliseconds, -1000), ("1767225600123456", .microseconds, 1_767_225_600_123_456),
    ("9223372036854", .seconds, 9_223_372_036_854_000_000), ("9223372036854775", .milliseconds, 9_223_372_036_854_775_000),
] as [(String, TimestampForm, Int64)])
func readsTimestampsInTheirUnit(_ text: String, _ form: TimestampForm, _ expected: Int64) {
    #expect(value(text, as: .timestamp, form: form) == .row([.integer(expected)]))
}

@Test(arguments: [
    ("9223372036855", TimestampForm.seconds), ("-9223372036855", .seconds), ("9223372036854776", .milliseconds), ("9223372036854775808", .microseconds),
    ("1.5", .seconds), ("1e3", .milliseconds), ("\"1767225600\"", .seconds), ("1767225600", .rfc3339),
])
func refusesTimestampsThatDoNotFit(_ text: String, _ form: TimestampForm) {
    #expect(value(text, as: .timestamp, form: form) == .failed(.badType))
}

@Test(arguments: [
    ("n", "{\"n\":\"x\"}", "field `n`: expected int64, found string \"x\" at `n`"),
    ("n", "{\"n\":1.5}", "field `n`: expected int64, found number 1.5 at `n`: not written as an integer"),
    ("n", "{}", "field `n`: nothing at `n`, and it may not be absent"),
    ("n", "{\"n\":null}", "field `n`: null at `n`, and it may not be null"),
])
func saysWhichFieldFailedAndWhy(_ name: String, _ record: String, _ detail: String) {
    #expect(decode(record, [DecodedField(name, .int64)]).1 == detail)
}
