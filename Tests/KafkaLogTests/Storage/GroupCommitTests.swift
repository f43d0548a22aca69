import Foundation
import KafkaLogStorage
import Synchronization
import Testing

/// A disk whose syncs meet or fail when they are told to.
private final class Disk: @unchecked Sendable {
    private let condition = NSCondition()
    // Behind `condition`.
    private var expected = 0
    private var present = 0
    private var failing: Int32?

    /// From now on a sync ends only when so many have begun, or after two minutes.
    func meet(_ count: Int) {
        condition.withLock {
            expected = count
            present = 0
        }
    }

    /// From now on the syncs of this file fail.
    func fail(_ descriptor: Int32?) { condition.withLock { failing = descriptor } }

    /// How many syncs have begun since `meet`.
    var begun: Int { condition.withLock { present } }

    private(set) var lastDescriptor: Int32 = -1

    func synchronize(_ descriptor: Int32) throws(SystemError) {
        let isFailing = condition.withLock {
            lastDescriptor = descriptor
            present += 1
            condition.broadcast()
            let limit = Date(timeIntervalSinceNow: 120)
            while present < expected, condition.wait(until: limit) {}
            return descriptor == failing
        }
        if isFailing { throw SystemError(code: EIO) }
        try FileOperations.system.synchronize(descriptor)
    }
}

private func open(_ temporary: TemporaryDirectory, _ disk: Disk, partitions: Int32) throws -> LogDirectory {
    var operations = FileOperations.system
    operations.synchronize = { (descriptor) throws(SystemError) in try disk.synchronize(descriptor) }
    let directory = try LogDirectory(
        path: temporary.path + "/log", nodeID: 1, durability: .commit, defaults: LogConfiguration(), clock: { 1_700_000_000_000 },
        operations: operations)
    try directory.createTopic("many", partitions: partitions)
    return directory
}

private func append(_ directory: LogDirectory, _ partition: Int32) throws {
    var bytes = batch(["x"])
    _ = try bytes.withUnsafeMutableBytes { try directory.partition(TopicPartition("many", partition)).append($0) }
}

private func settle(_ directory: LogDirectory) throws -> SyncProgress {
    directory.requestSync()
    var descriptor = pollfd(fd: directory.completionDescriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&descriptor, 1, 60_000) == 1 else { throw TimedOut() }
    return directory.completeSyncs()
}

@Test func theFilesOfAGroupAreSyncedAtTheSameTime() throws {
    let temporary = TemporaryDirectory()
    let disk = Disk()
    let directory = try open(temporary, disk, partitions: 4)
    let began = ContinuousClock.now
    for round in 1...3 {
        for partition in 0..<4 { try append(directory, Int32(partition)) }
        disk.meet(4)
        let progress = try settle(directory)
        #expect(Set(progress.partitions.map(\.partition)) == [0, 1, 2, 3], "round \(round)")
        #expect(disk.begun == 4)
    }
    // One after the other each would have waited for the next one, in vain.
    #expect(ContinuousClock.now - began < .seconds(100))
    disk.meet(0)
    try directory.close()
}

@Test func moreFilesThanAreSyncedAtATimeAreAllSynced() throws {
    let temporary = TemporaryDirectory()
    let disk = Disk()
    let directory = try open(temporary, disk, partitions: 40)
    for partition in 0..<40 { try append(directory, Int32(partition)) }
    disk.meet(0)
    let progress = try settle(directory)
    #expect(progress.partitions.count == 40 && disk.begun == 40)
    try directory.close()
}

@Test func oneFileOfAGroupThatCannotBeSyncedKeepsTheWholeGroupUnacknowledged() throws {
    let temporary = TemporaryDirectory()
    let disk = Disk()
    let directory = try open(temporary, disk, partitions: 4)
    try append(directory, 2)
    _ = try settle(directory)
    disk.fail(disk.lastDescriptor)
    for partition in 0..<4 { try append(directory, Int32(partition)) }
    let progress = try settle(directory)
    #expect(progress.failure?.message.contains("many-2") == true)
    #expect(progress.partitions.isEmpty)
    for partition in 0..<4 {
        #expect(try directory.partition(TopicPartition("many", Int32(partition))).highWatermark == (partition == 2 ? 1 : 0))
    }
}
