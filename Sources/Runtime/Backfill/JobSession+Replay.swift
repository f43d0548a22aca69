import JobFile
import KafkaClient
import State

/// What is different in a backfill's session.
extension JobSession {
    /// Records of partitions that have come to their ends, with which these are committed: a commit for each of many small ones would
    /// take longer than they do.
    private static let recordsACommitMax: Int64 = 250_000
    private static let commitsMin: Int64 = 16
    /// How often as many records as otherwise every worker has ahead before a commit, with which the job's thread is busy for a while.
    private static let timesAheadOfACommit: Int64 = 8

    /// A shuffle joins what all partitions have at a time: with one after the other it would have to keep everything.
    static func readsInTurn(_ mode: RunMode, _ plan: JobPlan) -> Bool { mode.replay != nil && plan.shuffles.isEmpty }

    static func readingOrder(_ mode: RunMode, _ plan: JobPlan, workers: Int) -> ReadingOrder? {
        guard readsInTurn(mode, plan), let replay = mode.replay else { return nil }
        return ReadingOrder(workers: workers, records: replay.recordCount)
    }

    private func left(of partition: TopicPartition) -> Int64 {
        owned[taskID(partition)].map { max(0, (ends?[partition] ?? 0) - $0.progress.position) } ?? 0
    }

    /// Begins what is to be read next.
    private func beginInTurn(times: Int64 = 1) throws(RuntimeFailure) {
        for partition in order?.next(times: times, left: left(of:)) ?? [] {
            guard let task = owned[taskID(partition)] else { continue }
            // One that was at its end before is not read at all.
            if let end = ends?[partition], task.start >= end { continue }
            let queue = workers[task.worker].queue
            try asking { () throws(KafkaClientError) in try self.consumer.begin(partition, at: task.start, on: queue) }
        }
    }

    /// Gives up the tasks that have come to their ends, where they close their windows, with a commit of their own, while the others are
    /// being read; ends the run when all have.
    func endInTurn(_ ends: [TopicPartition: Int64]) throws(RuntimeFailure) {
        let done = owned.filter { id, task in !ended.contains(id) && ends[task.partition].map { task.progress.position >= $0 } ?? false }
        if !done.isEmpty {
            let partitions = done.values.map(\.partition)
            try asking { () throws(KafkaClientError) in try self.consumer.end(partitions) }
            for partition in partitions { order?.remove(partition) }
            finished.formUnion(partitions)
            ended.formUnion(done.keys)
        }
        try beginInTurn()
        if finished.count == ends.count {
            report()
            isStopping = true
            rollsAll = true
            try drive(.stop)
        } else {
            let done = ended.reduce(Int64(0)) { sum, id in sum + (owned[id].map { $0.progress.position - $0.committed } ?? 0) }
            guard done >= min(Self.recordsACommitMax, (mode.replay?.recordCount ?? 0) / Self.commitsMin) else { return }
            try beginInTurn(times: Self.timesAheadOfACommit)
            try drive(.revoke(ended))
        }
    }

    /// The totals of a task with this epoch.
    func totals(after epoch: FrozenTask) -> ReplayTotals { totals[epoch.task, default: ReplayTotals()].adding(epoch) }

    /// The names of the file that `task`'s rolled rows at `position` become. A backfill numbers the files of a task and sink, so that
    /// they have the same names however often it was killed in between.
    func names(of position: Int, in task: PreparedTask) -> StagedFile {
        let content = task.content
        let rows = content.rolled[position]
        let replayed = mode.replay.map { replay in
            let before = content.rolled[..<position].count { $0.sink == rows.sink }
            return replay.fileName(content.task, number: totals[content.task, default: ReplayTotals()].files[rows.sink, default: 0] + before + 1)
        }
        return FilePublisher.names(
            rows, job: plan.name, task: content.task, epoch: content.epoch, delta: task.delta.id, number: position, published: replayed)
    }
}
