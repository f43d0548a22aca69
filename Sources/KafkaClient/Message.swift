import CRdKafka

/// A record where librdkafka put it. Valid as long as its batch; costs nothing to make or copy.
package struct Message {
    @usableFromInline let pointer: UnsafeMutablePointer<rd_kafka_message_t>

    @inlinable
    init(_ pointer: UnsafeMutablePointer<rd_kafka_message_t>) { self.pointer = pointer }

    /// The value; nil for a tombstone.
    @inlinable
    package var payload: UnsafeRawBufferPointer? {
        guard let start = pointer.pointee.payload else { return nil }
        return UnsafeRawBufferPointer(start: start, count: pointer.pointee.len)
    }

    /// The value, empty for a tombstone: for decoders that take nothing and null alike.
    @inlinable
    package var payloadBytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: pointer.pointee.payload, count: pointer.pointee.payload == nil ? 0 : pointer.pointee.len)
    }

    /// nil if the record has no key.
    @inlinable
    package var key: UnsafeRawBufferPointer? {
        guard let start = pointer.pointee.key else { return nil }
        return UnsafeRawBufferPointer(start: start, count: pointer.pointee.key_len)
    }

    @inlinable
    package var offset: Int64 { pointer.pointee.offset }

    /// Milliseconds since 1970, of creation or of appending as the topic is configured; -1 if the record has none.
    @inlinable
    package var timestampMilliseconds: Int64 {
        if pointer.pointee.rkt == nil { return craftedTimestamp }
        return rd_kafka_message_timestamp(pointer, nil)
    }

    /// Of a `CraftedRecord`, which has no topic handle.
    @usableFromInline
    var craftedTimestamp: Int64 { pointer.pointee._private.load(as: Int64.self) }

    /// In the order in which they were written; a name may come more than once. Decoded on demand: not for every record.
    package func headers() -> [MessageHeader] {
        if pointer.pointee.rkt == nil { return [] }
        var list: OpaquePointer?
        guard rd_kafka_message_headers(pointer, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list else { return [] }
        var headers: [MessageHeader] = []
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var count = 0
        while rd_kafka_header_get_all(list, headers.count, &name, &value, &count) == RD_KAFKA_RESP_ERR_NO_ERROR, let found = name {
            let bytes = value.map { [UInt8](UnsafeRawBufferPointer(start: $0, count: count)) }
            headers.append(MessageHeader(name: String(cString: found), value: bytes))
        }
        return headers
    }
}

/// A record's header.
package struct MessageHeader: Sendable, Equatable {
    package var name: String
    /// nil is Kafka's null, which is not the same as empty.
    package var value: [UInt8]?

    package init(name: String, value: [UInt8]?) {
        self.name = name
        self.value = value
    }

    package init(_ name: String, _ value: String) {
        self.init(name: name, value: [UInt8](value.utf8))
    }
}
