extension LogDirectory {
    /// Notes how far each partition is on disk, so that the next start has less to read; and the indexes, so that it need not make them again.
    /// Every minute or so. The writing is done in the background; what went wrong with it is thrown by the next call.
    /// - Parameter limit: how many partitions to look at.
    /// - Returns: whether some are left: call it again soon.
    @discardableResult
    package func checkpoint(limit: Int = .max) throws(StorageError) -> Bool {
        try environment.checkOnline()
        if unrefreshed.isEmpty { unrefreshed = partitions.values.filter { $0.damage == nil } }
        for log in unrefreshed.suffix(limit) where !log.isDeleted && log.damage == nil { try log.active.refreshIndexes() }
        unrefreshed.removeLast(min(limit, unrefreshed.count))
        guard unrefreshed.isEmpty else { return true }
        writeCheckpointsInBackground()
        if let failure = checkpointWriter.takeFailure() { throw failure }
        return false
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
    func writeCheckpoints(clean: Bool) throws(StorageError) {
        checkpointNumber += 1
        try checkpointWriter.write(clean ? checkpoints : unclean, number: checkpointNumber, thenRemove: takeRemovals())
    }

    /// The file is gone: everything will be read again. Where logs begin is told by their segments; no other word of that is left.
    func guessCheckpoints() throws(StorageError) {
        for topic in topics.values {
            for partition in 0..<topic.partitionCount {
                let directory = directory(TopicPartition(topic.name, partition))
                guard Directories.exists(directory) else { continue }
                let first = try SegmentFacts.list(directory).segments.first?.base ?? 0
                checkpoints[CheckpointFile.Key(topic: topic.id, partition: partition)] = PartitionCheckpoint(logStart: first)
            }
        }
        environment.report(
            RecoveryEvent(
                kind: .rebuilt, path: "\(path)/checkpoints", offset: 0, position: 0, bytes: 0,
                reason: "it is missing: all segments are gone over, and records that were deleted but not removed are there again"))
    }

    private func writeCheckpointsInBackground() {
        noteCheckpoints()
        checkpointNumber += 1
        background.run { [writer = checkpointWriter, snapshot = unclean, number = checkpointNumber, removals = takeRemovals()] in
            writer.tryWrite(snapshot, number: number, thenRemove: removals)
        }
    }

    private var unclean: Checkpoints.Snapshot {
        checkpoints.mapValues { PartitionCheckpoint(logStart: $0.logStart, recoveryPoint: $0.recoveryPoint) }
    }

    private func takeRemovals() -> [String] {
        defer { environment.removals = [] }
        return environment.removals
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

    /// Drops what is older or larger than configured, closes segments that were written to for long enough, and forgets producers that wrote
    /// nothing for long. Every few minutes. A partition that is not open is opened when its files say that there is something to do. One that
    /// fails does not keep the others; the first error is thrown at the end.
    /// - Parameter limit: how much to do: one for a partition that is looked at, more for one that is opened.
    /// - Returns: whether some are left: call it again soon.
    @discardableResult
    package func applyRetention(limit: Int = .max) throws(StorageError) -> Bool {
        if unswept.isEmpty {
            unswept = topics.values.flatMap { topic in (0..<topic.partitionCount).map { TopicPartition(topic.name, $0) } }
        }
        var failure: StorageError?
        var left = limit
        while left > 0, let name = unswept.popLast() {
            left -= 1
            do throws(StorageError) {
                if partitions[name] == nil {
                    guard try isDue(name) else { continue }
                    left -= Self.costOfOpening
                }
                try applyRetention(to: partition(name))
            } catch {
                failure = failure ?? error
            }
        }
        if !environment.removals.isEmpty { writeCheckpointsInBackground() }
        if let failure { throw failure }
        return !unswept.isEmpty
    }

    private static let costOfOpening = 20

    private func applyRetention(to log: PartitionLog) throws(StorageError) {
        guard log.damage == nil else { return }
        try log.applyRetention()
        log.expireProducers(after: producerExpiration)
    }

    /// The same for the open partitions of one topic, after its settings have changed.
    func applyRetention(toTopic name: String) throws(StorageError) {
        for log in partitions.values where log.name.topic == name { try applyRetention(to: log) }
        if !environment.removals.isEmpty { writeCheckpointsInBackground() }
    }

    /// Whether there is something to do in a partition that is not open.
    private func isDue(_ name: TopicPartition) throws(StorageError) -> Bool {
        guard let topic = topics[name.topic] else { return false }
        let now = environment.clock()
        if let due = closedDue[name] { return due <= now }
        let key = CheckpointFile.Key(topic: topic.id, partition: name.partition)
        let facts = try SegmentFacts.list(directory(name))
        let due = try facts.nextUpkeep(
            configuration(of: topic), logStart: checkpoints[key]?.logStart ?? 0, now: now)
        closedDue[name] = due
        return due <= now
    }
}
