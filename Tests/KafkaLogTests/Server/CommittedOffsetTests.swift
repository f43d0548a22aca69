import Foundation
import KafkaLog
import KafkaLogProtocol
import KafkaLogStorage
import Testing

/// A disk whose syncs a test can hold up, and let fail.
private final class SlowDisk: @unchecked Sendable {
    // Unchecked: everything below is only touched while `condition` is locked.
    private let condition = NSCondition()
    private var isHeld = false
    private var isWaiting = false
    private var isBroken = false

    var operations: FileOperations {
        var operations = FileOperations.system
        operations.synchronize = { (descriptor) throws(SystemError) in
            if self.pass() { throw SystemError(code: EIO) }
            try FileOperations.system.synchronize(descriptor)
        }
        return operations
    }

    /// Waits while the disk is held.
    /// - Returns: whether it is broken.
    private func pass() -> Bool {
        condition.withLock {
            while isHeld {
                isWaiting = true
                condition.broadcast()
                condition.wait()
            }
            return isBroken
        }
    }

    func hold() { condition.withLock { isHeld = true } }

    func release(broken: Bool = false) {
        condition.withLock {
            isHeld = false
            isBroken = broken
            condition.broadcast()
        }
    }

    func waitUntilASyncIsHeld() {
        condition.withLock { while !isWaiting { condition.wait() } }
    }
}

private func commit(_ offset: Int64) -> OffsetCommitRequest {
    OffsetCommitRequest {
        $0.groupID = "g"
        $0.topics = [.init { $0.name = "t"; $0.partitions = [.init { $0.committedOffset = offset }] }]
    }
}

private let fetchAll = OffsetFetchRequest { $0.groups = [.init { $0.groupID = "g"; $0.topics = nil }] }

@Test func anOffsetIsShownOnceItIsDurable() throws {
    let disk = SlowDisk()
    let log = try TestLog { $0.fileOperations = disk.operations }
    let writer = try log.client(), reader = try log.client()
    try writer.createTopic("t")
    #expect(try writer.ask(commit(4)).topics[0].partitions[0].errorCode == .none)
    disk.hold()
    try writer.send(commit(5))
    disk.waitUntilASyncIsHeld()
    try reader.send(fetchAll)
    disk.release()
    let shown = try reader.receive(OffsetFetchRequest.self).response.groups[0].topics[0].partitions[0].committedOffset
    #expect(shown == 5)
    #expect(try writer.receive(OffsetCommitRequest.self).response.topics[0].partitions[0].errorCode == .none)
}

@Test func anOffsetThatWillNotBecomeDurableIsNeverShown() throws {
    let disk = SlowDisk()
    let log = try TestLog { $0.fileOperations = disk.operations }
    let writer = try log.client(), reader = try log.client()
    try writer.createTopic("t")
    #expect(try writer.ask(commit(4)).topics[0].partitions[0].errorCode == .none)
    disk.hold()
    try writer.send(commit(5))
    disk.waitUntilASyncIsHeld()
    try reader.send(fetchAll)
    // Of the requests of other connections this one is served after the fetch.
    _ = try log.client().ask(MetadataRequest())
    disk.release(broken: true)
    #expect(throws: ConnectionClosed.self) { try reader.receive(OffsetFetchRequest.self) }
    #expect(throws: ConnectionClosed.self) { try writer.receive(OffsetCommitRequest.self) }
}

@Test func aMemberOfAGroupThatIsGoneIsToldSoFromVersionNineOn() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    var request = commit(5)
    (request.generation, request.memberID) = (3, "m")
    #expect(try client.ask(request, version: 8).topics[0].partitions[0].errorCode == .illegalGeneration)
    #expect(try client.ask(request, version: 9).topics[0].partitions[0].errorCode == .groupIDNotFound)
    #expect(try client.ask(ListGroupsRequest()).groups.isEmpty)
}
