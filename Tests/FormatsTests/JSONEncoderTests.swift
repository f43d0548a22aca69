import Batch
import Formats
import Seeded
import Testing

private func encode(_ batch: Batch, columns: [Int]? = nil) -> [String] {
    var encoded = EncodedRows()
    JSONEncoder(schema: batch.schema, columns: columns).encode(batch, into: &encoded)
    return (0..<encoded.count).map { String(decoding: encoded.bytes[encoded.range(of: $0)], as: UTF8.self) }
}

/// The text of the one value of a column.
private func text(_ type: ValueType, _ append: (inout Column) -> Void) -> String {
    var batch = Batch(schema: Schema([Field("v", type, isNullable: true)]))
    append(&batch.columns[0])
    batch.rowCount = 1
    batch.selectAll()
    return String(encode(batch)[0].dropFirst(5).dropLast())
}

@Test func writesTheSelectedRowsInTheOrderOfTheColumns() {
    var batch = Batch(schema: Schema([Field("a", .int64), Field("b", .string), Field("c", .bool)]))
    for row in 0..<4 {
        batch.columns[0].append(integer: Int64(row))
        batch.columns[1].append(string: "s\(row)")
        batch.columns[2].append(bool: row % 2 == 0)
    }
    batch.rowCount = 4
    batch.selection = [1, 2]
    #expect(encode(batch) == ["{\"a\":1,\"b\":\"s1\",\"c\":false}", "{\"a\":2,\"b\":\"s2\",\"c\":true}"])
    #expect(encode(batch, columns: [2, 0]) == ["{\"c\":false,\"a\":1}", "{\"c\":true,\"a\":2}"])
    #expect(encode(batch, columns: []) == ["{}", "{}"])
}

@Test func appendsRowsBehindTheOnesThatAreThere() {
    var batch = Batch(schema: Schema([Field("a", .int64)]))
    batch.columns[0].append(integer: 1)
    batch.rowCount = 1
    batch.selectAll()
    let encoder = JSONEncoder(schema: batch.schema)
    var encoded = EncodedRows()
    encoder.encode(batch, into: &encoded)
    encoder.encode(batch.columns, rows: [0, 0], into: &encoded)
    #expect(encoded.count == 3)
    #expect(encoded.ends == [7, 14, 21])
    #expect(encoded.range(of: 1) == 7..<14)
    encoded.removeAll()
    #expect(encoded.count == 0 && encoded.bytes.isEmpty)
}

@Test func writesIntegersAndTimestamps() {
    for (value, expected) in [(0, "0"), (7, "7"), (-10, "-10"), (Int64.max, "9223372036854775807"), (Int64.min, "-9223372036854775808")] as [(Int64, String)] {
        #expect(text(.int64) { $0.append(integer: value) } == expected)
    }
    let times: [(Int64, String)] = [
        (0, "0"), (999, "0"), (1000, "1"), (-1, "-1"), (-999, "-1"), (-1000, "-1"), (-1001, "-2"), (1_767_225_600_123_456, "1767225600123"),
        (.max, "9223372036854775"), (.min, "-9223372036854776"),
    ]
    for (value, expected) in times { #expect(text(.timestamp) { $0.append(integer: value) } == expected) }
}

@Test func writesDecimalsWithTheirScale() {
    let cases: [(Int128, Int, String)] = [
        (0, 0, "0"), (0, 2, "0.00"), (5, 2, "0.05"), (-5, 2, "-0.05"), (50, 2, "0.50"), (-1999, 2, "-19.99"), (100, 0, "100"), (1, 38, "0." + String(repeating: "0", count: 37) + "1"),
        (1_000_000_000_000_000_000, 0, "1000000000000000000"), (1_000_000_000_000_000_000, 18, "1.000000000000000000"), (1_000_000_000_000_000_001, 19, "0.1000000000000000001"),
        (999_999_999_999_999_999, 18, "0.999999999999999999"), (1_000_000_000_000_000_000 * 1_000_000_000_000_000_000, 0, "1" + String(repeating: "0", count: 36)),
    ]
    for (mantissa, scale, expected) in cases {
        #expect(text(.decimal(precision: 38, scale: scale)) { $0.append(decimal: mantissa) } == expected)
    }
}

@Test func writesDoublesAsShortAsTheyReadBack() {
    let cases: [(Double, String)] = [
        (0, "0.0"), (-0.0, "-0.0"), (5, "5.0"), (-2.5, "-2.5"), (0.1, "0.1"), (0.30000000000000004, "0.30000000000000004"), (1e14, "100000000000000.0"),
        (1e15, "1e+15"), (1e20, "1e+20"), (1.5e300, "1.5e+300"), (.leastNonzeroMagnitude, "5e-324"), (1e-5, "0.00001"), (1e-6, "1e-06"), (.greatestFiniteMagnitude, "1.7976931348623157e+308"),
        (-0.000012345678901234568, "-0.000012345678901234568"), (.nan, "null"), (.infinity, "null"), (-.infinity, "null"),
    ]
    for (value, expected) in cases { #expect(text(.float64) { $0.append(double: value) } == expected) }
}

@Test func escapesWhatHasToBeEscaped() {
    let cases = [
        ("", "\"\""), ("plain text", "\"plain text\""), ("\"\\", "\"\\\"\\\\\""), ("\u{8}\u{c}\n\r\t", "\"\\b\\f\\n\\r\\t\""), ("\0\u{1}\u{1f}", "\"\\u0000\\u0001\\u001f\""),
        ("/é😀\u{7f}\u{2028}", "\"/é😀\u{7f}\u{2028}\""),
    ]
    for (value, expected) in cases { #expect(text(.string) { $0.append(string: value) } == expected) }
    // In every place of a word of eight bytes.
    for special in ["\"", "\\", "\n", "\u{1f}"] {
        for position in 0..<20 {
            let plain = String(repeating: "é ", count: 20).prefix(position)
            let escaped = text(.string) { $0.append(string: plain + special + plain) }
            let expected = text(.string) { $0.append(string: special) }.dropFirst().dropLast()
            #expect(escaped == "\"" + plain + expected + plain + "\"")
        }
    }
}

@Test func writesNullsAndEscapesKeys() {
    #expect(text(.string) { $0.appendNull() } == "null")
    #expect(text(.int64) { $0.appendNull() } == "null")
    var batch = Batch(schema: Schema([Field("a \"quoted\"\n", .bool)]))
    batch.columns[0].append(bool: true)
    batch.rowCount = 1
    batch.selectAll()
    #expect(encode(batch) == ["{\"a \\\"quoted\\\"\\n\":true}"])
}

@Test func writesKeysAsText() {
    func key(_ type: ValueType, _ append: (inout Column) -> Void) -> String? {
        var column = Column(type)
        append(&column)
        var bytes: [UInt8] = []
        return JSONEncoder.encodeKey(column, row: 0, into: &bytes) ? String(decoding: bytes, as: UTF8.self) : nil
    }
    #expect(key(.string) { $0.append(string: "user \"7\"") } == "user \"7\"")
    #expect(key(.string) { $0.append(string: "") } == "")
    #expect(key(.int64) { $0.append(integer: -7) } == "-7")
    #expect(key(.bool) { $0.append(bool: true) } == "true")
    #expect(key(.timestamp) { $0.append(integer: 1_767_225_600_123_456) } == "1767225600123")
    #expect(key(.decimal(precision: 5, scale: 2)) { $0.append(decimal: -5) } == "-0.05")
    #expect(key(.float64) { $0.append(double: -0.0) } == "0.0")
    #expect(key(.float64) { $0.append(double: .nan) } == "NaN")
    #expect(key(.float64) { $0.append(double: -.infinity) } == "-Infinity")
    #expect(key(.int64) { $0.appendNull() } == nil)
}

@Test func whatIsWrittenIsReadBackTheSame() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SplitMix64(seed: seed)
    let decimal = ValueType.decimal(precision: 38, scale: 7)
    let schema = Schema([
        Field("int", .int64, isNullable: true), Field("double", .float64, isNullable: true), Field("decimal", decimal, isNullable: true),
        Field("text", .string, isNullable: true), Field("bool", .bool, isNullable: true), Field("time", .timestamp, isNullable: true),
    ])
    var batch = Batch(schema: schema)
    let pieces = ["a", "\"", "\\", "\n", "\0", "é", "😀", "\u{1f}", "word", "\\u0041", "/"]
    batch.rowCount = 1000
    for _ in 0..<batch.rowCount {
        for index in batch.columns.indices {
            if Int.random(in: 0..<8, using: &random) == 0 {
                batch.columns[index].appendNull()
                continue
            }
            let bits = Int64(bitPattern: random.next()) >> Int64.random(in: 0..<63, using: &random)
            switch schema.fields[index].type {
            case .int64: batch.columns[index].append(integer: bits)
            case .timestamp: batch.columns[index].append(integer: bits / 1000 * 1000)
            case .bool: batch.columns[index].append(bool: bits & 1 == 1)
            case .decimal: batch.columns[index].append(decimal: Int128(bits) * Int128(random.next() >> UInt64.random(in: 1..<64, using: &random)))
            case .string:
                let text = (0..<Int.random(in: 0..<20, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
                batch.columns[index].append(string: text)
            case .float64:
                let double = Double(bitPattern: random.next())
                batch.columns[index].append(double: double.isFinite ? double : Double(bits) / 1000)
            }
        }
    }
    batch.selectAll()
    let records: [[UInt8]?] = encode(batch).map { Array($0.utf8) }
    let decoder = JSONDecoder(fields: schema.fields.map { DecodedField($0, path: [$0.name], timestampForm: .milliseconds) })
    let outcomes = decode(records, decoder)
    for (row, outcome) in outcomes.enumerated() {
        let expected = Decoded.row(batch.columns.map { $0.value(at: row) })
        #expect(outcome == expected, "seed \(seed), \(String(decoding: records[row] ?? [], as: UTF8.self))")
    }
}
