import CRdKafka
import Glibc

/// The ends of a partition, as a cluster tells them.
package struct PartitionEnds: Sendable, Equatable {
    package var partition: TopicPartition
    /// The first offset that is there.
    package var start: Int64
    /// One past the last record (the high watermark).
    package var end: Int64
    /// One past the last record of a decided transaction.
    package var lastStable: Int64

    package init(partition: TopicPartition, start: Int64, end: Int64, lastStable: Int64) {
        self.partition = partition
        self.start = start
        self.end = end
        self.lastStable = lastStable
    }
}

/// A group that the cluster knows.
package struct GroupDescription: Sendable, Equatable {
    package struct Member: Sendable, Equatable {
        package var id: String
        package var clientID: String
        package var host: String
        /// Of a static member (KIP-345).
        package var instanceID: String?
        package var partitions: [TopicPartition]

        package init(id: String, clientID: String, host: String, instanceID: String?, partitions: [TopicPartition]) {
            self.id = id
            self.clientID = clientID
            self.host = host
            self.instanceID = instanceID
            self.partitions = partitions
        }
    }

    package var name: String
    /// `Stable`, `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Dead`, or `Unknown`.
    package var state: String
    /// How it assigns partitions; empty without members.
    package var assignor: String
    package var members: [Member]

    package init(name: String, state: String, assignor: String, members: [Member]) {
        self.name = name
        self.state = state
        self.assignor = assignor
        self.members = members
    }
}

/// Looks at the topics and groups of a cluster; changes nothing, and creates no topic by asking for it.
package final class ClusterLookUp: Sendable {
    /// Answers about ends depend on the isolation level, which belongs to a client.
    private let committed: ClientHandle
    private let uncommitted: ClientHandle

    package init(_ configuration: ClientConfiguration) throws(ConfigurationError) {
        committed = try Self.client(configuration, isolation: "read_committed")
        uncommitted = try Self.client(configuration, isolation: "read_uncommitted")
    }

    private static func client(_ configuration: ClientConfiguration, isolation: String) throws(ConfigurationError) -> ClientHandle {
        let properties = Properties()
        try properties.set("allow.auto.create.topics", "false")
        try properties.set("isolation.level", isolation)
        try properties.apply(configuration)
        // A consumer instance, since a producer's would ask brokers to create topics. It joins no group.
        return try ClientHandle(RD_KAFKA_CONSUMER, properties, configuration.log)
    }

    /// All topics with their partition counts.
    package func topics(timeout: Duration) throws(KafkaClientError) -> [String: Int32] {
        try committed.topics(timeout)
    }

    /// The ends of partitions, in the given order.
    package func ends(of partitions: [TopicPartition], timeout: Duration) throws(KafkaClientError) -> [PartitionEnds] {
        if partitions.isEmpty { return [] }
        let starts = try offsets(Int64(RD_KAFKA_OFFSET_BEGINNING), of: partitions, committed, timeout)
        let ends = try offsets(Int64(RD_KAFKA_OFFSET_END), of: partitions, uncommitted, timeout)
        let stable = try offsets(Int64(RD_KAFKA_OFFSET_END), of: partitions, committed, timeout)
        return partitions.indices.map { PartitionEnds(partition: partitions[$0], start: starts[$0], end: ends[$0], lastStable: stable[$0]) }
    }

    /// For each partition, in the given order, the offset of the first record whose Kafka timestamp is at or after the time,
    /// transactions decided or not; -1 where there is none so young.
    /// - Parameter time: milliseconds since 1970 UTC, not below 0.
    package func offsets(
        atOrAfter time: Int64, of partitions: [TopicPartition], timeout: Duration
    ) throws(KafkaClientError) -> [Int64] {
        precondition(time >= 0, "a time before 1970 stands for something else in the request")
        return partitions.isEmpty ? [] : try offsets(time, of: partitions, uncommitted, timeout)
    }

    /// In ListOffsets the times -2 and -1 stand for the beginning and the end, as in librdkafka's own constants.
    private func offsets(
        _ time: Int64, of partitions: [TopicPartition], _ client: ClientHandle, _ timeout: Duration
    ) throws(KafkaClientError) -> [Int64] {
        let list = PartitionList(partitions, offset: time)
        let operation = "look up the ends of"
        let code = rd_kafka_offsets_for_times(client.pointer, list.pointer, timeout.wholeMilliseconds)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaClientError("\(operation) \(partitions.count) partitions", code) }
        if let failure = list.firstFailure(operation) { throw failure }
        var found: [TopicPartition: Int64] = [:]
        for index in 0..<list.count { found[list.partition(index)] = list[index].pointee.offset }
        return partitions.map { found[$0] ?? -1 }
    }

    /// For each partition the offset of the first record at or after a time (milliseconds since 1970), in the given order; nil if
    /// there is none so young.
    package func offsets(at milliseconds: Int64, of partitions: [TopicPartition], timeout: Duration) throws(KafkaClientError) -> [Int64?] {
        try offsets(max(0, milliseconds), of: partitions, committed, timeout).map { $0 < 0 ? nil : $0 }
    }

    /// The settings of topics, by topic, then by Kafka's names. A topic that is gone has none.
    package func settings(of topics: [String], timeout: Duration) throws(KafkaClientError) -> [String: [String: String]] {
        if topics.isEmpty { return [:] }
        var resources = topics.map { rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, $0) }
        defer { for resource in resources { rd_kafka_ConfigResource_destroy(resource) } }
        return try ask("look up the settings of topics", RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout) { options, queue in
            rd_kafka_DescribeConfigs(committed.pointer, &resources, resources.count, options, queue)
        } read: { event throws(KafkaClientError) in
            var found: [String: [String: String]] = [:]
            var count = 0
            let results = rd_kafka_event_DescribeConfigs_result(event).flatMap { rd_kafka_DescribeConfigs_result_resources($0, &count) }
            for index in 0..<count {
                guard let resource = results?[index], rd_kafka_ConfigResource_error(resource) == RD_KAFKA_RESP_ERR_NO_ERROR else { continue }
                var entryCount = 0
                let entries = rd_kafka_ConfigResource_configs(resource, &entryCount)
                var settings: [String: String] = [:]
                for index in 0..<entryCount {
                    guard let entry = entries?[index], let value = rd_kafka_ConfigEntry_value(entry) else { continue }
                    settings[String(cString: rd_kafka_ConfigEntry_name(entry))] = String(cString: value)
                }
                found[String(cString: rd_kafka_ConfigResource_name(resource))] = settings
            }
            return found
        }
    }

    /// The names of all groups, in order.
    package func groups(timeout: Duration) throws(KafkaClientError) -> [String] {
        try ask("list the groups", RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, timeout) { options, queue in
            rd_kafka_ListConsumerGroups(committed.pointer, options, queue)
        } read: { event throws(KafkaClientError) in
            let result = rd_kafka_event_ListConsumerGroups_result(event)
            var failures = 0
            if let errors = rd_kafka_ListConsumerGroups_result_errors(result, &failures), failures > 0, let error = errors[0] {
                throw KafkaClientError("list the groups", rd_kafka_error_code(error), text: String(cString: rd_kafka_error_string(error)))
            }
            var count = 0
            let listings = rd_kafka_ListConsumerGroups_result_valid(result, &count)
            return (0..<count).compactMap { listings?[$0].map { String(cString: rd_kafka_ConsumerGroupListing_group_id($0)) } }.sorted()
        }
    }

    /// Describes groups, in the given order. One that does not exist is `Dead`.
    package func describe(groups: [String], timeout: Duration) throws(KafkaClientError) -> [GroupDescription] {
        if groups.isEmpty { return [] }
        let names = groups.map { strdup($0) }
        defer { for name in names { free(name) } }
        var pointers = names.map { UnsafePointer<CChar>($0) }
        let found = try ask("describe groups", RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, timeout) { options, queue in
            rd_kafka_DescribeConsumerGroups(committed.pointer, &pointers, pointers.count, options, queue)
        } read: { event throws(KafkaClientError) -> [String: GroupDescription] in
            var count = 0
            let results = rd_kafka_DescribeConsumerGroups_result_groups(rd_kafka_event_DescribeConsumerGroups_result(event), &count)
            var found: [String: GroupDescription] = [:]
            for index in 0..<count {
                guard let group = results?[index] else { continue }
                let name = String(cString: rd_kafka_ConsumerGroupDescription_group_id(group))
                if let error = rd_kafka_ConsumerGroupDescription_error(group) {
                    throw KafkaClientError(
                        "describe group '\(name)'", rd_kafka_error_code(error), text: String(cString: rd_kafka_error_string(error)))
                }
                found[name] = Self.description(name, group)
            }
            return found
        }
        return groups.compactMap { found[$0] }
    }

    private static func description(_ name: String, _ group: OpaquePointer) -> GroupDescription {
        let members = (0..<rd_kafka_ConsumerGroupDescription_member_count(group)).compactMap { index -> GroupDescription.Member? in
            guard let member = rd_kafka_ConsumerGroupDescription_member(group, index) else { return nil }
            var partitions: [TopicPartition] = []
            if let list = rd_kafka_MemberDescription_assignment(member).flatMap({ rd_kafka_MemberAssignment_partitions($0) }) {
                for index in 0..<Int(list.pointee.cnt) {
                    partitions.append(
                        TopicPartition(String(cString: list.pointee.elems[index].topic), list.pointee.elems[index].partition))
                }
            }
            return GroupDescription.Member(
                id: text(rd_kafka_MemberDescription_consumer_id(member)), clientID: text(rd_kafka_MemberDescription_client_id(member)),
                host: text(rd_kafka_MemberDescription_host(member)),
                instanceID: rd_kafka_MemberDescription_group_instance_id(member).map { String(cString: $0) },
                partitions: partitions.sorted())
        }
        return GroupDescription(
            name: name, state: text(rd_kafka_consumer_group_state_name(rd_kafka_ConsumerGroupDescription_state(group))),
            assignor: text(rd_kafka_ConsumerGroupDescription_partition_assignor(group)), members: members.sorted { $0.id < $1.id })
    }

    private static func text(_ pointer: UnsafePointer<CChar>?) -> String { pointer.map { String(cString: $0) } ?? "" }

    /// All that a group has committed, by partition, as of one moment. Does not wait for transactions that carry offsets of it.
    /// - Parameter stable: refuse (`isUndecided`) while there is such a transaction (KIP-447).
    package func committedOffsets(of group: String, stable: Bool = false, timeout: Duration) throws(KafkaClientError) -> [CommittedOffset] {
        var request = [rd_kafka_ListConsumerGroupOffsets_new(group, nil)]
        defer { rd_kafka_ListConsumerGroupOffsets_destroy(request[0]) }
        let operation = "look up the offsets of group '\(group)'"
        return try ask(operation, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, timeout) { options, queue in
            // It is an error for other requests only.
            if stable, let error = rd_kafka_AdminOptions_set_require_stable_offsets(options, 1) { rd_kafka_error_destroy(error) }
            rd_kafka_ListConsumerGroupOffsets(committed.pointer, &request, 1, options, queue)
        } read: { event throws(KafkaClientError) in
            var count = 0
            let results = rd_kafka_ListConsumerGroupOffsets_result_groups(rd_kafka_event_ListConsumerGroupOffsets_result(event), &count)
            guard count > 0, let result = results?[0] else { return [] }
            if let error = rd_kafka_group_result_error(result) {
                throw KafkaClientError(operation, rd_kafka_error_code(error), text: String(cString: rd_kafka_error_string(error)))
            }
            guard let shared = rd_kafka_group_result_partitions(result), let copy = rd_kafka_topic_partition_list_copy(shared) else { return [] }
            let list = PartitionList(owning: copy)
            if let failure = list.firstFailure(operation) { throw failure }
            return (0..<list.count).compactMap { index in
                let offset = list[index].pointee.offset
                if offset < 0 { return nil }
                return CommittedOffset(partition: list.partition(index), offset: offset, metadata: list.metadata(index))
            }.sorted { $0.partition < $1.partition }
        }
    }

    /// Sends a request and waits for its answer.
    private func ask<Answer>(
        _ operation: String, _ kind: rd_kafka_admin_op_t, _ timeout: Duration,
        request: (_ options: OpaquePointer?, _ queue: OpaquePointer) -> Void,
        read: (_ event: OpaquePointer) throws(KafkaClientError) -> Answer
    ) throws(KafkaClientError) -> Answer {
        guard let pointer = rd_kafka_queue_new(committed.pointer) else {
            throw KafkaClientError(operation, RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE)
        }
        let queue = QueueHandle(pointer, of: committed)
        let options = rd_kafka_AdminOptions_new(committed.pointer, kind)
        defer { rd_kafka_AdminOptions_destroy(options) }
        let milliseconds = min(max(1, timeout.wholeMilliseconds), 3_600_000)
        _ = rd_kafka_AdminOptions_set_request_timeout(options, milliseconds, nil, 0)
        request(options, queue.pointer)
        guard let event = rd_kafka_queue_poll(queue.pointer, milliseconds + 5000) else {
            throw KafkaClientError(operation, RD_KAFKA_RESP_ERR__TIMED_OUT)
        }
        defer { rd_kafka_event_destroy(event) }
        let code = rd_kafka_event_error(event)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR {
            throw KafkaClientError(operation, code, text: Self.text(rd_kafka_event_error_string(event)))
        }
        return try read(event)
    }
}
