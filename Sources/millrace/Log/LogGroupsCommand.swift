import KafkaClient

/// `millrace log groups`: what consumer groups there are.
struct LogGroupsCommand {
    private let target: LogTarget
    private let output: Output

    init(_ arguments: inout Arguments) throws(UsageError) {
        target = try LogTarget(&arguments)
        output = Output(isJSON: arguments.flag("--json"))
        guard try arguments.operands().isEmpty else { throw UsageError("log groups takes no operand") }
    }

    func run() -> ExitCode {
        LogTarget.run(output) {
            let cluster = try target.lookUp()
            let groups = try cluster.describe(groups: cluster.groups(timeout: LogTarget.timeout), timeout: LogTarget.timeout)
            output.table(
                "group",
                try groups.map { group in
                    let offsets = try GroupOffsets(of: group.name, in: cluster)
                    let topics = Set(offsets.rows.map(\.partition.topic) + group.members.flatMap { $0.partitions.map(\.topic) })
                    return [
                        "group": .text(group.name), "state": .text(group.state), "members": .number(Int64(group.members.count)),
                        "topics": .list(topics.sorted()), "lag": offsets.lag.map { .number($0) } ?? .none,
                    ]
                })
            return .done
        }
    }
}

/// What a group has committed, and how far that is behind.
struct GroupOffsets {
    struct Row {
        let partition: TopicPartition
        let offset: Int64
        let metadata: String
        /// The last stable offset; nil when the partition is gone.
        let end: Int64?
        /// Offsets from the committed one to the last stable.
        var lag: Int64? { end.map { max(0, $0 - offset) } }
    }

    let rows: [Row]

    init(of group: String, in cluster: ClusterLookUp) throws {
        let committed = try cluster.committedOffsets(of: group, timeout: LogTarget.timeout)
        let topics = try cluster.topics(timeout: LogTarget.timeout)
        let there = committed.map(\.partition).filter { $0.partition < topics[$0.topic] ?? 0 }
        let ends = try cluster.ends(of: there, timeout: LogTarget.timeout)
        let stable = Dictionary(uniqueKeysWithValues: ends.map { ($0.partition, $0.lastStable) })
        rows = committed.map { committed in
            // Some clients commit the end of their C string with it.
            let metadata = committed.metadata.hasSuffix("\0") ? String(committed.metadata.dropLast()) : committed.metadata
            return Row(partition: committed.partition, offset: committed.offset ?? 0, metadata: metadata, end: stable[committed.partition])
        }
    }

    /// Of all partitions; nil when nothing is committed.
    var lag: Int64? { rows.isEmpty ? nil : rows.reduce(0) { $0 + ($1.lag ?? 0) } }
}
