import CRdKafka

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// librdkafka's list of partitions with offsets and metadata.
struct PartitionList: ~Copyable {
    let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    init(capacity: Int = 0) {
        pointer = rd_kafka_topic_partition_list_new(Int32(clamping: capacity))
    }

    /// Takes over `pointer`.
    init(owning pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) { self.pointer = pointer }

    init(_ partitions: [TopicPartition], offset: Int64 = Int64(RD_KAFKA_OFFSET_INVALID)) {
        self.init(capacity: partitions.count)
        for partition in partitions { add(partition, offset: offset) }
    }

    deinit { rd_kafka_topic_partition_list_destroy(pointer) }

    func add(_ partition: TopicPartition, offset: Int64, metadata: String? = nil) {
        guard let element = rd_kafka_topic_partition_list_add(pointer, partition.topic, partition.partition) else { return }
        element.pointee.offset = offset
        guard var text = metadata, !text.isEmpty else { return }
        // The list frees it, with free(3).
        text.withUTF8 { bytes in
            guard let start = bytes.baseAddress, let copy = malloc(bytes.count) else { return }
            memcpy(copy, start, bytes.count)
            element.pointee.metadata = copy
            element.pointee.metadata_size = bytes.count
        }
    }

    var count: Int { Int(pointer.pointee.cnt) }

    subscript(index: Int) -> UnsafeMutablePointer<rd_kafka_topic_partition_t> { pointer.pointee.elems + index }

    func partition(_ index: Int) -> TopicPartition {
        TopicPartition(String(cString: self[index].pointee.topic), self[index].pointee.partition)
    }

    var partitions: [TopicPartition] { (0..<count).map { partition($0) } }

    /// Exactly `metadata_size` bytes: librdkafka does not terminate the string.
    func metadata(_ index: Int) -> String {
        let element = self[index].pointee
        guard let start = element.metadata, element.metadata_size > 0 else { return "" }
        return String(decoding: UnsafeRawBufferPointer(start: start, count: element.metadata_size), as: UTF8.self)
    }

    /// The first element that failed, as an error of `operation`.
    func firstFailure(_ operation: String) -> KafkaClientError? {
        for index in 0..<count where self[index].pointee.err != RD_KAFKA_RESP_ERR_NO_ERROR {
            return KafkaClientError("\(operation) \(partition(index))", self[index].pointee.err)
        }
        return nil
    }
}
