import Parquet
import State
import Synchronization

/// A task's part of an epoch, with what preparing added.
struct PreparedTask: Sendable {
    var content: FrozenTask
    var delta: DeltaReference
    var files: [StagedFile] = []
    var deltaBytes = 0
    var isStored = false
}

/// Makes what tasks did in an epoch durable before its commit: any thread, one task a call.
struct EpochPreparation: Sendable {
    /// What one call prepares.
    struct Part: Sendable {
        var task: PreparedTask
        /// The task's newest committed delta.
        var parent: DeltaReference?
        /// Of the files that its rolled rows become, in their order.
        var names: [StagedFile]
        /// For the delta's header.
        var extras: [String: String]
    }

    let job: String
    let files: any FileStore
    let storage: any CheckpointStorage
    let metrics: JobMetrics
    let buffers: SpareBuffers

    /// - Returns: the task with what was done, also of an attempt that failed: the next one goes on there.
    func prepare(_ part: Part) -> (task: PreparedTask, failure: String?) {
        var task = part.task
        let id = task.content.task
        var clock = ProcessorClock()
        do {
            for (rows, names) in zip(task.content.rolled, part.names).dropFirst(task.files.count) {
                task.files.append(try files.stage(rows, as: names))
            }
            clock.lap(metrics.files)
            var bytes = buffers.take()
            defer { buffers.give(bytes) }
            // Mostly hashes and numbers: a higher level costs time and saves next to nothing.
            DeltaFile.encode(header(of: task, part), task.content.changes, level: -5, into: &bytes)
            clock.lap(metrics.delta)
            try storage.put(bytes, as: DeltaChain.name(task.delta, job: job, task: id))
            clock.lap(metrics.storage)
            task.deltaBytes = bytes.count
            task.isStored = true
            return (task, nil)
        } catch {
            return (task, "\(error)")
        }
    }

    private func header(of task: PreparedTask, _ part: Part) -> DeltaHeader {
        let content = task.content
        var header = DeltaHeader(job: job, task: content.task.name, reference: task.delta, parent: part.parent)
        header.positions = [
            .init(topic: content.partition.topic, partition: content.partition.partition, offset: content.position)
        ]
        header.watermarks = content.watermarks
        header.counts.consumed = Int64(content.ledger.consumed)
        header.counts.aggregated = Int64(content.ledger.aggregated)
        header.counts.filtered = Int64(content.ledger.filtered)
        header.counts.duplicate = Int64(content.ledger.duplicate)
        for reason in DeadLetterReason.allCases where content.ledger[reason] > 0 {
            header.counts.deadLettered[reason.rawValue] = Int64(content.ledger[reason])
        }
        header.files = task.files.map {
            .init(stagingName: $0.staging, finalName: $0.final, bytes: Int64($0.bytes), rows: Int64($0.rows))
        }
        header.extras = part.extras
        return header
    }
}

/// Memory of deltas that have been written, for the next ones: given back to the system, it would be zeroed for each again.
final class SpareBuffers: Sendable {
    private let spare = Mutex<[[UInt8]]>([])

    func take() -> [UInt8] { spare.withLock { $0.popLast() ?? [] } }

    func give(_ buffer: consuming [UInt8]) {
        let buffer = buffer
        spare.withLock { $0.append(buffer) }
    }
}
