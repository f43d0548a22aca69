import CRdKafka

extension ClientHandle {
    /// All topics with their partition counts, by name. Asking for all never creates one.
    func topics(_ timeout: Duration) throws(KafkaClientError) -> [String: Int32] {
        var found: UnsafePointer<rd_kafka_metadata>?
        let code = rd_kafka_metadata(pointer, 1, nil, &found, timeout.wholeMilliseconds)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaClientError("list the topics", code) }
        guard let found else { return [:] }
        defer { rd_kafka_metadata_destroy(found) }
        var counts: [String: Int32] = [:]
        for index in 0..<Int(found.pointee.topic_cnt) {
            let topic = found.pointee.topics[index]
            if topic.err == RD_KAFKA_RESP_ERR_NO_ERROR { counts[String(cString: topic.topic)] = topic.partition_cnt }
        }
        return counts
    }

    func partitionCount(of topic: String, _ timeout: Duration) throws(KafkaClientError) -> Int32 {
        let operation = "count the partitions of '\(topic)'"
        guard let handle = rd_kafka_topic_new(pointer, topic, nil) else {
            throw KafkaClientError(operation, rd_kafka_last_error())
        }
        defer { rd_kafka_topic_destroy(handle) }
        var found: UnsafePointer<rd_kafka_metadata>?
        let code = rd_kafka_metadata(pointer, 0, handle, &found, timeout.wholeMilliseconds)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaClientError(operation, code) }
        guard let found else { throw KafkaClientError(operation, RD_KAFKA_RESP_ERR__FAIL) }
        defer { rd_kafka_metadata_destroy(found) }
        guard found.pointee.topic_cnt > 0 else { throw KafkaClientError(operation, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC) }
        let answer = found.pointee.topics[0]
        if answer.err != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaClientError(operation, answer.err) }
        return answer.partition_cnt
    }
}
