import CRdKafka

extension AdminClient {
    /// Sets committed offsets of a group that has no members, all of them with one request: a broker takes them together.
    /// Refused (`isRefusalByGroup`) while the group has members.
    package func setOffsets(_ offsets: [OffsetToCommit], ofGroup group: String, timeout: Duration) throws(KafkaClientError) {
        if offsets.isEmpty { return }
        let operation = "set \(offsets.count) offsets of group '\(group)'"
        let list = PartitionList(capacity: offsets.count)
        for offset in offsets { list.add(offset.partition, offset: offset.offset, metadata: offset.metadata) }
        var request = [rd_kafka_AlterConsumerGroupOffsets_new(group, list.pointer)]
        defer { rd_kafka_AlterConsumerGroupOffsets_destroy(request[0]) }
        guard let pointer = rd_kafka_queue_new(client.pointer) else { throw KafkaClientError(operation, RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE) }
        let queue = QueueHandle(pointer, of: client)
        let options = rd_kafka_AdminOptions_new(client.pointer, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS)
        defer { rd_kafka_AdminOptions_destroy(options) }
        let milliseconds = min(max(1, timeout.wholeMilliseconds), 3_600_000)
        _ = rd_kafka_AdminOptions_set_request_timeout(options, milliseconds, nil, 0)
        rd_kafka_AlterConsumerGroupOffsets(client.pointer, &request, 1, options, queue.pointer)
        guard let event = rd_kafka_queue_poll(queue.pointer, milliseconds + 5000) else {
            throw KafkaClientError(operation, RD_KAFKA_RESP_ERR__TIMED_OUT)
        }
        defer { rd_kafka_event_destroy(event) }
        let code = rd_kafka_event_error(event)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR {
            throw KafkaClientError(operation, code, text: rd_kafka_event_error_string(event).map { String(cString: $0) })
        }
        var count = 0
        let results = rd_kafka_AlterConsumerGroupOffsets_result_groups(rd_kafka_event_AlterConsumerGroupOffsets_result(event), &count)
        guard count > 0, let result = results?[0] else { return }
        if let error = rd_kafka_group_result_error(result) {
            throw KafkaClientError(operation, rd_kafka_error_code(error), text: String(cString: rd_kafka_error_string(error)))
        }
        guard let shared = rd_kafka_group_result_partitions(result), let copy = rd_kafka_topic_partition_list_copy(shared) else { return }
        if let failure = PartitionList(owning: copy).firstFailure(operation) { throw failure }
    }
}
