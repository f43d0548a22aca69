import Batch
import Testing

private let fields = [
    Field("flag", .bool), Field("number", .int64, isNullable: true), Field("ratio", .float64),
    Field("price", .decimal(precision: 20, scale: 2)), Field("name", .string, isNullable: true),
]

private func sample() -> Batch {
    var batch = Batch(schema: Schema(fields))
    let names: [String?] = ["a", "", nil, "ab"]
    let numbers: [Int64?] = [-1, nil, .max, .min]
    for row in 0..<4 {
        batch.columns[0].append(bool: row % 2 == 0)
        if let number = numbers[row] { batch.columns[1].append(integer: number) } else { batch.columns[1].appendNull() }
        batch.columns[2].append(double: row == 0 ? -0.0 : Double(row) * -1.5)
        batch.columns[3].append(decimal: Int128(row) - 2)
        if let name = names[row] { batch.columns[4].append(string: name) } else { batch.columns[4].appendNull() }
    }
    batch.rowCount = 4
    batch.selectAll()
    return batch
}

@Test func aCompositeKeyDecodesToItsValues() {
    let batch = sample()
    let codec = KeyCodec(schema: batch.schema, positions: [0, 1, 2, 3, 4])
    var keys = KeyColumn()
    codec.encode(batch, into: &keys)
    var columns = fields.map { Column($0.type) }
    keys.bytes.withUnsafeBytes { bytes in
        for view in keys.views {
            #expect(codec.decode(.init(rebasing: bytes[Int(view.start)..<Int(view.start + view.length)]), into: &columns))
        }
    }
    #expect(columns[0].bools == [1, 0, 1, 0])
    #expect(columns[1].integers == [-1, 0, .max, .min])
    #expect(columns[1].validity == [1, 0, 1, 1])
    #expect(columns[2].doubles == [0, -1.5, -3, -4.5])
    #expect(columns[3].decimals == [-2, -1, 0, 1])
    #expect((0..<4).map { columns[4].isNull($0) ? nil : columns[4].string(at: $0) } == ["a", "", nil, "ab"])
}

@Test func aCutOrExtendedKeyIsRefused() {
    let batch = sample()
    let codec = KeyCodec(schema: batch.schema, positions: [0, 1, 2, 3, 4])
    var keys = KeyColumn()
    codec.encode(batch, into: &keys)
    let first = Array(keys.bytes[..<Int(keys.views[0].length)])
    for length in 0..<first.count {
        var columns = fields.map { Column($0.type) }
        #expect(!first[..<length].withUnsafeBytes { codec.decode($0, into: &columns) })
    }
    var columns = fields.map { Column($0.type) }
    #expect(!(first + [0]).withUnsafeBytes { codec.decode($0, into: &columns) })
}

@Test func aSingleStringIsItsOwnKeyAndHashesLikeItself() {
    var batch = Batch(schema: Schema([Field("id", .string)]))
    for name in ["x", "", "longer than sixteen bytes, to be sure"] { batch.columns[0].append(string: name) }
    batch.rowCount = 3
    batch.selection = [0, 2]
    let codec = KeyCodec(schema: batch.schema, positions: [0])
    var keys = KeyColumn()
    codec.encode(batch, into: &keys)
    #expect(keys.bytes == batch.columns[0].bytes)
    #expect(keys.hashes[0] == Array("x".utf8).withUnsafeBytes { hash64($0) })
    #expect(keys.hashes[2] != keys.hashes[0])
}

@Test func hashesAreThoseOfTheSpecification() {
    // XXH3 with seed 0 of the empty input, from the reference vectors.
    #expect(hash64(.init(start: nil, count: 0)) == 0x2D06_8005_38D3_94C2)
    #expect(hash128(.init(start: nil, count: 0)) == Hash128(low: 0x6001_C324_468D_497F, high: 0x99AA_06D3_0147_98D8))
}

@Test func theFirstNullOfAColumnMarksEarlierRowsAsValues() {
    var column = Column(.int64)
    column.append(integer: 7)
    column.append(integer: 8)
    column.appendNull()
    column.append(integer: 9)
    #expect(column.validity == [1, 1, 0, 1])
    #expect(column.integers == [7, 8, 0, 9])
}
