/// Something whose appends become durable through the sync thread: a partition log or a journal.
protocol SyncParticipant: AnyObject {
    var participantID: UInt64 { get }
    /// What has to be synced since the last call; nil when there is nothing.
    func takeTicket() -> SyncTicket?
    /// Everything up to `position` is durable. Returns whether waiters have to be looked at.
    func didSync(to position: Int64) -> Bool
}

/// What all files of one directory share. Only the broker's thread touches it.
final class LogEnvironment {
    let operations: FileOperations
    let durability: Durability
    /// Milliseconds since 1970.
    let clock: @Sendable () -> Int64
    let sync: LogSync
    /// Set once fsync or a write has failed for good: nothing is written any more until restart.
    private(set) var failure: StorageError?
    private(set) var recoveryEvents: [RecoveryEvent] = []

    /// Files of dropped segments: they go once a checkpoint has the log start that they are before.
    var removals: [String] = []

    private var nextParticipantID: UInt64 = 0
    private var dirty: [any SyncParticipant] = []

    init(operations: FileOperations, durability: Durability, clock: @escaping @Sendable () -> Int64) throws(StorageError) {
        self.operations = operations
        self.durability = durability
        self.clock = clock
        let delay: Int
        if case .interval(let milliseconds) = durability { delay = milliseconds } else { delay = 0 }
        sync = try LogSync(operations: operations, delayMilliseconds: delay)
    }

    /// Appends are acknowledged without waiting for fsync.
    var acknowledgesAtOnce: Bool { durability != .commit }

    func checkOnline() throws(StorageError) {
        if let failure { throw failure }
    }

    /// Takes the directory out until restart.
    func fail(_ error: StorageError) {
        guard failure == nil else { return }
        failure = StorageError(
            .storageError, "the log directory is offline until restart, nothing was acknowledged after this: \(error.message)")
    }

    func report(_ event: RecoveryEvent) {
        recoveryEvents.append(event)
    }

    func drainRecoveryEvents() -> [RecoveryEvent] {
        defer { recoveryEvents.removeAll() }
        return recoveryEvents
    }

    func newParticipantID() -> UInt64 {
        nextParticipantID += 1
        return nextParticipantID
    }

    /// To be called by a participant at its first append since `takeTicket`.
    func markDirty(_ participant: any SyncParticipant) {
        dirty.append(participant)
    }

    func takeTickets() -> [SyncTicket] {
        defer { dirty.removeAll(keepingCapacity: true) }
        return dirty.compactMap { $0.takeTicket() }
    }
}
