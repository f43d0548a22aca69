import KafkaClient

/// A cluster, for what is done to a group without being a member.
final class LiveGroupAdministrator: GroupAdministrator {
    private let cluster: ClusterLookUp
    private let administrator: AdminClient

    init(_ client: ClientConfiguration) throws(ConfigurationError) {
        cluster = try ClusterLookUp(client)
        administrator = try AdminClient(client)
    }

    func topics(timeout: Duration) throws(KafkaClientError) -> [String: Int32] { try cluster.topics(timeout: timeout) }

    func ends(of partitions: [TopicPartition], timeout: Duration) throws(KafkaClientError) -> [PartitionEnds] {
        try cluster.ends(of: partitions, timeout: timeout)
    }

    func offsets(at milliseconds: Int64, of partitions: [TopicPartition], timeout: Duration) throws(KafkaClientError) -> [Int64?] {
        try cluster.offsets(at: milliseconds, of: partitions, timeout: timeout)
    }

    func members(ofGroup group: String, timeout: Duration) throws(KafkaClientError) -> [String] {
        let found = try cluster.describe(groups: [group], timeout: timeout)
        return found.flatMap(\.members).map { "\($0.instanceID ?? $0.id) at \($0.host)" }
    }

    func committedOffsets(of group: String, stable: Bool, timeout: Duration) throws(KafkaClientError) -> [CommittedOffset] {
        try cluster.committedOffsets(of: group, stable: stable, timeout: timeout)
    }

    func setOffsets(_ offsets: [OffsetToCommit], ofGroup group: String, timeout: Duration) throws(KafkaClientError) {
        try administrator.setOffsets(offsets, ofGroup: group, timeout: timeout)
    }
}
