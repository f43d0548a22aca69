import Testing

import KafkaLogStorage

/// Message sets with the same four messages, as kafka-python writes them: keys and values `k`, `one`; null, `two`; `three`, null; both empty.
/// Where there are timestamps they are 1,700,000,000,000 ms and the three after it.
enum MessageSetTests {
    static let untimed = bytes(
        """
        000000000000000000000012dcd921640000000000016b000000036f6e650000000000000001000000116732f40b0000ffffffff0000000374776f000000000000
        000200000013331c66410000000000057468726565ffffffff00000000000000030000000ee38a687600000000000000000000
        """)
    static let untimedSnappy = bytes(
        """
        0000000000000000000000801f17bac60002ffffffff0000007282534e415050590000000001000000010000005e74000019011012dcd92164050f20016b000000
        036f6e65050e40000001000000116732f40b0000ffffffff011d0874776f0d1d200200000013331c66410510140574687265650d26010148030000000ee38a6876
        00000000000000000000
        """)
    static let uncompressed = bytes(
        """
        00000000000000000000001a2ee4026801000000018bcfe56800000000016b000000036f6e65000000000000000100000019a3b4fa3701000000018bcfe56801ff
        ffffff0000000374776f00000000000000020000001bdb36d3e401000000018bcfe56802000000057468726565ffffffff000000000000000300000016dd0a32ab
        01000000018bcfe568030000000000000000
        """)
    static let gzip = bytes(
        """
        00000000000000000000007cb6f2d3d901010000000000000000ffffffff000000661f8b0800e081016b02ff6360800329bd274c198c400663f7f9a7192011c66c
        20c19c9f970a550192945cbce597395c15e37f2000292a29cf872a620262e9db66979fc0158144584b328a5253a1aa41801988c5ee7219ad862b6386390400c609
        11ef94000000
        """)
    static let snappy = bytes(
        """
        00000000000000000000009cb852ae3701020000000000000000ffffffff0000008682534e4150505900000000010000000100000072940100001901341a2ee402
        6801000000018bcfe568011820016b000000036f6e65010d01191c00000019a3b4fa37010905261001ffffffff01250874776f01222c000000020000001bdb36d3
        e415250112140574687265650d2e0101200300000016dd0a32ab152720030000000000000000
        """)
    static let lz4 = bytes(
        """
        00000000000000000000009dd9f50b8001030000000000000000ffffffff0000008704224d1868409400000000000000f17000000016000100e01a2ee402680100
        0000018bcfe568180090016b000000036f6e650d000019008500000019a3b4fa3726005001ffffffff25003174776f2300b50000020000001bdb36d3e425000012
        00630574687265652e00000200950300000016dd0a32ab27009003000000000000000000000000
        """)

    private static func bytes(_ text: String) -> [UInt8] {
        let digits = text.filter { !$0.isNewline }.map { UInt8($0.hexDigitValue!) }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    static func batch(_ messages: [UInt8], limit: Int = 1 << 20) throws -> [UInt8] {
        try messages.withUnsafeBytes { try MessageSet.batch(from: $0, decompressedLimit: limit) }
    }

    static func records(_ batch: [UInt8]) throws -> [Record] {
        var iterator = try RecordIterator(batch: batch)
        var records: [Record] = []
        while let record = try iterator.next() { records.append(record) }
        return records
    }
}

private func fields(_ record: Record) -> [String?] {
    [record.key, record.value].map { bytes in bytes.map { String(decoding: $0, as: UTF8.self) } }
}

@Test(arguments: [
    (MessageSetTests.untimed, 0 as Int16, false), (MessageSetTests.untimedSnappy, 2, false), (MessageSetTests.uncompressed, 0, true),
    (MessageSetTests.gzip, 1, true), (MessageSetTests.snappy, 2, true), (MessageSetTests.lz4, 3, true),
])
func aMessageSetBecomesABatchInTheSameCodec(messages: [UInt8], codec: Int16, hasTimes: Bool) throws {
    let batch = try MessageSetTests.batch(messages)
    let header = try batch.withUnsafeBytes { try RecordBatchHeader($0) }
    #expect(header.compression?.rawValue == codec)
    #expect(batch.withUnsafeBytes { header.checksumMatches($0) })
    try header.validateFromProducer()
    let records = try MessageSetTests.records(batch)
    #expect(records.map(fields) == [["k", "one"], [nil, "two"], ["three", nil], ["", ""]])
    #expect(records.map(\.timestamp) == (0..<4).map { hasTimes ? 1_700_000_000_000 + $0 : -1 })
}

@Test(arguments: [MessageSetTests.untimed, MessageSetTests.uncompressed, MessageSetTests.gzip, MessageSetTests.snappy, MessageSetTests.lz4])
func aDamagedMessageSetIsRefused(messages: [UInt8]) throws {
    for length in 1..<messages.count {
        // Cut after a message it is a set of fewer messages.
        if let batch = try? MessageSetTests.batch(Array(messages.prefix(length))) { #expect(try MessageSetTests.records(batch).count < 4) }
    }
    for place in 12..<messages.count {
        var flipped = messages
        flipped[place] ^= 0x40
        // The offsets of messages mean nothing to the log and have no checksum.
        if let batch = try? MessageSetTests.batch(flipped) { #expect(try MessageSetTests.records(batch).count == 4, "byte \(place)") }
    }
    #expect(throws: StorageError.self) { try MessageSetTests.batch([]) }
}

@Test func messagesMayNotUnpackToMoreThanTheLimit() throws {
    let error = #expect(throws: StorageError.self) { try MessageSetTests.batch(MessageSetTests.gzip, limit: 147) }
    #expect(error?.code == .invalidRecord)
    #expect(throws: Never.self) { try MessageSetTests.batch(MessageSetTests.gzip, limit: 148) }
}

@Test func aReaderOfMessagesGetsTheRecordsBetweenTheMarkers() throws {
    let root = TemporaryDirectory()
    let log = try TestLog(root.path)
    try log.append(RecordBatchBuilder().build([Record(timestamp: 5, key: nil, value: [1]), Record(timestamp: 6, key: [2], value: [3])]))
    try log.append(
        RecordBatchBuilder(producerID: 1, producerEpoch: 0, baseSequence: 0, isTransactional: true).build([Record(key: nil, value: [9])]))
    let partition = try log.partition
    _ = try partition.appendMarker(producerID: 1, producerEpoch: 0, commit: true, coordinatorEpoch: 0)
    var compressed = RecordBatchBuilder()
    compressed.compression = .zstd
    try log.append(compressed.build([Record(key: nil, value: [UInt8](repeating: 7, count: 100))]))
    try log.settle()

    func values(_ messages: [UInt8]) throws -> [[UInt8]?] { try MessageSetTests.records(MessageSetTests.batch(messages)).map(\.value) }
    let all = try partition.messageSet(from: 0, maxBytes: 1 << 20, format: .timed)
    #expect(try values(all) == [[1], [3], [9], [UInt8](repeating: 7, count: 100)])
    // From within a batch; and at least one message, however small the limit is.
    let one = try partition.messageSet(from: 1, maxBytes: 1, format: .untimed)
    #expect(one.prefix(8) == [0, 0, 0, 0, 0, 0, 0, 1])
    let record = try MessageSetTests.records(MessageSetTests.batch(one))
    #expect(record.map(\.key) == [[2]] && record.map(\.value) == [[3]] && record.map(\.timestamp) == [-1])
    // A limit that only the marker fits in: what comes behind it is looked for.
    #expect(try values(partition.messageSet(from: 3, maxBytes: 1, format: .timed)) == [[UInt8](repeating: 7, count: 100)])
    #expect(try partition.messageSet(from: 5, maxBytes: 100, format: .timed).isEmpty)
}
