/// One record with its bytes copied out. The path of data never makes these; markers, time look-ups and tests do.
package struct Record: Sendable, Hashable {
    package struct Header: Sendable, Hashable {
        package let name: String
        package let value: [UInt8]?

        package init(name: String, value: [UInt8]?) {
            self.name = name
            self.value = value
        }
    }

    package var offset: Int64
    /// Milliseconds since 1970.
    package var timestamp: Int64
    package var key: [UInt8]?
    package var value: [UInt8]?
    package var headers: [Header]

    package init(offset: Int64 = 0, timestamp: Int64 = 0, key: [UInt8]?, value: [UInt8]?, headers: [Header] = []) {
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self.headers = headers
    }
}

/// Goes over the records of a batch (Kafka protocol guide, "Record").
package struct RecordIterator {
    private let header: RecordBatchHeader
    private var reader: ByteReader
    private var left: Int32

    /// - Parameter decompressedLimit: the most bytes that compressed records may unpack to.
    /// - Throws: `corruptMessage` when `batch` is not one whole batch, `invalidRecord` when its records unpack to more than the limit.
    package init(batch: [UInt8], decompressedLimit: Int = RecordBatchHeader.decompressedLimit) throws(StorageError) {
        var failure: StorageError?
        let header = batch.withUnsafeBytes { bytes -> RecordBatchHeader? in
            do throws(StorageError) {
                return try RecordBatchHeader(bytes)
            } catch {
                failure = error
                return nil
            }
        }
        guard let header else { throw failure ?? StorageError(.corruptMessage, "no record batch") }
        guard header.totalSize == batch.count else {
            throw StorageError(.corruptMessage, "a record batch says that it has \(header.totalSize) bytes, \(batch.count) came")
        }
        self.header = header
        guard header.recordCount > 0, header.compression != RecordBatchHeader.Compression.none else {
            reader = ByteReader(batch[RecordBatchHeader.size...])
            left = header.recordCount
            return
        }
        let records = try batch.withBytes { (bytes) throws(StorageError) -> [UInt8] in
            try header.withRecords(of: bytes, limit: decompressedLimit) { (records) throws(StorageError) -> [UInt8] in [UInt8](records) }
        }
        reader = ByteReader(records[...])
        left = header.recordCount
    }

    /// The next record, or nil after the last.
    /// - Throws: `corruptMessage` when the bytes are no record.
    package mutating func next() throws(StorageError) -> Record? {
        guard left > 0 else { return nil }
        left -= 1
        guard let length = reader.zigzag(), length >= 0, length <= reader.remaining,
            let body = reader.take(Int(length)), let record = decode(body)
        else {
            throw StorageError(.corruptMessage, "the batch at offset \(header.baseOffset) ends before its \(header.recordCount) records do")
        }
        return record
    }

    private func decode(_ body: ArraySlice<UInt8>) -> Record? {
        var body = ByteReader(body)
        guard body.integer(Int8.self) != nil, let timestampDelta = body.zigzag(), let offsetDelta = body.zigzag(),
            let key = nullable(&body), let value = nullable(&body),
            let headerCount = body.zigzag(), headerCount >= 0, headerCount <= body.remaining
        else { return nil }
        var headers: [Record.Header] = []
        for _ in 0..<headerCount {
            guard let name = nullable(&body), let name, let value = nullable(&body) else { return nil }
            headers.append(Record.Header(name: String(decoding: name, as: UTF8.self), value: value))
        }
        return Record(
            offset: header.baseOffset &+ offsetDelta,
            timestamp: header.usesLogAppendTime ? header.maxTimestamp : header.baseTimestamp &+ timestampDelta,
            key: key, value: value, headers: headers)
    }

    /// Bytes with a length before them, -1 for null; the outer nil: there are too few.
    private func nullable(_ body: inout ByteReader) -> [UInt8]?? {
        guard let length = body.zigzag() else { return nil }
        if length == -1 { return .some(nil) }
        guard length >= 0, length <= body.remaining, let bytes = body.take(Int(length)) else { return nil }
        return .some([UInt8](bytes))
    }
}
