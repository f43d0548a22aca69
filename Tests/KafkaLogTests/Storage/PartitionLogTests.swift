import Glibc
import KafkaLogStorage
import Seeded
import Synchronization
import Testing

@Test func whatIsAppendedIsReadByteForByte() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path) { $0.segmentBytes = 2000; $0.indexIntervalBytes = 200 }
    var random = SplitMix64(seed: 1)
    var expected: [UInt8] = []
    var starts: [Int64: Int] = [:]
    for _ in 0..<200 {
        let count = Int.random(in: 1...5, using: &random)
        let values = (0..<count).map { _ in String(repeating: "x", count: Int.random(in: 0...60, using: &random)) }
        let batch = batch(values)
        let result = try log.append(batch)
        for offset in result.baseOffset...result.lastOffset { starts[offset] = expected.count }
        expected += placed(batch, at: result.baseOffset)
    }
    try log.settle()
    #expect(try log.readAll() == expected)
    #expect(try log.readAll(maxBytes: 500) == expected)
    #expect(try log.partition.byteCount == Int64(expected.count))
    for (offset, start) in starts { #expect(try log.readAll(from: offset) == Array(expected[start...])) }

    try log.directory.close()
    let again = try TestLog(temporary.path)
    #expect(try again.readAll() == expected)
    #expect(again.directory.drainRecoveryEvents().isEmpty)
    for (offset, start) in starts { #expect(try again.readAll(from: offset) == Array(expected[start...])) }
}

@Test func aReadGivesWholeBatchesWithinItsLimit() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path)
    let one = batch(["0123456789"])
    for _ in 0..<50 { try log.append(one) }
    try log.settle()
    let partition = try log.partition
    for maxBytes in [0, 1, one.count - 1, one.count, one.count + 1, one.count * 3 - 1, one.count * 50, .max] {
        let whole = min(50, maxBytes / one.count) * one.count
        let strict = try partition.read(from: 0, maxBytes: maxBytes, minimumOneBatch: false, isolation: .readUncommitted)
        #expect(strict.region?.length ?? 0 == whole)
        let generous = try partition.read(from: 0, maxBytes: maxBytes, minimumOneBatch: true, isolation: .readUncommitted)
        #expect(generous.region?.length ?? 0 == max(one.count, whole))
    }
}

@Test func aReaderDoesNotSeeWhatIsNotDurable() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path)
    try log.append(batch(["a"]))
    try log.settle()
    let result = try log.append(batch(["b", "c"]))
    let partition = try log.partition
    #expect(partition.highWatermark == 1 && partition.logEndOffset == 3 && result.acknowledgedAt == 3)
    #expect(try headers(log.readAll()).map(\.lastOffset) == [0])
    #expect(try partition.read(from: 2, maxBytes: 100, minimumOneBatch: true, isolation: .readUncommitted).region == nil)
    let progress = try log.settle()
    #expect(progress.partitions == [TestLog.name])
    #expect(try headers(log.readAll()).map(\.lastOffset) == [0, 2])
}

@Test func withoutFsyncOnTheWayAppendsAreVisibleAtOnce() throws {
    for durability in [Durability.never, .interval(milliseconds: 5)] {
        let temporary = TemporaryDirectory()
        let log = try TestLog(temporary.path, durability: durability)
        try log.append(batch(["a"]))
        #expect(try log.partition.highWatermark == 1)
        log.directory.requestSync()
        try log.directory.close()
        let again = try TestLog(temporary.path, durability: durability)
        #expect(try again.partition.logEndOffset == 1)
    }
}

@Test func offsetsOutsideOfTheLogAreRefused() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path)
    try log.append(batch(["a"]))
    try log.settle()
    #expect(code { _ = try log.partition.read(from: -1, maxBytes: 1, minimumOneBatch: true, isolation: .readUncommitted) } == .offsetOutOfRange)
    #expect(code { _ = try log.partition.read(from: 2, maxBytes: 1, minimumOneBatch: true, isolation: .readUncommitted) } == .offsetOutOfRange)
    #expect(try log.partition.read(from: 1, maxBytes: 1, minimumOneBatch: true, isolation: .readUncommitted).region == nil)
}

@Test func batchesThatABrokerMustNotTakeAreRefusedAndLeaveNothing() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path) { $0.maxMessageBytes = 2000 }
    func patched(_ position: Int, _ bytes: [UInt8]) -> [UInt8] {
        // With its checksum made right again: what is wrong is in the fields.
        var batch = batch(["a", "b"], producer: 5, epoch: 0, sequence: 0)
        batch.replaceSubrange(position..<position + bytes.count, with: bytes)
        return withRightChecksum(batch)
    }
    #expect(code { try log.append(batch(["a"]) + batch(["b"])) } == .invalidRecord)
    #expect(code { try log.append(Array(batch(["a"]).dropLast())) } == .corruptMessage)
    #expect(code { try log.append([]) } == .corruptMessage)
    #expect(code { try log.append(batch([String(repeating: "x", count: 2000)])) } == .messageTooLarge)
    var flipped = batch(["abc"])
    flipped[flipped.count - 2] ^= 1
    #expect(code { try log.append(flipped) } == .corruptMessage)
    #expect(code { try log.append(patched(57, [0, 0, 0, 3])) } == .invalidRecord, "record count")
    #expect(code { try log.append(patched(23, [0xff, 0xff, 0xff, 0xff])) } == .invalidRecord, "last offset delta")
    #expect(code { try log.append(patched(22, [0x20])) } == .invalidRecord, "control")
    #expect(code { try log.append(patched(22, [0x08])) } == .invalidRecord, "log append time")
    #expect(code { try log.append(patched(22, [0x07])) } == .invalidRecord, "codec")
    #expect(code { try log.append(patched(53, [0xff, 0xff, 0xff, 0xff])) } == .invalidRecord, "sequence")
    #expect(code { try log.append(batch(["a"], transactional: true)) } == .invalidRecord)
    #expect(try log.partition.logEndOffset == 0 && log.partition.byteCount == 0 && log.partition.producerCount == 0)
}

@Test func aRegionStaysReadableAfterItsSegmentWasDeleted() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path) { $0.segmentBytes = 1024 }
    for index in 0..<100 { try log.append(batch(["value \(index)"])) }
    try log.settle()
    let before = try log.readAll(maxBytes: 300)
    let region = try #require(try log.partition.read(from: 0, maxBytes: 300, minimumOneBatch: true, isolation: .readUncommitted).region)
    #expect(try log.directory.deleteRecords(TestLog.name, before: 90) == 90)
    try log.directory.applyRetention()
    #expect(code { _ = try log.partition.read(from: 89, maxBytes: 1, minimumOneBatch: true, isolation: .readUncommitted) } == .offsetOutOfRange)
    #expect(try region.bytes() == Array(before.prefix(region.length)))
    try log.directory.deleteTopic("t")
    #expect(try region.bytes() == Array(before.prefix(region.length)))
    #expect(code { _ = try log.partition } == .unknownTopicOrPartition)
}

@Test func theLogStartSurvivesARestart() throws {
    let temporary = TemporaryDirectory()
    do {
        let log = try TestLog(temporary.path) { $0.segmentBytes = 1024 }
        for index in 0..<100 { try log.append(batch(["value \(index)"])) }
        try log.settle()
        #expect(try log.directory.deleteRecords(TestLog.name, before: 50) == 50)
        // No orderly end.
    }
    let log = try TestLog(temporary.path)
    #expect(try log.partition.logStartOffset == 50 && log.partition.logEndOffset == 100)
    #expect(code { _ = try log.directory.deleteRecords(TestLog.name, before: 101) } == .offsetOutOfRange)
    #expect(try log.directory.deleteRecords(TestLog.name, before: -1) == 100)
    #expect(try log.readAll(from: 100).isEmpty)
}

@Test func recordsAreFoundByTime() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path) { $0.segmentBytes = 1500; $0.indexIntervalBytes = 100 }
    var random = SplitMix64(seed: 3)
    var times: [Int64] = []
    for _ in 0..<120 {
        let records = (0..<Int.random(in: 1...4, using: &random)).map { _ in
            Record(timestamp: Int64.random(in: 0...1000, using: &random), key: nil, value: [1, 2, 3])
        }
        times += records.map(\.timestamp)
        try log.append(RecordBatchBuilder().build(records))
    }
    try log.settle()
    func check(_ log: TestLog, from start: Int) throws {
        for wanted in Int64(0)...1001 {
            let expected = times.indices.first { $0 >= start && times[$0] >= wanted }
            let found = try log.partition.offset(atOrAfter: wanted, isolation: .readUncommitted)
            #expect(found?.offset == expected.map(Int64.init), "time \(wanted)")
            #expect(found?.timestamp == expected.map { times[$0] })
        }
        let largest = try log.partition.offsetOfMaximumTimestamp()
        #expect(largest?.timestamp == times[start...].max())
    }
    try check(log, from: 0)
    _ = try log.directory.deleteRecords(TestLog.name, before: 101)
    try check(log, from: 101)
    try log.directory.close()
    try check(try TestLog(temporary.path), from: 101)
}

@Test func recordsInsideOfCompressedBatchesAreFoundByTime() throws {
    for codec in [RecordBatchHeader.Compression.gzip, .snappy, .lz4, .zstd] {
        let temporary = TemporaryDirectory()
        let log = try TestLog(temporary.path)
        try log.append(batch(["a"], timestamp: 10))
        var builder = RecordBatchBuilder()
        builder.compression = codec
        try log.append(builder.build([20, 40, 30].map { Record(timestamp: $0, key: nil, value: [1]) }))
        try log.append(batch(["b"], timestamp: 35))
        try log.settle()
        let expected: [(Int64, Int64?)] = [(5, 0), (11, 1), (20, 1), (21, 2), (35, 2), (40, 2), (41, nil)]
        for (timestamp, offset) in expected {
            #expect(try log.partition.offset(atOrAfter: timestamp, isolation: .readUncommitted)?.offset == offset, "\(codec) \(timestamp)")
        }
        #expect(try log.partition.offsetOfMaximumTimestamp() == TimestampOffset(offset: 2, timestamp: 40))
        // What is asked for is below the log start: the next record that is new enough is in another batch.
        _ = try log.directory.deleteRecords(TestLog.name, before: 3)
        #expect(try log.partition.offset(atOrAfter: 21, isolation: .readUncommitted) == TimestampOffset(offset: 3, timestamp: 30))
        #expect(try log.partition.offset(atOrAfter: 31, isolation: .readUncommitted) == TimestampOffset(offset: 4, timestamp: 35))
        #expect(try log.partition.offsetOfMaximumTimestamp() == TimestampOffset(offset: 4, timestamp: 35))
    }
}

@Test func ofABatchThatCannotBeUnpackedTheBeginningIsFoundByTime() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path)
    try log.append(batch(["a"], timestamp: 10))
    var broken = RecordBatchBuilder().build([Record(timestamp: 20, key: nil, value: [1]), Record(timestamp: 30, key: nil, value: [1])])
    broken[22] = 4
    try log.append(withRightChecksum(broken))
    try log.settle()
    #expect(try log.partition.offset(atOrAfter: 30, isolation: .readUncommitted) == TimestampOffset(offset: 1, timestamp: 30))
    #expect(try log.partition.offset(atOrAfter: 31, isolation: .readUncommitted) == nil)
}

@Test func oldSegmentsGoByAge() throws {
    let temporary = TemporaryDirectory()
    let clock = ManualClock(1_000_000)
    let log = try TestLog(temporary.path, clock: clock) { $0.segmentBytes = 1024; $0.retentionMilliseconds = 10_000 }
    for index in 0..<100 {
        try log.append(batch(["value \(index)"], timestamp: clock.milliseconds))
        clock.advance(100)
    }
    try log.settle()
    clock.advance(5000)
    try log.directory.applyRetention()
    let start = try log.partition.logStartOffset
    // Whole segments go: what is older than ten seconds, but for the part of a segment.
    #expect(start > 0 && start <= 50)
    let kept = try headers(log.readAll(from: start))
    #expect(kept.first?.baseOffset == start && kept.last?.lastOffset == 99)
    clock.advance(60_000)
    try log.directory.applyRetention()
    #expect(try log.partition.logStartOffset == 100 && log.partition.byteCount == 0)
    #expect(try log.append(batch(["next"])).baseOffset == 100)
}

@Test func oldSegmentsGoBySize() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path) { $0.segmentBytes = 1024; $0.retentionBytes = 5000; $0.retentionMilliseconds = -1 }
    for index in 0..<200 { try log.append(batch(["value \(index)"])) }
    try log.directory.applyRetention()
    #expect(try log.partition.logStartOffset == 0, "nothing goes that is not durable")
    try log.settle()
    try log.directory.applyRetention()
    let size = try log.partition.byteCount
    #expect(size >= 5000 && size < 5000 + 1024)
    #expect(try log.readAll(from: log.partition.logStartOffset).count == Int(size))
}

@Test func aSegmentIsClosedWhenItIsOld() throws {
    let temporary = TemporaryDirectory()
    let clock = ManualClock()
    let log = try TestLog(temporary.path, clock: clock) { $0.segmentMilliseconds = 1000 }
    try log.append(batch(["a"]))
    clock.advance(999)
    try log.append(batch(["b"]))
    clock.advance(1)
    try log.append(batch(["c"]))
    #expect(try !contents(TestLog.segmentPath(temporary.path, 2)).isEmpty)
}

@Test func whatIsTooOldGoesAlsoWhereNobodyReads() throws {
    let temporary = TemporaryDirectory()
    let clock = ManualClock()
    func open() throws -> TestLog {
        try TestLog(temporary.path, clock: clock) { $0.segmentBytes = 1024; $0.retentionMilliseconds = 1_000_000 }
    }
    func append(_ log: TestLog, _ name: TopicPartition, _ count: Int) throws {
        for index in 0..<count {
            var batch = batch(["value \(index)"], timestamp: clock.milliseconds)
            let partition = try log.directory.partition(name)
            _ = try batch.withUnsafeMutableBytes { try partition.append($0) }
        }
    }
    let (old, mixed, young) = (TopicPartition("many", 0), TopicPartition("many", 1), TopicPartition("many", 2))
    do {
        let log = try open()
        try log.directory.createTopic("many", partitions: 4)
        try append(log, old, 50)
        try append(log, mixed, 50)
        clock.advance(900_000)
        try append(log, mixed, 50)
        try append(log, young, 50)
        try log.directory.close()
    }
    let log = try open()
    func segments(_ name: TopicPartition) throws -> Int {
        try names(temporary.path + "/log/topics/\(name)").filter { $0.hasSuffix(".log") }.count
    }
    let before = try segments(mixed)
    while try log.directory.applyRetention(limit: 1) {}
    #expect(log.directory.openPartitions.isEmpty, "nothing is due, and nothing is opened to find that out")
    clock.advance(100_001)
    while try log.directory.applyRetention(limit: 1) {}
    #expect(Set(log.directory.openPartitions.map(\.name)) == [old, mixed])
    #expect(try log.directory.partition(old).byteCount == 0 && log.directory.partition(old).logStartOffset == 50)
    let start = try log.directory.partition(mixed).logStartOffset
    #expect(start > 0 && start <= 50)
    try log.directory.close()
    #expect(try segments(old) == 1 && segments(mixed) < before && segments(young) > 1)
    // The log start was on disk before the files went.
    let again = try open()
    #expect(try again.directory.partition(mixed).logStartOffset == start && again.directory.partition(mixed).damage == nil)
}

@Test func aSegmentThatNobodyWritesToIsClosedWhenItIsOld() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path) { $0.segmentMilliseconds = 60_000; $0.retentionMilliseconds = -1 }
    try log.append(batch(["a"]))
    try log.settle()
    func segments() throws -> [String] { try names(TestLog.partitionPath(temporary.path)).filter { $0.hasSuffix(".log") }.sorted() }
    log.clock.advance(59_999)
    try log.directory.applyRetention()
    #expect(try segments().count == 1)
    log.clock.advance(1)
    try log.directory.applyRetention()
    #expect(try segments().count == 2)
    // Not again: there is nothing in the new one.
    log.clock.advance(1_000_000)
    try log.directory.applyRetention()
    #expect(try segments().count == 2)
    #expect(try log.append(batch(["b"])).baseOffset == 1)
}

@Test func aSettingThatIsChangedCountsAtOnce() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path) { $0.segmentBytes = 1024; $0.retentionMilliseconds = -1 }
    for index in 0..<100 { try log.append(batch(["value \(index)"])) }
    try log.settle()
    try log.directory.setOverrides(["retention.bytes": "2000"], of: "t")
    #expect(try log.partition.byteCount < 2000 + 1024 && log.partition.logStartOffset > 0)
}

@Test func aLogStartThatCannotBeWrittenKeepsTheFiles() throws {
    let temporary = TemporaryDirectory()
    let isFull = Atomic(false)
    var operations = FileOperations.system
    operations.rename = { (old, new) throws(SystemError) in
        if isFull.load(ordering: .relaxed), new.hasSuffix("checkpoints") { throw SystemError(code: EIO) }
        try FileOperations.system.rename(old, new)
    }
    do {
        let log = try TestLog(temporary.path, operations: operations) { $0.segmentBytes = 1024; $0.retentionBytes = 2000 }
        for index in 0..<100 { try log.append(batch(["value \(index)"])) }
        try log.settle()
        isFull.store(true, ordering: .relaxed)
        try log.directory.applyRetention()
        #expect(try log.partition.logStartOffset > 0)
    }
    // Killed before that was on disk: the next start has all of it, and misses nothing.
    let again = try TestLog(temporary.path)
    #expect(try again.partition.logStartOffset == 0 && again.partition.damage == nil)
    #expect(try headers(again.readAll()).map(\.baseOffset) == Array(0..<100))
}
