import Glibc
import KafkaLog
import KafkaLogProtocol
import KafkaLogStorage
import Synchronization
import Testing

/// Lets calls of the operating system fail while a test wants them to.
private final class Disk: Sendable {
    let isFull = Atomic(false)
    let isBroken = Atomic(false)

    var operations: FileOperations {
        var operations = FileOperations.system
        operations.write = { (descriptor, bytes, position) throws(SystemError) -> Int in
            if self.isFull.load(ordering: .relaxed) { throw SystemError(code: ENOSPC) }
            return try FileOperations.system.write(descriptor, bytes, position)
        }
        operations.synchronize = { (descriptor) throws(SystemError) in
            if self.isBroken.load(ordering: .relaxed) { throw SystemError(code: EIO) }
            try FileOperations.system.synchronize(descriptor)
        }
        return operations
    }
}

@Test func nothingIsAcknowledgedAfterAFailedFsync() throws {
    let disk = Disk()
    let log = try TestLog { $0.fileOperations = disk.operations }
    let client = try log.client(), other = try log.client()
    try client.createTopic("t")
    #expect(try client.produce(TestClient.batch(["kept"]), "t").errorCode == .none)
    disk.isBroken.store(true, ordering: .relaxed)
    #expect(try client.produce(TestClient.batch(["lost"]), "t").errorCode == .kafkaStorageError)
    // The disk is fine again, but what was written meanwhile is not to be trusted until the log is started again.
    disk.isBroken.store(false, ordering: .relaxed)
    #expect(try client.produce(TestClient.batch(["refused"]), "t").errorCode == .kafkaStorageError)
    guard case .offline = log.server.status else {
        Issue.record("the status is \(log.server.status)")
        return
    }
    #expect(log.messages.contains { $0.contains("offline until the next start") })
    #expect(try other.fetch("t").records.values == ["kept"])
    // Nor can a coordinator promise anything.
    try other.send(InitProducerIDRequest { $0.transactionalID = "tx"; $0.transactionTimeoutMilliseconds = 1000 })
    #expect(other.isClosedByServer)
}

@Test func aFullDiskRefusesRecordsAndGoesOnWhenThereIsRoom() throws {
    let disk = Disk()
    let log = try TestLog { $0.fileOperations = disk.operations }
    let client = try log.client(), other = try log.client()
    try client.createTopic("t")
    #expect(try client.produce(TestClient.batch(["a"]), "t").errorCode == .none)
    disk.isFull.store(true, ordering: .relaxed)
    #expect(try client.produce(TestClient.batch(["b"]), "t").errorCode == .kafkaStorageError)
    // What a coordinator has to write waits for room.
    try other.send(InitProducerIDRequest { $0.transactionalID = "tx"; $0.transactionTimeoutMilliseconds = 1000 })
    while log.server.status.isReady {}
    disk.isFull.store(false, ordering: .relaxed)
    #expect(try other.receive(InitProducerIDRequest.self).response.errorCode == .none)
    #expect(log.server.status == .ready)
    #expect(try client.produce(TestClient.batch(["c"]), "t").errorCode == .none)
    #expect(try client.fetch("t").records.values == ["a", "c"])
}
