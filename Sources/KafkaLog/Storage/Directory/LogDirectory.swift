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
    /// Producers that wrote nothing for so many milliseconds are forgotten (`producer.id.expiration.ms`).
    package var producerExpiration: Int64 = 86_400_000
    /// All topics by name.
    package internal(set) var topics: [String: Topic]

    let environment: LogEnvironment
    var checkpoints: [CheckpointFile.Key: PartitionCheckpoint]
    var partitions: [TopicPartition: PartitionLog] = [:]
    private var topicsByID: [TopicID: String]
    private var journals: [String: Journal] = [:]
    private var knownJournals: Set<String> = []
    private var participants: [UInt64: Participant] = [:]
    /// What would hold up the broker's thread and nobody waits for.
    let background: BackgroundQueue
    let checkpointWriter: Checkpoints
    var checkpointNumber: UInt64 = 0
    /// Partitions that the round of upkeep under way has still to look at.
    var unrefreshed: [PartitionLog] = []
    var unswept: [TopicPartition] = []
    /// When there will be something to do in a partition that is not open, milliseconds since 1970; as long as it stays closed.
    var closedDue: [TopicPartition: Int64] = [:]
    let cleaner: Cleaner
    /// The pass of the cleaner that is under way.
    var compacting: (log: PartitionLog, job: CompactionJob)?
    var compactionReports: [CompactionReport] = []
    /// The most bytes that the map of a pass may take.
    let compactionMemory: Int
    private var lock: DirectoryLock?
    private var isClosed = false

    private enum Participant {
        case partition(PartitionLog)
        case journal(Journal)
    }

    private static func lockFile(of path: String) -> String { "\(path)/lock" }

    /// Whether a process has the directory at `path` open now.
    package static func isInUse(_ path: String) -> Bool { DirectoryLock.isHeld(lockFile(of: path)) }

    /// Opens a directory, or makes it and those above it.
    /// - Parameters:
    ///   - nodeID: the broker's; has to be the one that it was made with.
    ///   - defaults: settings of topics where they do not say otherwise.
    ///   - clock: milliseconds since 1970.
    ///   - compactionMemory: the most bytes that the map of a pass of the cleaner may take; 24 and a quarter more for each key. Where that
    ///     is not enough it takes several passes.
    /// - Throws: `storageError` when another process has it, and when its files cannot be read.
    package init(
        path: String, nodeID: Int32, durability: Durability, defaults: LogConfiguration,
        clock: @escaping @Sendable () -> Int64, operations: FileOperations = .system, compactionMemory: Int = 64 << 20
    ) throws(StorageError) {
        try Directories.createWithParents(path)
        lock = try DirectoryLock(Self.lockFile(of: path))
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
            knownJournals = TopicFile.journals(lines)
        } else if !isNew {
            throw StorageError(.storageError, "\(path)/topics.meta is missing although there are partitions; restore it from a backup")
        }
        self.topics = topics
        topicsByID = Dictionary(uniqueKeysWithValues: topics.values.map { ($0.id, $0.name) })
        checkpoints = [:]
        let lines = try CheckedFile.readText("\(path)/checkpoints")
        if let lines { checkpoints = try CheckpointFile.decode(lines, path: "\(path)/checkpoints") }
        let environment = try LogEnvironment(operations: operations, durability: durability, clock: clock)
        self.environment = environment
        self.compactionMemory = compactionMemory
        background = try BackgroundQueue(name: "log-background")
        checkpointWriter = Checkpoints(path: "\(path)/checkpoints", operations: operations)
        cleaner = try Cleaner { [sync = environment.sync] in sync.wake() }
        do throws(StorageError) {
            // From here on a crash is possible.
            if lines == nil && !isNew { try guessCheckpoints() }
            if lines == nil || checkpoints.values.contains(where: \.isClean) {
                try writeCheckpoints(clean: false)
            }
            if isNew { try writeTopics() }
            try removeLeftovers()
        } catch {
            environment.sync.stop()
            throw error
        }
    }

    deinit {
        stopCompaction()
        environment.sync.stop()
        background.stop()
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
        closedDue[name] = nil
        // While it was closed nobody looked.
        log.expireProducers(after: producerExpiration)
        return log
    }

    /// The logs that have been opened.
    package var openPartitions: some Collection<PartitionLog> { partitions.values }

    /// Opens a journal and hands its live entries to `restore`, in the order in which they were last written. The same object after the
    /// first call; then nothing is handed over.
    /// - Throws: `storageError` when it is damaged.
    package func journal(_ name: String, restore: (JournalEntry) -> Void) throws(StorageError) -> Journal {
        if let journal = journals[name] { return journal }
        guard !knownJournals.contains(name) || Journal.exists(name, in: "\(path)/journals") else {
            throw StorageError(.storageError, "the journal \(name) is missing in \(path)/journals; restore it from a backup")
        }
        let journal = try Journal(name: name, in: "\(path)/journals", environment: environment)
        if knownJournals.insert(name).inserted { try writeTopics() }
        journals[name] = journal
        participants[journal.participantID] = .journal(journal)
        journal.entries.forEach(restore)
        return journal
    }

    func forget(_ log: PartitionLog) {
        log.cancelCompaction()
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
        takeCompactionSteps()
        progress.failure = environment.failure
        return progress
    }

    package var syncStatistics: SyncStatistics { environment.sync.statistics }

    /// What recovery and checks found since the last call.
    package func drainRecoveryEvents() -> [RecoveryEvent] { environment.drainRecoveryEvents() }

    /// Makes everything durable, notes that the partitions were closed in order and ends the sync thread. Nothing may be called after
    /// that but `drainRecoveryEvents` and `completeSyncs`.
    /// - Throws: `storageError`; the next start then recovers as after a crash.
    package func close() throws(StorageError) {
        guard !isClosed else { return }
        isClosed = true
        stopCompaction()
        requestSync()
        environment.sync.stop()
        background.stop()
        _ = completeSyncs()
        try environment.checkOnline()
        for journal in journals.values { try journal.close() }
        try closePartitions()
        noteCheckpoints()
        for log in partitions.values where log.damage == nil {
            guard let topic = topics[log.name.topic] else { continue }
            let key = CheckpointFile.Key(topic: topic.id, partition: log.name.partition)
            checkpoints[key]?.isClean = true
            checkpoints[key]?.byteCount = log.byteCount
        }
        try writeCheckpoints(clean: true)
        lock = nil
    }

    /// All partitions step by step, so that the disk has much to do at once.
    private func closePartitions() throws(StorageError) {
        let logs = partitions.values.filter { $0.damage == nil && !$0.isDeleted && !$0.isUntouched }
        var files: [LogFile] = []
        for log in logs { files += try log.prepareClose() }
        try synchronize(files)
        files = []
        for log in logs { files.append(try log.writeSnapshot()) }
        try synchronize(files)
        for log in logs { try environment.operations.synchronize(directory: log.directory) }
        for log in logs { log.didClose() }
    }

    private func synchronize(_ files: [LogFile]) throws(StorageError) {
        guard let failure = environment.operations.synchronize(files) else { return }
        environment.fail(failure)
        throw failure
    }

    // MARK: Topics' files

    func writeTopics() throws(StorageError) {
        try CheckedFile.replaceText(
            "\(path)/topics.meta", lines: TopicFile.encode(topics.values, journals: knownJournals), operations: environment.operations)
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

    /// Removes what is in `deleted/`, in the background. What is not removed now is at the next start.
    func removeDeleted() {
        let deleted = "\(path)/deleted"
        background.run {
            guard let names = try? Directories.list(deleted) else { return }
            for name in names { try? Directories.removeTree("\(deleted)/\(name)") }
        }
    }
}
