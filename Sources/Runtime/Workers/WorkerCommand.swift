import KafkaClient

/// What the job's thread asks of a worker. Commands are done in order, between two batches.
enum WorkerCommand: Sendable {
    /// Runs the task from now on, and says so. Its partition is begun on the worker's queue only then.
    case adopt(TaskHandle, reply: Mailbox<TaskID>)
    /// Ends the open epoch: every changed task that has a part in it is frozen and sent to `reply`.
    case freeze(EpochEnd, reply: Mailbox<WorkerReply>)
    /// The home of the task is complete up to the epoch: what has not changed since may be evicted.
    case flushed(TaskID, epoch: Int)
    /// An idle partition adopts the watermark of the active ones.
    case advance(TaskID, watermark: Int64)
    /// The partition is read from this offset on: the one that was wanted is no longer there.
    case resume(TaskID, at: Int64)
    /// Closes every open window of these tasks, as if time went on for ever: the end of a bounded run.
    case closeWindows(of: Set<TaskID>)
    /// Forgets these tasks, and says so: what they did since the last commit is somebody else's to do again, and their local state
    /// may be opened anew.
    case drop(Set<TaskID>, reply: Mailbox<Int>)
    case stop
}

/// How an epoch ends, and whose.
struct EpochEnd: Sendable {
    var epoch: Int
    /// The tasks that have a part in it, of those of the worker; nil: all. The others go on in theirs.
    var tasks: Set<TaskID>?
    /// Leave the worker with it.
    var releasing: Set<TaskID>
    /// All of their rows become files.
    var rolling: Set<TaskID>
    /// Nothing comes after: what changed in their state is not taken out.
    var last: Set<TaskID>
}

enum WorkerReply: Sendable {
    /// The log does not have the offset that the partition is to be read from; nothing more comes from it.
    case outOfRange(TopicPartition, String)
    case froze(worker: Int, tasks: [FrozenTask])
    case failed(worker: Int, RuntimeFailure)
}

/// A task on its way to the worker that will run it.
///
/// Unchecked: the task is built by the job's thread, which keeps no reference and never touches it again once it is sent.
struct TaskHandle: @unchecked Sendable {
    let task: Task
}

/// Why a job cannot go on, or not now.
package struct RuntimeFailure: Error, Sendable, CustomStringConvertible {
    package enum Remedy: Sendable {
        /// Wait and start over from what is committed: a broker is away, a disk is full.
        case recover
        /// Nobody but an operator can help; starting over would end here again.
        case fail
    }

    package var remedy: Remedy
    package var description: String

    package init(remedy: Remedy, description: String) {
        self.remedy = remedy
        self.description = description
    }
}
