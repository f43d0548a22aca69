/// Makes batches: markers, and what tests append.
package struct RecordBatchBuilder: Sendable {
    package var baseOffset: Int64 = 0
    package var producerID: Int64 = -1
    package var producerEpoch: Int16 = -1
    package var baseSequence: Int32 = -1
    package var isTransactional = false
    package var isControl = false
    package var compression = RecordBatchHeader.Compression.none

    package init(producerID: Int64 = -1, producerEpoch: Int16 = -1, baseSequence: Int32 = -1, isTransactional: Bool = false) {
        self.producerID = producerID
        self.producerEpoch = producerEpoch
        self.baseSequence = baseSequence
        self.isTransactional = isTransactional
    }

    /// One batch of `records`, which must not be empty. Offsets count up from `baseOffset`; those of the records are not looked at.
    package func build(_ records: [Record]) -> [UInt8] {
        precondition(!records.isEmpty, "a batch has at least one record")
        let baseTimestamp = records[0].timestamp
        var body: [UInt8] = []
        for (delta, record) in records.enumerated() {
            let record = encode(record, timestampDelta: record.timestamp &- baseTimestamp, offsetDelta: delta)
            body.append(zigzag: Int64(record.count))
            body += record
        }
        let packed = compression == .none ? nil : try? RecordCompression.compress(body, compression)
        let attributes: Int16 = (isTransactional ? 0x10 : 0) | (isControl ? 0x20 : 0) | (packed == nil ? 0 : compression.rawValue)
        var batch: [UInt8] = []
        batch.append(bigEndian: baseOffset)
        batch.append(bigEndian: Int32(0))
        batch.append(bigEndian: Int32(0))
        batch.append(bigEndian: Int8(2))
        batch.append(bigEndian: UInt32(0))
        batch.append(bigEndian: attributes)
        batch.append(bigEndian: Int32(records.count - 1))
        batch.append(bigEndian: baseTimestamp)
        batch.append(bigEndian: records.reduce(baseTimestamp) { max($0, $1.timestamp) })
        batch.append(bigEndian: producerID)
        batch.append(bigEndian: producerEpoch)
        batch.append(bigEndian: baseSequence)
        batch.append(bigEndian: Int32(records.count))
        batch += packed ?? body
        batch.withUnsafeMutableBytes { bytes in
            bytes.store(bigEndian: Int32(bytes.count - RecordBatchHeader.lengthPrefix), at: 8)
            RecordBatchHeader.setChecksum(bytes)
        }
        return batch
    }

    private func encode(_ record: Record, timestampDelta: Int64, offsetDelta: Int) -> [UInt8] {
        var body: [UInt8] = [0]
        body.append(zigzag: timestampDelta)
        body.append(zigzag: Int64(offsetDelta))
        append(record.key, to: &body)
        append(record.value, to: &body)
        body.append(zigzag: Int64(record.headers.count))
        for header in record.headers {
            append([UInt8](header.name.utf8), to: &body)
            append(header.value, to: &body)
        }
        return body
    }

    private func append(_ bytes: [UInt8]?, to body: inout [UInt8]) {
        body.append(zigzag: Int64(bytes?.count ?? -1))
        if let bytes { body += bytes }
    }
}
