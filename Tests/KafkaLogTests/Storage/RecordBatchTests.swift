import KafkaLogStorage
import Seeded
import Testing

/// Made by another Kafka client: producer 7, epoch 3, sequence 40, transactional, three records, two headers.
private let golden = bytes(
    hex: "00000000000000000000005b00000000028472201d0010000000020000018bcfe568000000018bcfe569f40000000000000007000300000028"
        + "0000000322000000046b310476310402680278026e011a00e80702010c7365636f6e64001200cf0f04046b330100")

private let goldenRecords = [
    Record(
        offset: 0, timestamp: 1_700_000_000_000, key: [UInt8]("k1".utf8), value: [UInt8]("v1".utf8),
        headers: [.init(name: "h", value: [UInt8]("x".utf8)), .init(name: "n", value: nil)]),
    Record(offset: 1, timestamp: 1_700_000_000_500, key: nil, value: [UInt8]("second".utf8)),
    Record(offset: 2, timestamp: 1_699_999_999_000, key: [UInt8]("k3".utf8), value: nil),
]

@Test func aBatchIsBuiltAsAnotherClientBuildsIt() {
    let builder = RecordBatchBuilder(producerID: 7, producerEpoch: 3, baseSequence: 40, isTransactional: true)
    #expect(builder.build(goldenRecords) == golden)
    let empty = bytes(
        hex: "0000000000000000000000380000000002744305da00000000000000000000000000010000000000000001ffffffffffffffffffffffffffff"
            + "000000010c000000010000")
    #expect(RecordBatchBuilder().build([Record(timestamp: 1, key: nil, value: [])]) == empty)
}

@Test func aHeaderSaysWhatIsInTheBatch() throws {
    let header = try #require(try headers(golden).first)
    #expect(header.totalSize == golden.count)
    #expect(header.producerID == 7 && header.producerEpoch == 3 && header.baseSequence == 40 && header.lastSequence == 42)
    #expect(header.recordCount == 3 && header.lastOffsetDelta == 2 && header.lastOffset == 2 && header.nextOffset == 3)
    #expect(header.isTransactional && !header.isControl && header.compression == RecordBatchHeader.Compression.none)
    #expect(header.baseTimestamp == 1_700_000_000_000 && header.maxTimestamp == 1_700_000_000_500)
    #expect(golden.withUnsafeBytes { header.checksumMatches($0) })
    try header.validateFromProducer()
}

@Test func theRecordsOfABatchComeBack() throws {
    var iterator = try RecordIterator(batch: golden)
    var records: [Record] = []
    while let record = try iterator.next() { records.append(record) }
    #expect(records == goldenRecords)
}

@Test func everyFlippedBitBehindTheMagicFailsTheChecksumOrTheLengths() throws {
    for bit in (16 * 8)..<(golden.count * 8) {
        var flipped = golden
        flipped[bit / 8] ^= 1 << UInt8(bit % 8)
        let isRefused = flipped.withUnsafeBytes { bytes in
            guard let header = try? RecordBatchHeader(bytes), header.totalSize == bytes.count else { return true }
            return !header.checksumMatches(bytes)
        }
        #expect(isRefused, "bit \(bit)")
    }
}

@Test func everyCutBatchIsRefused() {
    for count in 1..<golden.count {
        #expect(throws: StorageError.self) { _ = try headers(Array(golden.prefix(count))) }
        #expect(throws: StorageError.self) { _ = try RecordIterator(batch: Array(golden.prefix(count))) }
    }
}

@Test func recordsThatLieAboutTheirLengthsAreRefused() throws {
    var random = SplitMix64(seed: 11)
    for _ in 0..<20_000 {
        var damaged = golden
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            damaged[Int.random(in: 61..<damaged.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        var iterator = try RecordIterator(batch: damaged)
        while let _ = try? iterator.next() {}
    }
}

@Test func oldMessageFormatsAreToldApartFromGarbage() {
    var old = golden
    old[16] = 1
    #expect(code { _ = try headers(old) } == .unsupportedForMessageFormat)
    old[16] = 77
    #expect(code { _ = try headers(old) } == .corruptMessage)
}

@Test func aMarkerIsAControlBatchOfOneRecord() throws {
    let bytes = EndTransactionMarker(isCommit: true, coordinatorEpoch: 9).batch(producerID: 7, producerEpoch: 3, timestamp: 5)
    let header = try #require(try headers(bytes).first)
    #expect(header.isControl && header.isTransactional && header.producerID == 7 && header.producerEpoch == 3 && header.baseSequence == -1)
    var records = try RecordIterator(batch: bytes)
    let record = try #require(try records.next())
    #expect(record.key == [0, 0, 0, 1] && record.value == [0, 0, 0, 0, 0, 9])
    #expect(try EndTransactionMarker(batch: bytes) == EndTransactionMarker(isCommit: true, coordinatorEpoch: 9))
    let abort = EndTransactionMarker(isCommit: false, coordinatorEpoch: 0)
    #expect(try EndTransactionMarker(batch: abort.batch(producerID: 1, producerEpoch: 0, timestamp: 5)) == abort)
}

@Test(arguments: [1, 7, 64, 1000, 2900, 2999, 3000, 3001, 3050, 3072, 3080, 6000, 6143, 6144, 6145, 10_000, 70_001])
func theChecksumOfALongBatchIsThatOfAPlainCalculation(size: Int) throws {
    var random = SplitMix64(seed: UInt64(size))
    for more in 0..<16 {
        let value = (0..<size + more).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let built = RecordBatchBuilder().build([Record(timestamp: 1, key: nil, value: value)])
        #expect(try headers(built).first?.crc == crc32c(built[21...]), "\(size + more) bytes")
    }
}
