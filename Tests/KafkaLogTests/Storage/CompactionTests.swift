import Glibc
import KafkaLogStorage
import Seeded
import Synchronization
import Testing

private typealias Codec = RecordBatchHeader.Compression
private let codecs: [Codec] = [.none, .gzip, .snappy, .lz4, .zstd]
private let start: Int64 = 1_700_000_000_000

private func keyed(
    _ pairs: [(String, String?)], timestamp: Int64 = start, codec: Codec = .none, producer: Int64 = -1, epoch: Int16 = -1, sequence: Int32 = -1,
    transactional: Bool = false
) -> [UInt8] {
    var builder = RecordBatchBuilder(producerID: producer, producerEpoch: epoch, baseSequence: sequence, isTransactional: transactional)
    builder.compression = codec
    return builder.build(
        pairs.map { Record(timestamp: timestamp, key: [UInt8]($0.0.utf8), value: $0.1.map { [UInt8]($0.utf8) }) })
}

private func compacted(_ configuration: inout LogConfiguration) {
    configuration.cleanupPolicy = .compact
    configuration.segmentBytes = 1024
    configuration.indexIntervalBytes = 200
    configuration.minCleanableDirtyRatio = 0
    configuration.deleteRetentionMilliseconds = 3_600_000
}

private func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

/// Appends until the segment that was written to is closed.
private func roll(_ log: TestLog) throws {
    for index in 0..<8 { try log.append(keyed([("filler \(index)", String(repeating: "x", count: 200))], timestamp: log.clock.milliseconds)) }
    try log.settle()
}

@Test(arguments: codecs) func theNewestValueOfEachKeyStaysAtItsOffset(codec: RecordBatchHeader.Compression) throws {
    let temporary = TemporaryDirectory(inMemory: true)
    let log = try TestLog(temporary.path, configure: compacted)
    for round in 0..<30 {
        let pairs = (0..<5).map { ("key \($0 % (round < 20 ? 5 : 2))", "round \(round) of \($0)" as String?) }
        try log.append(keyed(pairs, timestamp: start + Int64(round), codec: codec))
    }
    try roll(log)
    let before = try log.records(isolation: .readUncommitted)
    let size = try log.partition.byteCount
    let reports = try log.clean()
    #expect(!reports.isEmpty && reports.allSatisfy { $0.failure == nil })
    #expect(try log.partition.byteCount < size / 2)
    let after = try log.records(isolation: .readUncommitted)
    var newest: [String: Record] = [:]
    for record in before { newest[text(record.key)!] = record }
    // The two keys of the last rounds have their last value there, the three others theirs at the end of round 19.
    #expect(Set(after) == Set(newest.values) && after.map(\.offset) == after.map(\.offset).sorted())
    // A fetch at an offset that is gone goes on behind it; one batch at a time finds the same.
    for offset in stride(from: Int64(0), to: try log.partition.logEndOffset, by: 3) {
        #expect(try log.records(from: offset, isolation: .readCommitted, maxBytes: 1) == after.filter { $0.offset >= offset })
    }
    // The next start finds it so, in order or not.
    for isClean in [false, true] {
        if isClean { try log.directory.close() }
        let copied = TemporaryDirectory(inMemory: true)
        try copy(temporary.path, to: copied.path)
        let again = try TestLog(copied.path, configure: compacted)
        #expect(try again.records(isolation: .readUncommitted) == after && again.partition.damage == nil)
        #expect(again.directory.drainRecoveryEvents().isEmpty)
        #expect(try again.clean().isEmpty)
    }
}

@Test func recordsWithoutAKeyAreRefusedInACompactedTopic() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path, configure: compacted)
    for codec in codecs {
        var builder = RecordBatchBuilder()
        builder.compression = codec
        let mixed = builder.build([Record(key: [1], value: [1]), Record(key: nil, value: [1])])
        #expect(code { try log.append(mixed) } == .invalidRecord, "\(codec)")
    }
    #expect(try log.partition.logEndOffset == 0)
    try log.directory.setOverrides(["cleanup.policy": "delete"], of: "t")
    try log.append(batch(["no key"]))
}

@Test func whatUnpacksToTooMuchIsRefusedWithoutUnpackingIt() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path, configure: compacted)
    let bomb = String(repeating: "a", count: (64 << 20) + 1)
    for codec in codecs.dropFirst() where codec != .snappy {
        let batch = keyed([("k", bomb)], codec: codec)
        try #require(batch.count < 1 << 20)
        #expect(code { try log.append(batch) } == .invalidRecord, "\(codec)")
    }
    // The same limit, smaller: what is exactly as large is taken.
    for codec in codecs.dropFirst() {
        let batch = keyed([("k", String(repeating: "b", count: 1000))], codec: codec)
        let size = keyed([("k", String(repeating: "b", count: 1000))]).count - RecordBatchHeader.size
        var records = try RecordIterator(batch: batch, decompressedLimit: size)
        #expect(try records.next()?.value?.count == 1000)
        #expect(code { _ = try RecordIterator(batch: batch, decompressedLimit: size - 1) } == .invalidRecord, "\(codec)")
    }
}

@Test(arguments: codecs) func compressedRecordsThatAreNoneHarmNobody(codec: RecordBatchHeader.Compression) throws {
    var random = SplitMix64(seed: 77)
    let good = keyed((0..<40).map { ("key \($0)", "value \($0 * $0)") }, codec: codec)
    for _ in 0..<2000 {
        var bad = good
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bad = Array(good.prefix(Int.random(in: RecordBatchHeader.size...good.count, using: &random)))
        case 1: bad += (0..<Int.random(in: 1..<30, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        default:
            for _ in 0..<Int.random(in: 1..<5, using: &random) {
                bad[Int.random(in: RecordBatchHeader.size..<bad.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
        }
        withUnsafeBytes(of: Int32(bad.count - RecordBatchHeader.lengthPrefix).bigEndian) { bad.replaceSubrange(8..<12, with: $0) }
        let found = code {
            var records = try RecordIterator(batch: bad, decompressedLimit: 1 << 16)
            while try records.next() != nil {}
        }
        #expect([nil, .corruptMessage, .invalidRecord].contains(found))
    }
}

@Test func tombstonesStayForTheirTimeAndTakeOlderValuesWithThem() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path, configure: compacted)
    try log.append(keyed([("a", "1"), ("b", "1"), ("c", "1")]))
    try log.append(keyed([("a", nil), ("c", "2")]))
    try roll(log)
    _ = try log.clean()
    func seen() throws -> [String] {
        try log.records(isolation: .readUncommitted).filter { !text($0.key)!.hasPrefix("filler") }.map { "\(text($0.key)!)=\(text($0.value) ?? "nil")" }
    }
    #expect(try seen() == ["b=1", "a=nil", "c=2"])
    let tombstone = try log.records(isolation: .readUncommitted).first { $0.value == nil }
    #expect(tombstone?.timestamp == start, "the time of the record is not that of its deletion")
    // An hour after it was first cleaned, and no sooner.
    log.clock.advance(3_599_000)
    try roll(log)
    _ = try log.clean()
    #expect(try seen() == ["b=1", "a=nil", "c=2"])
    log.clock.advance(2_000)
    try roll(log)
    _ = try log.clean()
    #expect(try seen() == ["b=1", "c=2"])
}

@Test func whatIsYoungerThanTheLagIsLeftAlone() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path) {
        compacted(&$0)
        $0.minCompactionLagMilliseconds = 60_000
    }
    for _ in 0..<3 {
        try log.append(keyed([("a", "1")], timestamp: log.clock.milliseconds))
        try roll(log)
        #expect(try log.clean().isEmpty)
        log.clock.advance(25_000)
    }
    let all = try log.records(isolation: .readUncommitted).count
    log.clock.advance(10_001)
    // The first round is old enough now, as far as a segment ends with it.
    #expect(try log.clean().count == 1)
    let left = try log.records(isolation: .readUncommitted).count
    #expect(left <= all)
    log.clock.advance(100_000)
    #expect(try log.clean().count == 1)
    #expect(try log.records(isolation: .readUncommitted).count < all)
}

@Test func theRatioDecidesAndTheLongestLagDecidesOtherwise() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path) {
        compacted(&$0)
        $0.minCleanableDirtyRatio = 0.5
        $0.maxCompactionLagMilliseconds = 3_600_000
    }
    for index in 0..<60 { try log.append(keyed([("key \(index)", String(repeating: "v", count: 100))], timestamp: log.clock.milliseconds)) }
    try log.settle()
    #expect(try log.clean().count == 1)
    // A little more is not worth a pass ...
    for _ in 0..<2 { try roll(log) }
    #expect(try log.clean().isEmpty)
    // ... until it has waited for long enough. What is written to is closed for it.
    log.clock.advance(3_600_001)
    let end = try log.partition.logEndOffset
    try log.directory.applyRetention()
    try log.settle()
    #expect(try log.clean().count == 1)
    #expect(try log.partition.cleanerPoint == end)
}

@Test func compactAndDeleteDoBoth() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path) {
        compacted(&$0)
        $0.cleanupPolicy = .compactAndDelete
        $0.retentionMilliseconds = 10_000_000
    }
    for _ in 0..<5 { try log.append(keyed([("a", "old"), ("b", "old")], timestamp: log.clock.milliseconds)) }
    try roll(log)
    _ = try log.clean()
    #expect(try log.records(isolation: .readUncommitted).filter { text($0.value) == "old" }.map(\.offset) == [8, 9])
    log.clock.advance(10_000_001)
    try roll(log)
    try log.directory.applyRetention()
    try log.settle()
    #expect(try log.records(isolation: .readUncommitted).contains { text($0.value) == "old" } == false)
    #expect(try log.partition.logStartOffset > 9)
    try log.directory.close()
    let again = try TestLog(temporary.path, configure: compacted)
    #expect(try again.partition.damage == nil && again.partition.logStartOffset > 9)
}

@Test func aMapThatIsTooSmallTakesMorePasses() throws {
    let temporary = TemporaryDirectory(inMemory: true)
    let log = try TestLog(temporary.path, compactionMemory: 24 * 16, configure: compacted)
    for round in 0..<3 {
        for key in 0..<40 { try log.append(keyed([("key \(key)", "round \(round)")])) }
    }
    try roll(log)
    let reports = try log.clean()
    #expect(reports.count > 5 && reports.allSatisfy { $0.failure == nil })
    let left = try log.records(isolation: .readUncommitted).filter { text($0.key)!.hasPrefix("key") }
    #expect(left.count == 40 && left.allSatisfy { text($0.value) == "round 2" })
}

@Test func manySmallSegmentsBecomeFew() throws {
    let temporary = TemporaryDirectory(inMemory: true)
    let log = try TestLog(temporary.path, configure: compacted)
    for index in 0..<400 { try log.append(keyed([("key \(index % 3)", String(repeating: "v", count: 100))])) }
    try log.settle()
    let before = try names(TestLog.partitionPath(temporary.path)).filter { $0.hasSuffix(".log") }.count
    _ = try log.clean()
    let after = try names(TestLog.partitionPath(temporary.path)).filter { $0.hasSuffix(".log") }.count
    #expect(before > 40 && after == 2, "\(before) became \(after)")
}

@Test func aReaderKeepsWhatItWasGiven() throws {
    let temporary = TemporaryDirectory(inMemory: true)
    let log = try TestLog(temporary.path, configure: compacted)
    for index in 0..<30 { try log.append(keyed([("key", "value \(index)")])) }
    try roll(log)
    let region = try #require(try log.partition.read(from: 0, maxBytes: 1 << 20, minimumOneBatch: true, isolation: .readUncommitted).region)
    let bytes = try region.bytes()
    _ = try log.clean()
    #expect(try region.bytes() == bytes)
}

@Test func aFullDiskEndsAPassAndCostsNothing() throws {
    let temporary = TemporaryDirectory(inMemory: true)
    let isFull = Atomic(false)
    var operations = FileOperations.system
    operations.write = { (descriptor, bytes, position) throws(SystemError) -> Int in
        if isFull.load(ordering: .relaxed) { throw SystemError(code: ENOSPC) }
        return try FileOperations.system.write(descriptor, bytes, position)
    }
    let log = try TestLog(temporary.path, operations: operations, configure: compacted)
    for index in 0..<50 { try log.append(keyed([("key \(index % 4)", "value \(index)")])) }
    try roll(log)
    let before = try log.records(isolation: .readUncommitted)
    isFull.store(true, ordering: .relaxed)
    let reports = try log.clean()
    #expect(reports.count == 1 && reports[0].failure != nil && !reports[0].isUncleanable)
    #expect(log.directory.failure == nil)
    #expect(try log.records(isolation: .readUncommitted) == before)
    #expect(try !names(TestLog.partitionPath(temporary.path)).contains { $0.hasSuffix(".clean") })
    isFull.store(false, ordering: .relaxed)
    #expect(try log.clean().allSatisfy { $0.failure == nil })
    #expect(try log.records(isolation: .readUncommitted).count < before.count)
}

@Test func aTopicThatIsDeletedWhileItIsCleanedIsGone() throws {
    let temporary = TemporaryDirectory(inMemory: true)
    let log = try TestLog(temporary.path, configure: compacted)
    for index in 0..<500 { try log.append(keyed([("key \(index % 4)", "value \(index)")])) }
    try roll(log)
    #expect(try log.directory.startCompaction())
    try log.directory.deleteTopic("t")
    try log.directory.createTopic("t", partitions: 1)
    try log.append(keyed([("key", "of the new topic")]))
    try log.settle()
    while log.directory.isCompacting { _ = try log.nextCompletions() }
    #expect(try log.records(isolation: .readUncommitted).map { text($0.value) } == ["of the new topic"])
    #expect(try names(TestLog.partitionPath(temporary.path)).filter { $0.hasSuffix(".log") || $0.hasSuffix(".clean") }.count == 1)
}
