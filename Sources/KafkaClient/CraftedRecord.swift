import CRdKafka

/// A record that no broker sent: for readers that are driven without one (Tests/Simulation).
package struct CraftedRecord: Sendable {
    package var offset: Int64
    package var key: [UInt8]?
    package var value: [UInt8]?
    /// Milliseconds since 1970; -1 for none.
    package var timestampMilliseconds: Int64

    package init(offset: Int64, key: [UInt8]?, value: [UInt8]?, timestampMilliseconds: Int64) {
        self.offset = offset
        self.key = key
        self.value = value
        self.timestampMilliseconds = timestampMilliseconds
    }
}

extension MessageBatch {
    /// A batch of records that stand one after the other; the indexes in `items` name them.
    package init(_ records: [CraftedRecord], items: [BatchItem]) {
        let messages = UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>.allocate(capacity: max(1, records.count))
        for (index, record) in records.enumerated() {
            let message = UnsafeMutablePointer<rd_kafka_message_t>.allocate(capacity: 1)
            message.initialize(to: rd_kafka_message_t())
            message.pointee.offset = record.offset
            (message.pointee.key, message.pointee.key_len) = Self.copy(record.key)
            (message.pointee.payload, message.pointee.len) = Self.copy(record.value)
            // Without a topic handle nothing is librdkafka's; its private field has the time.
            let time = UnsafeMutablePointer<Int64>.allocate(capacity: 1)
            time.initialize(to: record.timestampMilliseconds)
            message.pointee._private = UnsafeMutableRawPointer(time)
            (messages + index).initialize(to: message)
        }
        self.init(items: items, messages: messages, count: records.count, owner: nil)
    }

    private static func copy(_ bytes: [UInt8]?) -> (UnsafeMutableRawPointer?, Int) {
        guard let bytes else { return (nil, 0) }
        // The decoder may read on behind the last byte, as it may in librdkafka's fetch buffers.
        let copy = UnsafeMutableRawPointer.allocate(byteCount: bytes.count + 64, alignment: 8)
        copy.initializeMemory(as: UInt8.self, repeating: 0, count: bytes.count + 64)
        bytes.withUnsafeBytes { copy.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(copy), byteCount: bytes.count) }
        return (copy, bytes.count)
    }

    static func deallocate(crafted message: UnsafeMutablePointer<rd_kafka_message_t>) {
        message.pointee.key?.deallocate()
        message.pointee.payload?.deallocate()
        message.pointee._private?.deallocate()
        message.deallocate()
    }
}
