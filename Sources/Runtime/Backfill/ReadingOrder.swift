import KafkaClient

/// In which order a backfill reads its partitions: each worker one after the other, so that what its records touch is one task's state
/// and not that of all of them, which the caches would not hold; and so that a task's windows are closed and its files written while
/// the next one is read.
package struct ReadingOrder {
    private static let aheadMax: Int64 = 1 << 15

    /// The next partition is begun before the last one is over, or the worker would wait for its first records: a worker has so many
    /// records to read in the partitions that are begun, as long as there are any.
    package let recordsAhead: Int64
    /// By worker; the first is the next.
    private var waiting: [[TopicPartition]]
    private var reading: [[TopicPartition]]

    /// - Parameter records: of all partitions.
    package init(workers: Int, records: Int64) {
        recordsAhead = min(Self.aheadMax, max(1, records / 16))
        waiting = Array(repeating: [], count: workers)
        reading = waiting
    }

    package mutating func add(_ partition: TopicPartition, worker: Int) {
        waiting[worker].append(partition)
    }

    /// It has been read to its end, or is nobody's here any more.
    package mutating func remove(_ partition: TopicPartition) {
        for worker in waiting.indices {
            waiting[worker].removeAll { $0 == partition }
            reading[worker].removeAll { $0 == partition }
        }
    }

    /// The partitions to begin now.
    /// - Parameters:
    ///   - times: how often as many as otherwise a worker is to have ahead.
    ///   - left: how many of a partition are still to be read.
    package mutating func next(times: Int64 = 1, left: (TopicPartition) -> Int64) -> [TopicPartition] {
        var next: [TopicPartition] = []
        for worker in waiting.indices {
            var ahead = reading[worker].reduce(0) { $0 + left($1) }
            while ahead < recordsAhead * times, !waiting[worker].isEmpty {
                let partition = waiting[worker].removeFirst()
                reading[worker].append(partition)
                next.append(partition)
                ahead += left(partition)
            }
        }
        return next
    }
}
