import JobFile
import State

/// What a job needs to know of the daemon that runs it.
package struct RuntimeSettings: Sendable {
    /// Names this instance among those of its jobs: the same after a restart, another one for another state directory.
    package var instance: String
    /// Local state, a cache: `<directory>/<job>/<task>`.
    package var stateDirectory: String
    /// Bytes of memory for the state of all tasks of all jobs.
    package var stateMemory: Int
    package var storage: any CheckpointStorage
    /// Microseconds from commit to commit.
    package var interval: Int64
    /// Threads that run tasks.
    package var workers: Int
    /// `host:port,...`
    package var brokers: String
    /// The brokers are this process: missing source topics are created with the log's default partitions.
    package var isEmbedded: Bool
    /// A snapshot is taken after so many deltas of a task at the latest.
    package var deltasMax: Int
    /// What a worker takes out of an epoch that has ended before it goes on with the next batch: entries of state, and 256 bytes of them count
    /// as another.
    package var freezeSlice: Int
    /// Given to librdkafka under the job's own properties.
    package var properties: [String: String]
    /// Transforms and sinks whose state may be dropped if it does not fit the job file.
    package var droppableState: Set<String> = []
    /// Where the job starts, unless it has already.
    package var savepoint: SavepointStart?

    package init(
        instance: String, stateDirectory: String, stateMemory: Int, storage: any CheckpointStorage, interval: Int64, workers: Int,
        brokers: String, isEmbedded: Bool, deltasMax: Int = 1_000, freezeSlice: Int = 4_096,
        properties: [String: String] = [:]
    ) {
        self.instance = instance
        self.stateDirectory = stateDirectory
        self.stateMemory = stateMemory
        self.storage = storage
        self.interval = interval
        self.workers = workers
        self.brokers = brokers
        self.isEmbedded = isEmbedded
        self.deltasMax = deltasMax
        self.freezeSlice = freezeSlice
        self.properties = properties
    }
}

/// How long a job runs.
package enum RunMode: Equatable, Sendable {
    /// Until it is stopped.
    case continuous
    /// Up to the end offsets found at the start; then commit and stop. With `flush` the windows that are open then are
    /// closed as well.
    case untilEnd(flush: Bool)
    /// Over fixed offsets, from an empty state; then close the windows, commit and stop.
    case replay(Replay)
}
