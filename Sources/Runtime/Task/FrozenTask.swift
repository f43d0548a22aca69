import KafkaClient
import State

/// What one task did in one epoch, taken from it when the epoch froze. The task goes on; this waits for the commit.
struct FrozenTask: Sendable {
    struct Output: Sendable {
        var topic: String
        var records: OutgoingRecords
        /// Where the buffer goes when the epoch is over.
        var spare: SpareRecords?
    }

    var task: TaskID
    var epoch: Int
    var partition: TopicPartition
    /// The next offset to read.
    var position: Int64
    /// By topic, the task's own; and those of the tasks above a shuffle (`UpstreamWatermarks`).
    var watermarks: [String: Int64]
    var ledger: Ledger
    var changes: ChangeSet
    /// Outputs by topic, in the order of the sinks.
    var outputs: [Output]
    var deadLetters: [DeadLetter]
    var rolled: [RolledRows]
    /// The oldest Kafka timestamp of each batch with its number of records: how long records took to become output.
    var ages: [(timestampMilliseconds: Int64, records: Int)]
    /// Goes into the delta's header.
    var extras: [String: String]
    /// The task takes no record after this one.
    var isReleased: Bool
}
