import KafkaClient
import Runtime

/// What an instance sees of the cluster without being a member.
final class SimulatedObserver: GroupObserver, @unchecked Sendable {
    private unowned let instance: Instance
    private var world: World { instance.world }

    init(_ instance: Instance) { self.instance = instance }

    private func asking<Answer>(_ what: String, _ answer: () throws(KafkaClientError) -> Answer) throws(KafkaClientError) -> Answer {
        let trouble = KafkaClientError(operation: what, code: -185, name: "_TIMED_OUT", text: "no answer", isRetriable: true)
        let fate = world.before(instance, "asks for \(what)")
        if case .refuse = fate { throw trouble }
        let answer = try answer()
        if !world.after(instance, fate) { throw trouble }
        return answer
    }

    func topics(timeout: Duration) throws(KafkaClientError) -> [String: Int32] {
        try asking("the topics") { () throws(KafkaClientError) in ["clicks": Int32(world.schedule.records.count)] }
    }

    func ends(of partitions: [TopicPartition], timeout: Duration) throws(KafkaClientError) -> [PartitionEnds] {
        try asking("the ends") { () throws(KafkaClientError) in
            partitions.map {
                let end = world.broker.end(of: $0)
                return PartitionEnds(partition: $0, start: 0, end: end, lastStable: end)
            }
        }
    }

    func offsets(at milliseconds: Int64, of partitions: [TopicPartition], timeout: Duration) throws(KafkaClientError) -> [Int64?] {
        preconditionFailure("the simulated job starts at the beginning")
    }

    func describe(groups: [String], timeout: Duration) throws(KafkaClientError) -> [GroupDescription] {
        try asking("the group's members") { () throws(KafkaClientError) in
            let members = world.broker.group.members.map { member in
                GroupDescription.Member(
                    id: "\(member.id)", clientID: "", host: "", instanceID: "\(World.plan.name)-\(member.consumer.instance.name)", partitions: [])
            }
            return [GroupDescription(name: groups.first ?? "", state: "Stable", assignor: "", members: members)]
        }
    }

    func committedOffsets(of group: String, stable: Bool, timeout: Duration) throws(KafkaClientError) -> [CommittedOffset] {
        try asking("the committed offsets") { () throws(KafkaClientError) in
            let partitions = world.schedule.records.indices.map { TopicPartition("clicks", Int32($0)) }
            guard !stable || !world.broker.hasPendingOffsets(partitions) else {
                throw KafkaClientError(
                    operation: "look up offsets", code: 88, name: "UNSTABLE_OFFSET_COMMIT", text: "a transaction is open", isRetriable: true)
            }
            return world.broker.committed.values.sorted { $0.partition < $1.partition }
        }
    }
}
