import KafkaClient

/// `millrace log describe`: a topic's partitions and settings, or a group's members and offsets.
struct LogDescribeCommand {
    private let target: LogTarget
    private let output: Output
    private let name: String

    init(_ arguments: inout Arguments) throws(UsageError) {
        target = try LogTarget(&arguments)
        output = Output(isJSON: arguments.flag("--json"))
        name = try arguments.operand("topic or group")
    }

    func run() -> ExitCode {
        LogTarget.run(output) {
            let cluster = try target.lookUp()
            let topics = try cluster.topics(timeout: LogTarget.timeout)
            let isGroup = try cluster.groups(timeout: LogTarget.timeout).contains(name)
            if let count = topics[name] { try describeTopic(cluster, count) }
            if isGroup { try describeGroup(cluster) }
            guard topics[name] != nil || isGroup else {
                Program.finish(.failed, "millrace: there is neither a topic nor a group `\(name)`; see `millrace log topics` and `millrace log groups`\n")
            }
            return .done
        }
    }

    private func heading(_ text: String) {
        if !output.isJSON { output.line(text) }
    }

    private func describeTopic(_ cluster: ClusterLookUp, _ count: Int32) throws {
        let ends = try cluster.ends(of: (0..<count).map { TopicPartition(name, $0) }, timeout: LogTarget.timeout)
        let files = target.files()?[name] ?? []
        heading("topic \(name)")
        output.table(
            "partition",
            ends.map { end in
                let file = files.first { $0.name?.partition == end.partition.partition }
                return [
                    "topic": .text(name), "partition": .number(Int64(end.partition.partition)), "start": .number(end.start),
                    "end": .number(end.end), "last_stable": .number(end.lastStable), "bytes": file.map { .number($0.bytes) } ?? .none,
                    "segments": file.map { .number(Int64($0.segments.count)) } ?? .none,
                ]
            })
        heading("")
        let settings = try cluster.settings(of: [name], timeout: LogTarget.timeout)[name] ?? [:]
        output.table("setting", settings.sorted { $0.key < $1.key }.map { ["setting": .text($0.key), "value": .text($0.value)] })
    }

    private func describeGroup(_ cluster: ClusterLookUp) throws {
        guard let group = try cluster.describe(groups: [name], timeout: LogTarget.timeout).first else { return }
        if output.isJSON {
            output.object([
                ("type", .text("group")), ("group", .text(name)), ("state", .text(group.state)), ("assignor", .text(group.assignor)),
            ])
        } else {
            output.line("group \(name): \(group.state)\(group.assignor.isEmpty ? "" : ", \(group.assignor)")")
        }
        output.table(
            "member",
            group.members.map { member in
                [
                    "member": .text(member.id), "client": .text(member.clientID), "host": .text(member.host),
                    "instance": member.instanceID.map { .text($0) } ?? .none, "partitions": .list(member.partitions.map(\.description)),
                ]
            })
        if !group.members.isEmpty { heading("") }
        output.table(
            "offset",
            try GroupOffsets(of: name, in: cluster).rows.map { row in
                [
                    "topic": .text(row.partition.topic), "partition": .number(Int64(row.partition.partition)), "offset": .number(row.offset),
                    "last_stable": row.end.map { .number($0) } ?? .none, "lag": row.lag.map { .number($0) } ?? .none,
                    "metadata": row.metadata.isEmpty ? .none : .text(row.metadata),
                ]
            })
    }
}
