import CRdKafka

/// Builds a batch's items from messages in the order in which they came.
struct BatchSorter {
    let messages: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>
    var items: [BatchItem] = []
    var kept = 0

    private var topic: OpaquePointer?
    private var number: Int32 = -1
    private var partition = TopicPartition("", -1)
    /// nil if the partition is not begun on this queue (any more).
    private var position: Position?
    private var runStart = 0
    private var runFirstOffset: Int64 = 0

    /// The count of interruptions before the first of the messages was taken and after the last of them was.
    private let before: UInt64
    private let after: UInt64

    init(
        _ messages: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>, _ before: UInt64, _ after: UInt64
    ) {
        self.messages = messages
        self.before = before
        self.after = after
    }

    mutating func add(_ message: UnsafeMutablePointer<rd_kafka_message_t>, _ positions: inout [TopicPartition: Position]) {
        if message.pointee.rkt != topic || message.pointee.partition != number {
            closeRun(&positions)
            enter(message, positions)
        }
        if message.pointee.err != RD_KAFKA_RESP_ERR_NO_ERROR {
            closeRun(&positions)
            addEvent(message, &positions)
            rd_kafka_message_destroy(message)
            return
        }
        let offset = message.pointee.offset
        guard let here = position, !here.rereading, offset >= here.next, follows(offset, here, &positions) else {
            rd_kafka_message_destroy(message)
            return
        }
        if kept == runStart { runFirstOffset = offset }
        position?.next = offset &+ 1
        messages[kept] = message
        kept += 1
    }

    mutating func closeRun(_ positions: inout [TopicPartition: Position]) {
        guard kept > runStart, let here = position else { return }
        items.append(
            .records(
                MessageRun(
                    partition: partition, indexes: runStart..<kept, firstOffset: runFirstOffset, lastOffset: here.next &- 1)))
        positions[partition] = here
        runStart = kept
    }

    /// Whether everything before `offset` is known to have been delivered. If not, the partition is to be read again.
    private mutating func follows(_ offset: Int64, _ here: Position, _ positions: inout [TopicPartition: Position]) -> Bool {
        if here.verified == after { return true }
        if offset == here.next {
            position?.verified = max(here.verified, before)
            return true
        }
        closeRun(&positions)
        position?.rereading = true
        positions[partition] = position
        return false
    }

    private mutating func enter(_ message: UnsafeMutablePointer<rd_kafka_message_t>, _ positions: [TopicPartition: Position]) {
        topic = message.pointee.rkt
        number = message.pointee.partition
        guard let topic else {
            position = nil
            return
        }
        partition = TopicPartition(String(cString: rd_kafka_topic_name(topic)), number)
        position = positions[partition]
    }

    private mutating func addEvent(
        _ message: UnsafeMutablePointer<rd_kafka_message_t>, _ positions: inout [TopicPartition: Position]
    ) {
        let code = message.pointee.err
        if topic == nil || number < 0 {
            items.append(.failure(nil, KafkaClientError("read", code, text: Self.text(message))))
            return
        }
        guard let here = position else { return }
        if code == RD_KAFKA_RESP_ERR__PARTITION_EOF {
            let end = max(here.next, message.pointee.offset)
            if here.rereading || !follows(end, here, &positions) { return }
            position?.next = end
            positions[partition] = position
            items.append(.endOfPartition(partition, offset: end))
            return
        }
        let error = KafkaClientError("read \(partition) at offset \(here.next)", code, text: Self.text(message))
        items.append(error.isOffsetOutOfRange ? .offsetOutOfRange(partition, error) : .failure(partition, error))
    }

    private static func text(_ message: UnsafeMutablePointer<rd_kafka_message_t>) -> String? {
        rd_kafka_message_errstr(message).map { String(cString: $0) }
    }
}
