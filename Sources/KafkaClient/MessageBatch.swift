import CRdKafka

/// What came next in a worker's queue. Items of one partition are in its offset order.
package enum BatchItem: Sendable, Equatable {
    case records(MessageRun)
    /// Everything below `offset` has been delivered, control records and aborted records included (nothing is delivered of
    /// those): a reader's position may be set to it. Comes each time the reader reaches the last stable offset.
    case endOfPartition(TopicPartition, offset: Int64)
    /// The partition has no such offset (any more): nothing more comes from it until it is ended and begun elsewhere.
    case offsetOutOfRange(TopicPartition, KafkaClientError)
    /// Trouble with one partition, or with none in particular (nil).
    case failure(TopicPartition?, KafkaClientError)
}

/// Records of one partition that came one after the other.
package struct MessageRun: Sendable, Equatable {
    package var partition: TopicPartition
    /// Their indexes in the batch.
    package var indexes: Range<Int>
    package var firstOffset: Int64
    package var lastOffset: Int64

    package init(partition: TopicPartition, indexes: Range<Int>, firstOffset: Int64, lastOffset: Int64) {
        self.partition = partition
        self.indexes = indexes
        self.firstOffset = firstOffset
        self.lastOffset = lastOffset
    }
}

/// Records taken from a worker's queue. Payloads live until the batch is released, which costs about as much as taking it.
package struct MessageBatch: ~Copyable {
    /// What there is, in order.
    package let items: [BatchItem]
    /// Records in the batch, over all runs.
    package let count: Int
    @usableFromInline let messages: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>
    /// Messages may only be destroyed while their client lives; nil when they are crafted.
    private let owner: ClientHandle?

    init(
        items: [BatchItem], messages: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>, count: Int,
        owner: ClientHandle?
    ) {
        self.items = items
        self.messages = messages
        self.count = count
        self.owner = owner
    }

    deinit {
        for index in 0..<count {
            guard let message = messages[index] else { continue }
            if owner == nil { Self.deallocate(crafted: message) } else { rd_kafka_message_destroy(message) }
        }
        messages.deallocate()
    }

    package var isEmpty: Bool { items.isEmpty }

    /// The record at `index`, which must be below `count`. Must not outlive the batch.
    @inlinable
    package subscript(index: Int) -> Message {
        precondition(index >= 0 && index < count, "no such record in the batch")
        return Message(messages[index].unsafelyUnwrapped)
    }
}

/// A batch may be released on another thread than it was taken: librdkafka counts references atomically.
extension MessageBatch: @unchecked Sendable {}
