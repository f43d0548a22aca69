/// Where a record's parts are in the bytes of a batch's records, which stay where they are: nothing is copied.
struct RawRecord {
    let timestampDelta: Int64
    let offsetDelta: Int64
    /// nil: no key.
    let key: Range<Int>?
    /// A record without a value is a tombstone.
    let hasValue: Bool
    /// All of it, the length before it included.
    let whole: Range<Int>
    /// From the key's length to the end: what does not change when its batch's base timestamp does.
    let tail: Range<Int>
}

/// Goes over the records of a batch, unpacked, without copying them (Kafka protocol guide, "Record"). Every length is checked.
struct RawRecordReader {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private var left: Int32

    /// - Parameters:
    ///   - bytes: what follows the batch's header, unpacked; stays valid while this is used.
    ///   - count: how many records the header says there are.
    init(_ bytes: UnsafeRawBufferPointer, count: Int32) {
        self.bytes = bytes
        left = count
    }

    /// The next record, or nil after the last.
    /// - Throws: `corruptMessage` when the bytes are no record, or go on after the last.
    mutating func next() throws(StorageError) -> RawRecord? {
        guard left > 0 else {
            guard position == bytes.count else { throw Self.corrupt }
            return nil
        }
        left -= 1
        let start = position
        let length = try zigzag(bytes.count)
        guard length > 0, length <= Int64(bytes.count - position) else { throw Self.corrupt }
        let end = position + Int(length)
        position += 1  // attributes: none are defined
        let timestampDelta = try zigzag(end)
        let offsetDelta = try zigzag(end)
        let tail = position..<end
        let key = try field(end)
        let value = try field(end)
        position = end
        return RawRecord(
            timestampDelta: timestampDelta, offsetDelta: offsetDelta, key: key, hasValue: value != nil, whole: start..<end, tail: tail)
    }

    private static let corrupt = StorageError(.corruptMessage, "the records of a batch are not as long as its header and they themselves say")

    private mutating func field(_ end: Int) throws(StorageError) -> Range<Int>? {
        let length = try zigzag(end)
        if length == -1 { return nil }
        guard length >= 0, length <= Int64(end - position) else { throw Self.corrupt }
        defer { position += Int(length) }
        return position..<position + Int(length)
    }

    private mutating func zigzag(_ end: Int) throws(StorageError) -> Int64 {
        var raw: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 70, position < end {
            let byte = bytes[position]
            position += 1
            raw |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1) }
            shift += 7
        }
        throw Self.corrupt
    }
}

extension RecordBatchHeader {
    /// What the records of one batch may unpack to, bytes. Producers bound a batch by its unpacked size, so that an honest one is far below.
    package static let decompressedLimit = 64 << 20

    /// Runs `body` on the records of this batch, unpacked.
    /// - Parameters:
    ///   - batch: the whole batch, header included.
    ///   - limit: the most bytes that compressed records may unpack to.
    /// - Throws: `corruptMessage`, `invalidRecord`, as `RecordCompression.decompress`; what `body` throws.
    func withRecords<Result>(
        of batch: UnsafeRawBufferPointer, limit: Int, _ body: (UnsafeRawBufferPointer) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        let records = UnsafeRawBufferPointer(rebasing: batch[Self.size..<totalSize])
        guard let compression else { throw StorageError(.invalidRecord, "there is no compression codec \(attributes & 0x07)") }
        // A batch without records has none to unpack, whatever its codec.
        if compression == .none || recordCount == 0 { return try body(records) }
        let unpacked = try RecordCompression.decompress(records, compression, limit: limit)
        return try unpacked.withBytes(body)
    }

    /// What a compacted topic asks of a batch: that every record has a key, and that the cleaner will be able to read it.
    /// - Throws: `invalidRecord`, `corruptMessage`.
    func validateForCompaction(_ batch: UnsafeRawBufferPointer, limit: Int) throws(StorageError) {
        try withRecords(of: batch, limit: limit) { (bytes) throws(StorageError) in
            var records = RawRecordReader(bytes, count: recordCount)
            var expected: Int64 = 0
            while let record = try records.next() {
                guard record.offsetDelta == expected else {
                    throw StorageError(.invalidRecord, "record \(expected) of a batch has offset delta \(record.offsetDelta)")
                }
                guard record.key != nil else {
                    throw StorageError(.invalidRecord, "record \(expected) of the batch has no key: a compacted topic takes only records with one")
                }
                expected += 1
            }
        }
    }
}
