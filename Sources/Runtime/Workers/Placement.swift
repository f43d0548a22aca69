import KafkaClient

/// Which worker a task goes to: the heaviest first, each to the worker that has the least. A partition weighs what was ever written to
/// it, which tells the hot ones and, before a long catching up, the work that waits; results do not depend on it.
package struct Placement {
    /// Records of each partition; those that are not there weigh least.
    package var records: [TopicPartition: Int64] = [:]
    package let workers: Int

    package init(workers: Int) {
        precondition(workers > 0, "somebody has to do the work")
        self.workers = workers
    }

    /// - Parameter taken: the tasks that stay where they are.
    /// - Returns: an index below `workers` for each of `partitions`.
    package func place(_ partitions: [TopicPartition], beside taken: [(partition: TopicPartition, worker: Int)]) -> [TopicPartition: Int] {
        var loads = [Int64](repeating: 0, count: workers)
        for (partition, worker) in taken { loads[worker] += weight(partition) }
        var places: [TopicPartition: Int] = [:]
        for partition in partitions.sorted(by: { (weight($1), $0) < (weight($0), $1) }) {
            let least = loads.indices.min { loads[$0] < loads[$1] } ?? 0
            loads[least] += weight(partition)
            places[partition] = least
        }
        return places
    }

    /// Those without a record are spread, too.
    private func weight(_ partition: TopicPartition) -> Int64 { (records[partition] ?? 0) + 1 }
}
