import KafkaClient
import State

/// What a group's committed offset of one partition leads to in the checkpoint storage: enough to recover the task from.
package struct CommittedTask: Sendable {
    package var task: TaskID
    package var partition: TopicPartition
    /// The next offset to read.
    package var offset: Int64
    /// The delta that the offset names.
    package var tip: DeltaFile
    /// From the snapshot up to the tip, oldest first; empty when the snapshot is of the tip.
    package var deltas: [DeltaFile]
    /// The newest snapshot on the chain; nil when the chain goes back to the task's first epoch.
    package var snapshot: (reference: DeltaReference, name: String)?
}

/// What a job has in the checkpoint storage, from one look at its directory.
package struct CheckpointIndex: Sendable {
    private let job: String
    private let storage: any CheckpointStorage
    private var tasks: [DeltaReference: TaskID] = [:]
    private var snapshots: [TaskID: [DeltaReference: String]] = [:]
    /// The highest epoch that anything there is of; 0 when there is nothing.
    package private(set) var highestEpoch = 0

    package init(ofJob job: String, in storage: any CheckpointStorage) throws(StateError) {
        self.job = job
        self.storage = storage
        for object in try storage.list(job) {
            let parts = object.name.dropFirst(job.count + 1).split(separator: "/")
            guard parts.count > 1, let task = TaskID(name: parts[0]), let reference = DeltaChain.reference(of: parts[1]) else { continue }
            highestEpoch = max(highestEpoch, reference.epoch)
            if parts[1].hasSuffix(".delta") {
                tasks[reference] = task
            } else {
                snapshots[task, default: [:]][reference] = "\(job)/\(parts[0])/\(parts[1])"
            }
        }
    }

    /// The delta that a committed offset names.
    /// - Throws: `foreign` when the offset is not one of this job's commits, `missing` when its delta is not there.
    package func tip(of committed: CommittedOffset) throws(StateError) -> (task: TaskID, delta: DeltaFile) {
        guard let metadata = CommitMetadata(committed.metadata) else {
            throw StateError(
                .foreign, "group \(job), \(committed.partition)",
                "the committed offset \(committed.offset ?? -1) carries \"\(committed.metadata)\" instead of an epoch of this job",
                remedy: "somebody else has set it")
        }
        let reference = DeltaReference(epoch: metadata.epoch, id: metadata.delta)
        guard let task = tasks[reference], task.partition == committed.partition.partition else {
            throw StateError(
                .missing, "\(job), \(committed.partition)", "the delta of epoch \(reference.epoch) is committed and not in the checkpoint storage",
                remedy: "is `checkpoint.storage` the one that the job runs with? Otherwise restore it from a backup, or start from a savepoint")
        }
        return (task, try DeltaFile.load(reference, job: job, task: task, from: storage))
    }

    /// All that recovering the partition's task takes.
    package func committedTask(_ committed: CommittedOffset) throws(StateError) -> CommittedTask {
        let (task, tip) = try tip(of: committed)
        var found = CommittedTask(task: task, partition: committed.partition, offset: committed.offset ?? 0, tip: tip, deltas: [])
        var next: DeltaFile? = tip
        while let delta = next {
            if let name = snapshots[task]?[delta.header.reference] {
                found.snapshot = (delta.header.reference, name)
                break
            }
            found.deltas.append(delta)
            guard let parent = delta.header.parent else { break }
            if let name = snapshots[task]?[parent] {
                found.snapshot = (parent, name)
                break
            }
            next = try DeltaFile.load(parent, job: job, task: task, from: storage)
        }
        found.deltas.reverse()
        return found
    }
}

extension TaskID {
    /// Nil where `name` is not `<source>-<partition>`.
    package init?(name: some StringProtocol) {
        guard let dash = name.lastIndex(of: "-"), dash > name.startIndex, let partition = Int32(name[name.index(after: dash)...]),
            partition >= 0
        else { return nil }
        self.init(source: String(name[..<dash]), partition: partition)
    }
}
