import Glibc
import KafkaLogStorage
import Synchronization
import Testing

/// File operations that fail when they are told to.
private final class Faults: Sendable {
    private struct State {
        var room: Int?
        var failsWrite: Int32?
        var failsSync: Int32?
        var failsTruncate: Int32?
        var syncs = 0
    }

    private let state = Mutex(State())

    /// The disk takes so many bytes more.
    func setRoom(_ bytes: Int?) { state.withLock { $0.room = bytes } }
    func failWrites(_ code: Int32?) { state.withLock { $0.failsWrite = code } }
    func failSyncs(_ code: Int32?) { state.withLock { $0.failsSync = code } }
    func failTruncates(_ code: Int32?) { state.withLock { $0.failsTruncate = code } }
    var syncs: Int { state.withLock { $0.syncs } }

    var operations: FileOperations {
        var operations = FileOperations.system
        operations.write = { (descriptor, bytes, position) throws(SystemError) -> Int in
            let (code, room) = self.state.withLock { ($0.failsWrite, $0.room) }
            if let code { throw SystemError(code: code) }
            guard let room else { return try FileOperations.system.write(descriptor, bytes, position) }
            if room == 0 { throw SystemError(code: ENOSPC) }
            let part = UnsafeRawBufferPointer(rebasing: bytes.prefix(room))
            let written = try FileOperations.system.write(descriptor, part, position)
            self.state.withLock { $0.room = room - written }
            return written
        }
        operations.synchronize = { (descriptor) throws(SystemError) in
            let code = self.state.withLock { state in
                state.syncs += 1
                return state.failsSync
            }
            if let code { throw SystemError(code: code) }
            try FileOperations.system.synchronize(descriptor)
        }
        operations.truncate = { (descriptor, length) throws(SystemError) in
            if let code = self.state.withLock({ $0.failsTruncate }) { throw SystemError(code: code) }
            try FileOperations.system.truncate(descriptor, length)
        }
        return operations
    }
}

@Test func aFailedFsyncTakesTheDirectoryOutUntilRestart() throws {
    let temporary = TemporaryDirectory()
    let faults = Faults()
    do {
        let log = try TestLog(temporary.path, operations: faults.operations)
        let journal = try log.directory.journal("groups") { _ in }
        try log.append(batch(["durable"]))
        try log.settle()
        faults.failSyncs(EIO)
        try log.append(batch(["lost?"]))
        let progress = try log.settle()
        #expect(progress.failure?.code == .storageError && progress.partitions.isEmpty)
        #expect(try log.partition.highWatermark == 1)
        #expect(log.directory.failure?.message.contains("offline until restart") == true)
        // The disk is well again, and yet fsync is not asked again: it would answer for pages that are gone.
        faults.failSyncs(nil)
        let syncs = faults.syncs
        #expect(code { try log.append(batch(["more"])) } == .storageError)
        #expect(code { _ = try journal.append([JournalEntry(key: [1], value: [1])]) } == .storageError)
        #expect(code { _ = try log.directory.createTopic("new", partitions: 1) } == .storageError)
        #expect(code { try log.directory.checkpoint() } == .storageError)
        log.directory.requestSync()
        #expect(code { try log.directory.close() } == .storageError)
        #expect(faults.syncs == syncs)
        #expect(try log.partition.highWatermark == 1)
    }
    let again = try TestLog(temporary.path)
    #expect(try again.partition.highWatermark >= 1)
    try again.append(batch(["more"]))
    try again.settle()
}

@Test func aFullDiskRefusesAppendsAndGoesOnWhenThereIsRoom() throws {
    let temporary = TemporaryDirectory()
    let faults = Faults()
    let log = try TestLog(temporary.path, operations: faults.operations)
    var expected = placed(batch(["first"]), at: 0)
    try log.append(batch(["first"]))
    try log.settle()
    for room in [0, 1, 30, 61, 70] {
        faults.setRoom(room)
        #expect(code { try log.append(batch(["does not fit"], producer: 7, epoch: 0, sequence: 0)) } == .storageError)
        #expect(try contents(TestLog.segmentPath(temporary.path, 0)) == expected, "nothing is left of it")
    }
    #expect(log.directory.failure == nil)
    faults.setRoom(nil)
    let next = batch(["fits"], producer: 7, epoch: 0, sequence: 0)
    expected += placed(next, at: 1)
    #expect(try log.append(next).baseOffset == 1)
    try log.settle()
    #expect(try log.readAll() == expected)
}

@Test func shortWritesAreContinued() throws {
    let temporary = TemporaryDirectory()
    var operations = FileOperations.system
    operations.write = { (descriptor, bytes, position) throws(SystemError) -> Int in
        try FileOperations.system.write(descriptor, UnsafeRawBufferPointer(rebasing: bytes.prefix(7)), position)
    }
    let log = try TestLog(temporary.path, operations: operations)
    try log.append(batch(["a value of some length"]))
    try log.settle()
    #expect(try log.readAll() == placed(batch(["a value of some length"]), at: 0))
}

@Test func aFullDiskAtTheEndOfASegmentLeavesItUsable() throws {
    let temporary = TemporaryDirectory(inMemory: true)
    let faults = Faults()
    let log = try TestLog(temporary.path, operations: faults.operations) { $0.segmentBytes = 1024; $0.indexIntervalBytes = 100 }
    var count: Int64 = 0
    for room in 0..<400 {
        faults.setRoom(room)
        while count < 2000, code({ try log.append(batch(["value"])) }) == nil { count += 1 }
    }
    faults.setRoom(nil)
    for _ in 0..<100 {
        #expect(try log.append(batch(["value"])).baseOffset == count)
        count += 1
    }
    try log.settle()
    #expect(try headers(log.readAll()).map(\.baseOffset) == Array(0..<count))
    try log.directory.close()
    let again = try TestLog(temporary.path)
    #expect(try headers(again.readAll()).map(\.baseOffset) == Array(0..<count))
}

@Test func anErrorOfTheDiskThatIsNotLackOfRoomTakesTheDirectoryOut() throws {
    let temporary = TemporaryDirectory()
    let faults = Faults()
    let log = try TestLog(temporary.path, operations: faults.operations)
    faults.failWrites(EIO)
    #expect(code { try log.append(batch(["a"])) } == .storageError)
    faults.failWrites(nil)
    #expect(log.directory.failure != nil)
    #expect(code { try log.append(batch(["a"])) } == .storageError)
    #expect(log.directory.completeSyncs().failure != nil)
}

@Test func aFailedAppendThatCannotBeCutAwayTakesTheDirectoryOut() throws {
    let temporary = TemporaryDirectory()
    let faults = Faults()
    let log = try TestLog(temporary.path, operations: faults.operations)
    faults.setRoom(10)
    faults.failTruncates(EIO)
    #expect(code { try log.append(batch(["a"])) } == .storageError)
    #expect(log.directory.failure != nil)
}

@Test func oneSyncAnswersForAllThatWait() throws {
    let temporary = TemporaryDirectory()
    let faults = Faults()
    let log = try TestLog(temporary.path, operations: faults.operations)
    _ = try log.partition
    try log.append(batch(["first"]))
    try log.settle()
    let before = log.directory.syncStatistics
    for _ in 0..<100 { try log.append(batch(["a"])) }
    try log.settle()
    let after = log.directory.syncStatistics
    #expect(after.fileSyncs - before.fileSyncs == 1 && after.rounds - before.rounds == 1)
}
