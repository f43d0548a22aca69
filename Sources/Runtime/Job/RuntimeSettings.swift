import JobFile
import State

/// What a job needs to know of the daemon that runs it.
package struct RuntimeSettings: Sendable {
    /// Names this instance among those of its jobs: the same after a restart, another one for another state directory.
    package var instance: String
    /// Local state, a cache: `<directory>/<job>/<task>`.
    package var stateDirectory: String
    /// Bytes of memory for the job: its state, and what grows with it.
    package var memory: MemoryShares
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
        memory = MemoryShares(all: stateMemory)
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

/// How a job's memory is divided. What does not grow with the state (the program, one batch a worker, RocksDB's tables in the making)
/// has the rest.
package struct MemoryShares: Sendable {
    package let all: Int

    package init(all: Int) { self.all = all }

    /// Of the tables and remembered ids of all tasks.
    package var tables: Int { all / 2 }
    /// Of the changes of one epoch of all tasks, those of windows and of ids each: with three quarters of it a commit is asked for, with all of it input waits for the commit. They are
    /// there twice: as they were made, and as a delta.
    var changes: Int { all / 4 }
    /// Bytes of a task's deltas with which RocksDB is brought up to date, so that a recovery has no more than those to take up. Of a small memory most is
    /// needed for other things.
    var deltas: Int { min(max((all - (12 << 20)) / 4, 1 << 20), 128 << 20) }
    /// Of the changes that are sorted at a time on their way to RocksDB.
    var run: Int { min(max(all / 64, 4 << 20), 64 << 20) }
    /// Of the records that are fetched ahead for each of `workers`; as much again is needed for looking after them.
    func prefetch(workers: Int) -> Int { min(max(all / 32 / max(workers, 1), 2 << 20), 64 << 20) }
    /// Of RocksDB's block cache.
    package static func cache(of memory: Int) -> Int { max(8 << 20, memory / 16) }
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
