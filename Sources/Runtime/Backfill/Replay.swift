import KafkaClient

/// What a backfill reads, and what makes its output a function of that alone.
package struct Replay: Equatable, Sendable {
    /// The job whose history it is: begins the names of files.
    package var job: String
    /// The offsets to read, from the first to one past the last. Partitions that are not named are not read.
    package var ranges: [TopicPartition: Range<Int64>]
    /// Over all partitions; nil: as fast as it goes.
    package var recordsPerSecond: Int?
    /// Bytes of rows of one task and sink that wait for their file, beyond which the largest directory's become one.
    package var pendingBytesMax: Int

    /// Bytes for the rows of all tasks and sinks. A constant: with the daemon's memory it would be part of what decides on the
    /// files.
    private static let pendingBytesOfAll = 512 << 20
    private static let pendingBytesRange = (4 << 20)...(128 << 20)

    /// In the header of a task's last delta, which has no state: neither has the task after it.
    static let endKey = "replay.end"

    /// - Parameter parquetSinks: how many sinks write files.
    package init(job: String, ranges: [TopicPartition: Range<Int64>], recordsPerSecond: Int?, parquetSinks: Int) {
        self.job = job
        self.ranges = ranges
        self.recordsPerSecond = recordsPerSecond
        let share = Self.pendingBytesOfAll / max(1, ranges.count * parquetSinks)
        pendingBytesMax = min(max(share, Self.pendingBytesRange.lowerBound), Self.pendingBytesRange.upperBound)
    }

    /// Of all partitions, at most: control records count.
    var recordCount: Int64 { ranges.values.reduce(0) { $0 + Int64($1.count) } }

    /// The name of a file of `task`, the one numbered `number` of its sink.
    func fileName(_ task: TaskID, number: Int) -> String {
        let digits = String(number)
        return "\(job)-\(task.name)-\(String(repeating: "0", count: max(0, 6 - digits.count)))\(digits).parquet"
    }
}

extension RunMode {
    var replay: Replay? {
        if case .replay(let replay) = self { replay } else { nil }
    }

    /// The windows that are open at the end of the run are closed.
    var closesWindows: Bool {
        switch self {
        case .continuous: false
        case .untilEnd(let flush): flush
        case .replay: true
        }
    }
}
