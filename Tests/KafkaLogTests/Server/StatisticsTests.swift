import Glibc
import KafkaLog
import KafkaLogProtocol
import KafkaLogStorage
import Synchronization
import Testing

@Test func statisticsCountEachTopicsRecordsAndBytesOnceAPart() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("a")
    try client.createTopic("b")
    let batch = TestClient.batch(["x", "y", "z"])
    #expect(try client.produce(batch, "a").errorCode == .none)
    #expect(try client.produce(TestClient.batch(["w"]), "b").errorCode == .none)
    #expect(try client.fetch("a").records.values == ["x", "y", "z"])
    #expect(try client.fetch("a", from: 1).records.values == ["x", "y", "z"])
    let now = log.server.statistics()
    let a = try #require(now.topics["a"]), b = try #require(now.topics["b"])
    #expect((a.recordsIn, a.recordsOut) == (3, 6))
    #expect((a.bytesIn, a.bytesOut) == (UInt64(batch.count), UInt64(2 * batch.count)))
    #expect((b.recordsIn, b.recordsOut, b.bytesOut) == (1, 0, 0))
    #expect((now.recordsIn, now.recordsOut) == (4, 6))
    #expect(a.logBytes == Int64(batch.count))
    try log.restart()
    #expect(log.server.statistics().topics["a"]?.logBytes == Int64(batch.count))
}

@Test func everyAnsweredRequestIsInItsHistogramAndAWaitForRecordsIsNot() throws {
    let log = try TestLog()
    let client = try log.client(), other = try log.client()
    try client.createTopic("t")
    for _ in 0..<5 { #expect(try client.produce(TestClient.batch(["v"]), "t").errorCode == .none) }
    // It waits for half a second at the end of the partition, and gets nothing.
    var waiting = TestClient.fetchRequest("t", 0, from: 5)
    waiting.maxWaitMilliseconds = 500
    waiting.minBytes = 1
    _ = try other.ask(waiting)
    #expect(try client.fetch("t").records.values.count == 5)
    let now = log.server.statistics()
    #expect(now.produceDurations.count == 5)
    #expect(now.requests["produce"] == 5)
    #expect(now.fetchDurations.count == now.requests["fetch"])
    #expect(now.fetchDurations.count == 2)
    #expect(now.fetchDurations.sumNanoseconds < 400_000_000)
    #expect(now.fsyncDurations.count >= 1)
}

@Test func aFullDiskIsCountedAndNotReadyUntilThereIsRoomThoughNobodyWritesAgain() throws {
    let disk = FullDisk()
    let log = try TestLog { $0.fileOperations = disk.operations }
    let client = try log.client()
    try client.createTopic("t")
    disk.isFull.store(true, ordering: .relaxed)
    for _ in 0..<2 { #expect(try client.produce(TestClient.batch(["b"]), "t").errorCode == .kafkaStorageError) }
    guard case .notReady(let reason) = log.server.status else {
        Issue.record("the status is \(log.server.status)")
        return
    }
    #expect(reason.contains("No space left on device"))
    #expect(log.server.statistics().diskFullFailures == 2)
    #expect(!log.server.statistics().isUsable)
    // Said once, however many requests it refuses.
    #expect(log.messages.count { $0.contains("no room on the log's device") } == 1)
    disk.isFull.store(false, ordering: .relaxed)
    while !log.server.status.isReady {}
    #expect(log.server.statistics().isUsable)
    #expect(log.messages.contains { $0.contains("there is room on the log's device again") })
}

private final class FullDisk: Sendable {
    let isFull = Atomic(false)

    var operations: FileOperations {
        var operations = FileOperations.system
        operations.write = { (descriptor, bytes, position) throws(SystemError) -> Int in
            if self.isFull.load(ordering: .relaxed) { throw SystemError(code: ENOSPC) }
            return try FileOperations.system.write(descriptor, bytes, position)
        }
        return operations
    }
}
