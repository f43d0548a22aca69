/// What `completeSyncs` found.
package struct SyncProgress: Sendable {
    /// Partitions whose high watermark moved.
    package var partitions: [TopicPartition] = []
    /// Journals whose durable sequence moved.
    package var journals: [String] = []
    /// Set once writing or fsync has failed for good: nothing that waits will ever be acknowledged, nothing is taken until restart.
    package var failure: StorageError?

    package init() {}
}

/// The directory that holds a broker's whole state: topics, partition logs, coordinators' journals. One process at a time.
///
///     lock   cluster.meta   topics.meta   checkpoints
///     topics/<topic>-<partition>/   segments, indexes, snapshots
///     journals/<name>.journal
///     deleted/   what is being removed
///
/// Not thread-safe: all calls come from the broker's thread. The loop calls `requestSync` once after each round of appends, waits for
/// `completionDescriptor` in `epoll`, and calls `completeSyncs` when it is readable.
package final class LogDirectory {
    package let path: String
    /// 22 characters that this directory got when it was made.
    package let clusterID: String
    package let nodeID: Int32
    /// Settings of topics where they do not say otherwise.
    package let defaults: LogConfiguration
    /// All topics by name.
    package internal(set) var topics: [String: Topic]

    let environment: LogEnvironment
    var checkpoints: [CheckpointFile.Key: PartitionCheckpoint]
    var partitions: [TopicPartition: PartitionLog] = [:]
    private var topicsByID: [TopicID: String]
    private var journals: [String: Journal] = [:]
    private var participants: [UInt64: Participant] = [:]
    private var lock: DirectoryLock?
    private var isClosed = false

    private enum Participant {
        case partition(PartitionLog)
        case journal(Journal)
    }

    /// Opens a directory, or makes it and those above it.
    /// - Parameters:
    ///   - nodeID: the broker's; has to be the one that it was made with.
    ///   - defaults: settings of topics where they do not say otherwise.
    ///   - clock: milliseconds since 1970.
    /// - Throws: `storageError` when another process has it, and when its files cannot be read.
    package init(
        path: String, nodeID: Int32, durability: Durability, defaults: LogConfiguration,
        clock: @escaping @Sendable () -> Int64, operations: FileOperations = .system
    ) throws(StorageError) {
        try Directories.createWithParents(path)
        lock = try DirectoryLock("\(path)/lock")
        let missing = ["topics", "journals", "deleted"].filter { !Directories.exists("\(path)/\($0)") }
        for name in missing { try Directories.create("\(path)/\(name)") }
        if !missing.isEmpty { try Directories.synchronize(path) }
        self.path = path
        self.nodeID = nodeID
        self.defaults = defaults
        let isNew = try Directories.list("\(path)/topics").isEmpty && !Directories.exists("\(path)/topics.meta")
        clusterID = try ClusterFile.open("\(path)/cluster.meta", nodeID: nodeID, isNew: isNew, operations: operations).clusterID
        var topics: [String: Topic] = [:]
        if let lines = try CheckedFile.readText("\(path)/topics.meta") {
            for topic in try TopicFile.decode(lines, path: "\(path)/topics.meta") { topics[topic.name] = topic }
        } else if !isNew {
            throw StorageError(.storageError, "\(path)/topics.meta is missing although there are partitions; restore it from a backup")
        }
        self.topics = topics
        topicsByID = Dictionary(uniqueKeysWithValues: topics.values.map { ($0.id, $0.name) })
        checkpoints = [:]
        if let lines = try CheckedFile.readText("\(path)/checkpoints") {
            checkpoints = try CheckpointFile.decode(lines, path: "\(path)/checkpoints")
        }
        environment = try LogEnvironment(operations: operations, durability: durability, clock: clock)
        do throws(StorageError) {
            // From here on a crash is possible.
            if checkpoints.values.contains(where: \.isClean) { try writeCheckpoints(clean: false) }
            if isNew { try writeTopics() }
            try removeLeftovers()
        } catch {
            environment.sync.stop()
            throw error
        }
    }

    deinit {
        environment.sync.stop()
    }

    /// Why nothing is taken any more, if so: writing or fsync has failed for good.
    package var failure: StorageError? { environment.failure }

    package func topic(_ id: TopicID) -> Topic? {
        topicsByID[id].flatMap { topics[$0] }
    }

    /// The settings that count for a topic.
    package func configuration(of topic: Topic) throws(StorageError) -> LogConfiguration {
        var configuration = defaults
        for (name, value) in topic.overrides { try configuration.set(name, to: value) }
        return configuration
    }

    func directory(_ name: TopicPartition) -> String { "\(path)/topics/\(name)" }

    // MARK: Partitions and journals

    /// A partition's log. Opened at the first call, and recovered then if need be; the same object after that.
    /// - Throws: `unknownTopicOrPartition`; `storageError` when its files cannot be read.
    package func partition(_ name: TopicPartition) throws(StorageError) -> PartitionLog {
        if let log = partitions[name] { return log }
        guard let topic = topics[name.topic], name.partition >= 0, name.partition < topic.partitionCount else {
            throw StorageError(.unknownTopicOrPartition, "there is no partition \(name)")
        }
        let key = CheckpointFile.Key(topic: topic.id, partition: name.partition)
        var recovery = PartitionRecovery(
            name: name, directory: directory(name), configuration: try configuration(of: topic), environment: environment,
            checkpoint: checkpoints[key] ?? PartitionCheckpoint())
        let log = try recovery.open()
        partitions[name] = log
        participants[log.participantID] = .partition(log)
        checkpoints[key]?.isClean = false
        return log
    }

    /// The logs that have been opened.
    package var openPartitions: some Collection<PartitionLog> { partitions.values }

    /// Opens a journal and hands its live entries to `restore`, in the order in which they were last written. The same object after the
    /// first call; then nothing is handed over.
    /// - Throws: `storageError` when it is damaged.
    package func journal(_ name: String, restore: (JournalEntry) -> Void) throws(StorageError) -> Journal {
        if let journal = journals[name] { return journal }
        let journal = try Journal(name: name, in: "\(path)/journals", environment: environment)
        journals[name] = journal
        participants[journal.participantID] = .journal(journal)
        journal.entries.forEach(restore)
        return journal
    }

    func forget(_ log: PartitionLog) {
        log.isDeleted = true
        partitions[log.name] = nil
        participants[log.participantID] = nil
    }

    // MARK: Durability

    /// Hands what was appended since the last call to the sync thread. Cheap when nothing was.
    package func requestSync() {
        environment.sync.request(environment.takeTickets())
    }

    /// Readable when `completeSyncs` has something to do. Stays the same.
    package var completionDescriptor: Int32 { environment.sync.completionDescriptor }

    /// Advances high watermarks and journals by what is durable now.
    package func completeSyncs() -> SyncProgress {
        var progress = SyncProgress()
        for completion in environment.sync.drainCompleted() {
            if let failure = completion.failure {
                environment.fail(failure)
                continue
            }
            switch participants[completion.participant] {
            case .partition(let log): if log.didSync(to: completion.position) { progress.partitions.append(log.name) }
            case .journal(let journal): if journal.didSync(to: completion.position) { progress.journals.append(journal.name) }
            case nil: break
            }
        }
        progress.failure = environment.failure
        return progress
    }

    package var syncStatistics: SyncStatistics { environment.sync.statistics }

    /// What recovery and checks found since the last call.
    package func drainRecoveryEvents() -> [RecoveryEvent] { environment.drainRecoveryEvents() }

    // MARK: Upkeep

    /// Writes how far each partition is on disk, so that the next start has less to read; and the indexes, so that it need not make them
    /// again. Every minute or so.
    package func checkpoint() throws(StorageError) {
        try environment.checkOnline()
        for log in partitions.values where log.damage == nil { try log.active.refreshIndexes() }
        noteCheckpoints()
        try writeCheckpoints(clean: false)
    }

    func noteCheckpoints() {
        // A damaged partition keeps its old one: that is what the damage is measured by.
        for log in partitions.values where log.damage == nil {
            guard let topic = topics[log.name.topic] else { continue }
            checkpoints[CheckpointFile.Key(topic: topic.id, partition: log.name.partition)] = PartitionCheckpoint(
                logStart: log.logStartOffset, recoveryPoint: log.syncedOffset)
        }
    }

    /// While the directory is open no partition is said to be clean: any of them may be opened and written to.
    private func writeCheckpoints(clean: Bool) throws(StorageError) {
        let checkpoints = clean ? checkpoints : checkpoints.mapValues { PartitionCheckpoint(logStart: $0.logStart, recoveryPoint: $0.recoveryPoint) }
        try CheckedFile.replaceText(
            "\(path)/checkpoints", lines: CheckpointFile.encode(checkpoints), operations: environment.operations)
    }

    /// Moves the log start of a partition to `offset`; -1 is the high watermark. Durable when it returns. Returns the new log start.
    /// - Throws: `offsetOutOfRange` above the high watermark.
    package func deleteRecords(_ name: TopicPartition, before offset: Int64) throws(StorageError) -> Int64 {
        let log = try partition(name)
        try log.deleteRecords(before: offset)
        noteCheckpoints()
        try writeCheckpoints(clean: false)
        return log.logStartOffset
    }

    /// Drops what is older or larger than configured, and producers that wrote nothing for `producerExpiration` milliseconds, in the
    /// partitions that are open. Every few minutes. One that fails does not keep the others; the first error is thrown at the end.
    package func applyRetention(producerExpiration: Int64 = 86_400_000) throws(StorageError) {
        var failure: StorageError?
        for log in partitions.values where log.damage == nil {
            do throws(StorageError) {
                try log.applyRetention()
                log.expireProducers(after: producerExpiration)
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }

    /// Makes everything durable, notes that the partitions were closed in order and ends the sync thread. Nothing may be called after
    /// that but `drainRecoveryEvents` and `completeSyncs`.
    /// - Throws: `storageError`; the next start then recovers as after a crash.
    package func close() throws(StorageError) {
        guard !isClosed else { return }
        isClosed = true
        requestSync()
        environment.sync.stop()
        _ = completeSyncs()
        try environment.checkOnline()
        for journal in journals.values { try journal.close() }
        for log in partitions.values { try log.close() }
        noteCheckpoints()
        for log in partitions.values where log.damage == nil {
            guard let topic = topics[log.name.topic] else { continue }
            checkpoints[CheckpointFile.Key(topic: topic.id, partition: log.name.partition)]?.isClean = true
        }
        try writeCheckpoints(clean: true)
        lock = nil
    }

    // MARK: Topics' files

    func writeTopics() throws(StorageError) {
        try CheckedFile.replaceText(
            "\(path)/topics.meta", lines: TopicFile.encode(topics.values), operations: environment.operations)
        topicsByID = Dictionary(uniqueKeysWithValues: topics.values.map { ($0.id, $0.name) })
    }

    /// Directories of partitions that no topic has: their topic was not made, or not deleted, to the end.
    private func removeLeftovers() throws(StorageError) {
        let wanted = Set(topics.values.flatMap { topic in (0..<topic.partitionCount).map { TopicPartition(topic.name, $0).description } })
        for name in try Directories.list("\(path)/topics") where !wanted.contains(name) {
            try Directories.rename("\(path)/topics/\(name)", to: "\(path)/deleted/\(TopicID.random())")
        }
        for key in Array(checkpoints.keys) {
            if let topic = topic(key.topic), key.partition < topic.partitionCount { continue }
            checkpoints[key] = nil
        }
        removeDeleted()
    }

    /// Removes what is in `deleted/`, on the sync thread. What is not removed now is at the next start.
    func removeDeleted() {
        let deleted = "\(path)/deleted"
        environment.sync.runInBackground {
            guard let names = try? Directories.list(deleted) else { return }
            for name in names { try? Directories.removeTree("\(deleted)/\(name)") }
        }
    }
}
