/// What the cleaner makes of one batch after the other (KIP-58, KIP-98, KIP-534; Kafka's LogCleaner). Without I/O.
///
/// Offsets never change: a batch that loses records keeps its first and last offset. It stays compressed as it was.
struct BatchCleaner {
    enum Outcome {
        /// Goes into the new segment byte for byte.
        case kept
        case replaced([UInt8])
        case removed
    }

    /// The last that a producer has in the log: kept, if need be without records, so that its sequence numbers survive.
    struct LastOfProducer: Sendable, Hashable {
        let epoch: Int16
        /// nil: it has only a marker of this epoch.
        let lastDataOffset: Int64?
    }

    let map: OffsetMap
    /// Records from here on are not in the map, and stay.
    let mapEnd: Int64
    let lastOfProducers: [Int64: LastOfProducer]
    /// Milliseconds since 1970.
    let now: Int64
    let deleteRetention: Int64
    let decompressedLimit: Int
    var transactions: CleanedTransactions

    /// - Parameter batch: the whole batch that `header` is of.
    /// - Throws: `corruptMessage` and `invalidRecord` when its records cannot be read.
    mutating func clean(_ header: RecordBatchHeader, _ batch: UnsafeRawBufferPointer) throws(StorageError) -> Outcome {
        if header.isControl { return try cleanMarker(header, batch) }
        let isLast = lastOfProducers[header.producerID]?.lastDataOffset == header.lastOffset
        if transactions.readData(header) { return isLast ? emptied(header, batch) : .removed }
        if header.recordCount == 0 { return isLast ? .kept : .removed }
        return try header.withRecords(of: batch, limit: decompressedLimit) { (records) throws(StorageError) -> Outcome in
            try cleanRecords(header, batch, records, isLast: isLast)
        }
    }

    private mutating func cleanMarker(_ header: RecordBatchHeader, _ batch: UnsafeRawBufferPointer) throws(StorageError) -> Outcome {
        guard let marker = try EndTransactionMarker(batch: [UInt8](batch)) else { return .kept }
        guard transactions.readMarker(header, marker) else { return .kept }
        if let last = lastOfProducers[header.producerID], last.lastDataOffset == nil, last.epoch == header.producerEpoch { return .kept }
        // A reader that is in the middle of the transaction has time to get here.
        guard header.hasDeleteHorizon else {
            return try header.withRecords(of: batch, limit: decompressedLimit) { (records) throws(StorageError) -> Outcome in
                var reader = RawRecordReader(records, count: header.recordCount)
                var all: [RawRecord] = []
                while let record = try reader.next() { all.append(record) }
                return .replaced(try rebuilt(header, batch, records, all, horizon: horizon))
            }
        }
        return header.baseTimestamp <= now ? .removed : .kept
    }

    private var horizon: Int64 { now + deleteRetention }

    private func cleanRecords(
        _ header: RecordBatchHeader, _ batch: UnsafeRawBufferPointer, _ records: UnsafeRawBufferPointer, isLast: Bool
    ) throws(StorageError) -> Outcome {
        var reader = RawRecordReader(records, count: header.recordCount)
        var retained: [RawRecord] = []
        var hasTombstone = false
        let isPastHorizon = header.hasDeleteHorizon && header.baseTimestamp <= now
        while let record = try reader.next() {
            let offset = header.baseOffset &+ record.offsetDelta
            guard header.baseOffset...header.lastOffset ~= offset else {
                throw StorageError(.corruptMessage, "a record of the batch at offset \(header.baseOffset) says to have offset \(offset)")
            }
            if offset < mapEnd {
                // From before the topic was compacted: nothing can take its place, ever.
                guard let key = record.key else { continue }
                if let newest = map.offset(of: UnsafeRawBufferPointer(rebasing: records[key])), offset < newest { continue }
                if !record.hasValue {
                    if isPastHorizon { continue }
                    hasTombstone = true
                }
            }
            retained.append(record)
        }
        if retained.isEmpty { return isLast ? emptied(header, batch) : .removed }
        let needsHorizon = hasTombstone && !header.hasDeleteHorizon
        if retained.count == Int(header.recordCount) && !needsHorizon { return .kept }
        return .replaced(try rebuilt(header, batch, records, retained, horizon: needsHorizon ? horizon : nil))
    }

    /// The header of a batch alone.
    private func emptied(_ header: RecordBatchHeader, _ batch: UnsafeRawBufferPointer) -> Outcome {
        if header.recordCount == 0 { return .kept }
        var bytes = [UInt8](batch[..<RecordBatchHeader.size])
        RecordBatchHeader.finish(
            &bytes, attributes: header.attributes & ~0x07, baseTimestamp: header.baseTimestamp, maxTimestamp: header.maxTimestamp, recordCount: 0)
        return .replaced(bytes)
    }

    /// The batch with only `retained` in it. A new horizon becomes the base timestamp; that of the records stays what it was.
    private func rebuilt(
        _ header: RecordBatchHeader, _ batch: UnsafeRawBufferPointer, _ records: UnsafeRawBufferPointer, _ retained: [RawRecord], horizon: Int64?
    ) throws(StorageError) -> [UInt8] {
        var body: [UInt8] = []
        var maxTimestamp: Int64 = -1
        let shift = horizon.map { header.baseTimestamp &- $0 } ?? 0
        for record in retained {
            maxTimestamp = max(maxTimestamp, header.baseTimestamp &+ record.timestampDelta)
            if horizon == nil {
                body += records[record.whole]
            } else {
                var head: [UInt8] = [0]
                head.append(zigzag: record.timestampDelta &+ shift)
                head.append(zigzag: record.offsetDelta)
                body.append(zigzag: Int64(head.count + record.tail.count))
                body += head
                body += records[record.tail]
            }
        }
        var bytes = [UInt8](batch[..<RecordBatchHeader.size])
        bytes += try RecordCompression.compress(body, header.compression ?? .none)
        RecordBatchHeader.finish(
            &bytes, attributes: header.attributes | (horizon == nil ? 0 : RecordBatchHeader.deleteHorizonFlag),
            baseTimestamp: horizon ?? header.baseTimestamp, maxTimestamp: maxTimestamp, recordCount: Int32(retained.count))
        return bytes
    }
}

extension RecordBatchHeader {
    /// Sets what changes when a batch loses records, and its length and checksum.
    fileprivate static func finish(
        _ batch: inout [UInt8], attributes: Int16, baseTimestamp: Int64, maxTimestamp: Int64, recordCount: Int32
    ) {
        batch.withUnsafeMutableBytes { bytes in
            bytes.store(bigEndian: Int32(bytes.count - lengthPrefix), at: 8)
            bytes.store(bigEndian: attributes, at: 21)
            bytes.store(bigEndian: baseTimestamp, at: 27)
            bytes.store(bigEndian: maxTimestamp, at: 35)
            bytes.store(bigEndian: recordCount, at: 57)
            setChecksum(UnsafeMutableRawBufferPointer(bytes))
        }
    }
}
