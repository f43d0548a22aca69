import CRdKafka

extension Consumer {
    /// What the group has committed for these partitions, in their order, with the metadata strings. Asks for stable
    /// offsets (KIP-447): waits while a transaction that carries offsets of theirs is undecided, up to `timeout`.
    package func committed(_ partitions: [TopicPartition], timeout: Duration) throws(KafkaClientError) -> [CommittedOffset] {
        if partitions.isEmpty { return [] }
        let list = PartitionList(partitions)
        let operation = "read the committed offsets of"
        let code = rd_kafka_committed(client.pointer, list.pointer, timeout.wholeMilliseconds)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaClientError("\(operation) \(partitions)", code) }
        if let failure = list.firstFailure(operation) { throw failure }
        return (0..<list.count).map { index in
            let offset = list[index].pointee.offset
            return CommittedOffset(
                partition: list.partition(index), offset: offset >= 0 ? offset : nil, metadata: list.metadata(index))
        }
    }

    /// Asks the broker for the ends of a partition.
    package func watermarks(of partition: TopicPartition, timeout: Duration) throws(KafkaClientError) -> Watermarks {
        var low: Int64 = 0
        var high: Int64 = 0
        let code = rd_kafka_query_watermark_offsets(
            client.pointer, partition.topic, partition.partition, &low, &high, timeout.wholeMilliseconds)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaClientError("ask for the ends of \(partition)", code) }
        return Watermarks(low: low, lastStableOffset: high)
    }

    /// The last stable offset that the latest fetch of this partition brought along, without asking anybody; nil before the
    /// first fetch. Lag is this minus the reader's position.
    package func cachedLastStableOffset(of partition: TopicPartition) -> Int64? {
        var low: Int64 = 0
        var high: Int64 = 0
        let code = rd_kafka_get_watermark_offsets(client.pointer, partition.topic, partition.partition, &low, &high)
        return code == RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0 ? high : nil
    }

    /// For each partition the offset of the first record at or after the time (milliseconds since 1970), in the given
    /// order; nil if there is none so young.
    package func offsets(
        for times: [(partition: TopicPartition, milliseconds: Int64)], timeout: Duration
    ) throws(KafkaClientError) -> [Int64?] {
        try offsets(times.map { ($0.partition, max(0, $0.milliseconds)) }, "look up offsets by time of", timeout)
    }

    /// The last stable offset of each partition, in the given order.
    package func ends(of partitions: [TopicPartition], timeout: Duration) throws(KafkaClientError) -> [Int64?] {
        try offsets(partitions.map { ($0, Int64(RD_KAFKA_OFFSET_END)) }, "look up the ends of", timeout)
    }

    /// ListOffsets of many partitions at once. What is negative is not a time (KIP-79).
    private func offsets(
        _ times: [(partition: TopicPartition, milliseconds: Int64)], _ operation: String, _ timeout: Duration
    ) throws(KafkaClientError) -> [Int64?] {
        if times.isEmpty { return [] }
        let list = PartitionList(capacity: times.count)
        for time in times { list.add(time.partition, offset: time.milliseconds) }
        let code = rd_kafka_offsets_for_times(client.pointer, list.pointer, timeout.wholeMilliseconds)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaClientError("\(operation) \(times.map(\.partition))", code) }
        if let failure = list.firstFailure(operation) { throw failure }
        return (0..<list.count).map { list[$0].pointee.offset >= 0 ? list[$0].pointee.offset : nil }
    }

    /// How many partitions a topic has. Throws `UNKNOWN_TOPIC_OR_PART` if there is no such topic; never creates it.
    package func partitionCount(of topic: String, timeout: Duration) throws(KafkaClientError) -> Int32 {
        try client.partitionCount(of: topic, timeout)
    }

    /// Group, generation and member as of now, for `TransactionalProducer.sendOffsets`. The generation does not move past
    /// a revocation or loss before `completeRevoke`: offsets sent with metadata taken while the partitions were held are
    /// fenced correctly, provided that the commit ends before `completeRevoke`.
    package func groupMetadata() throws(KafkaClientError) -> GroupMetadata {
        guard let pointer = rd_kafka_consumer_group_metadata(client.pointer) else {
            throw KafkaClientError("read the group's metadata", RD_KAFKA_RESP_ERR__STATE)
        }
        return GroupMetadata(pointer)
    }
}
