import CZlib

/// The message formats 0 and 1, which clients from before Kafka 0.11 speak: made into record batches on their way in, and of record batches
/// on their way out. What is stored is never in these formats.
///
///     0 offset i64   8 size i32 (bytes after this field)   12 CRC-32 u32 (of 16 to the end)   16 magic i8   17 attributes i8
///     18 timestamp i64 (format 1 only)   then key and value, each an i32 length (-1: null) and so many bytes
///
/// The value of a compressed message is a message set, which is not compressed itself.
package enum MessageSet {
    /// Which fields a message has.
    package enum Format: Int8, Sendable {
        /// Until Kafka 0.10: no timestamps.
        case untimed = 0
        case timed = 1
    }

    /// The record batch with the messages of a set, in its codec. Offsets are not looked at.
    /// - Parameter decompressedLimit: the most bytes that compressed messages may unpack to.
    /// - Throws: `corruptMessage` when the bytes are no message set or a checksum is wrong, `invalidRecord` when there is no message in it or
    ///   they unpack to more than the limit.
    package static func batch(
        from messages: UnsafeRawBufferPointer, decompressedLimit: Int = RecordBatchHeader.decompressedLimit
    ) throws(StorageError) -> [UInt8] {
        var builder = RecordBatchBuilder()
        var records: [Record] = []
        try read([UInt8](messages)[...], isInner: false, decompressedLimit, &builder.compression, &records)
        guard !records.isEmpty else { throw StorageError(.invalidRecord, "a message set without a message came") }
        return builder.build(records)
    }

    private static func read(
        _ bytes: ArraySlice<UInt8>, isInner: Bool, _ limit: Int, _ compression: inout RecordBatchHeader.Compression, _ records: inout [Record]
    ) throws(StorageError) {
        var left = limit
        var reader = ByteReader(bytes)
        while reader.remaining > 0 {
            guard reader.integer(Int64.self) != nil, let size = reader.integer(Int32.self), let body = reader.take(Int(size)) else { throw cutOff }
            let (message, codec) = try message(body)
            if codec == .none {
                records.append(message)
                continue
            }
            guard !isInner, let packed = message.value else {
                throw StorageError(.corruptMessage, "a compressed message holds either nothing or a compressed message, where messages have to be")
            }
            guard codec != .zstd else { throw StorageError(.invalidRecord, "the message formats 0 and 1 do not have the codec zstd") }
            compression = codec
            let inner = try packed.withBytes { (packed) throws(StorageError) in
                try RecordCompression.decompress(packed, codec, limit: left)
            }
            left -= inner.count
            try read(inner[...], isInner: true, limit, &compression, &records)
        }
    }

    /// A message, from its checksum on.
    private static func message(_ body: ArraySlice<UInt8>) throws(StorageError) -> (Record, RecordBatchHeader.Compression) {
        var reader = ByteReader(body)
        guard let crc = reader.integer(UInt32.self) else { throw cutOff }
        guard checksum(body.dropFirst(4)) == crc else {
            throw StorageError(.corruptMessage, "the checksum of a message is wrong")
        }
        guard let magic = reader.integer(Int8.self), let attributes = reader.integer(Int8.self) else { throw cutOff }
        guard let format = Format(rawValue: magic) else {
            throw StorageError(.corruptMessage, "a message set holds messages of format 0 or 1, not \(magic)")
        }
        guard let codec = RecordBatchHeader.Compression(rawValue: Int16(attributes & 0x07)) else {
            throw StorageError(.invalidRecord, "there is no compression codec \(attributes & 0x07)")
        }
        var timestamp: Int64 = -1
        if format == .timed {
            guard let read = reader.integer(Int64.self) else { throw cutOff }
            timestamp = read
        }
        let key = try nullable(&reader)
        let value = try nullable(&reader)
        guard reader.remaining == 0 else { throw StorageError(.corruptMessage, "a message is longer than its key and value are") }
        return (Record(timestamp: timestamp, key: key, value: value), codec)
    }

    private static func nullable(_ reader: inout ByteReader) throws(StorageError) -> [UInt8]? {
        guard let length = reader.integer(Int32.self) else { throw cutOff }
        if length == -1 { return nil }
        guard let bytes = reader.take(Int(length)) else { throw cutOff }
        return [UInt8](bytes)
    }

    private static let cutOff = StorageError(.corruptMessage, "a message set ends within a message")

    /// What a reader of `format` gets for one record: without its headers, which these formats have not.
    static func append(_ record: Record, _ format: Format, to bytes: inout [UInt8]) {
        var body: [UInt8] = [UInt8(format.rawValue), 0]
        if format == .timed { body.append(bigEndian: record.timestamp) }
        for field in [record.key, record.value] {
            body.append(bigEndian: Int32(field?.count ?? -1))
            if let field { body += field }
        }
        bytes.append(bigEndian: record.offset)
        bytes.append(bigEndian: Int32(body.count + 4))
        bytes.append(bigEndian: checksum(body[...]))
        bytes += body
    }

    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.withUnsafeBufferPointer { UInt32(truncatingIfNeeded: crc32(0, $0.baseAddress, UInt32($0.count))) }
    }
}

extension PartitionLog {
    /// The records from `offset` on as a message set, for readers of the message formats 0 and 1; empty where there is nothing to read.
    ///
    /// Markers of transactions are left out, and so are headers. There is at least one message when there is a record, else whole ones until
    /// there are `maxBytes`.
    /// - Throws: as `read` does.
    package func messageSet(from offset: Int64, maxBytes: Int, format: MessageSet.Format) throws(StorageError) -> [UInt8] {
        var messages: [UInt8] = []
        var next = offset
        // A region may hold nothing but markers: the reader would come again for the same offset if it got nothing for them.
        while messages.isEmpty {
            let found = try read(from: next, maxBytes: maxBytes, minimumOneBatch: true, isolation: .readUncommitted)
            guard let region = found.region else { break }
            let bytes = try region.bytes()
            var position = 0
            while position < bytes.count, messages.isEmpty || messages.count < maxBytes {
                let rest = bytes[position...]
                let header = try [UInt8](rest.prefix(RecordBatchHeader.size)).withBytes { (head) throws(StorageError) in
                    try RecordBatchHeader(head)
                }
                guard header.totalSize <= rest.count else { break }
                next = header.nextOffset
                position += header.totalSize
                if header.isControl { continue }
                var records = try RecordIterator(batch: [UInt8](rest.prefix(header.totalSize)))
                while let record = try records.next(), messages.isEmpty || messages.count < maxBytes {
                    if record.offset >= offset { MessageSet.append(record, format, to: &messages) }
                }
            }
        }
        return messages
    }
}
