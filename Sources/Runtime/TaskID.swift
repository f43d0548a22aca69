/// One partition of one of a job's sources: the unit of work, of state and of movement between instances.
package struct TaskID: Hashable, Comparable, Sendable {
    /// The source's name in the job file.
    package var source: String
    package var partition: Int32

    package init(source: String, partition: Int32) {
        self.source = source
        self.partition = partition
    }

    /// The task's name in logs and its directory below the job's: `clicks-3`.
    package var name: String { "\(source)-\(partition)" }

    package static func < (left: TaskID, right: TaskID) -> Bool {
        (left.source, left.partition) < (right.source, right.partition)
    }
}
