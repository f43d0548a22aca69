extension PartitionLog {
    /// Finds what to send to a reader at `offset`: whole batches of one segment, at most `maxBytes` but one batch at least if
    /// `minimumOneBatch`; never beyond the high watermark or, for `readCommitted`, the last stable offset.
    /// - Throws: `offsetOutOfRange` below the log start and above the log end; `storageError` where the log is damaged.
    package func read(
        from offset: Int64, maxBytes: Int, minimumOneBatch: Bool, isolation: IsolationLevel
    ) throws(StorageError) -> FetchResult {
        if isDeleted { throw StorageError(.unknownTopicOrPartition, "partition \(name) was deleted") }
        // A reader must not be told that it has reached the end where records are damaged, let alone to start over.
        if let damage, offset >= logEndOffset { throw damage }
        guard offset >= logStartOffset, offset <= logEndOffset else {
            throw StorageError(
                .offsetOutOfRange, "offset \(offset) is not in \(name), which has \(logStartOffset) to \(logEndOffset)")
        }
        let limit = limit(isolation)
        guard offset < limit else { return result(nil, aborted: []) }
        guard let segment = segment(containing: offset), let start = try segment.batch(containing: offset) else {
            throw StorageError(.storageError, "\(name) has no batch with offset \(offset), which was acknowledged: a segment is damaged")
        }
        let limitPosition = try limit < segment.endOffset ? segment.batch(containing: limit)?.position ?? segment.size : segment.size
        var end = (position: limitPosition, offset: min(limit, segment.endOffset))
        if limitPosition - start.position > Int64(max(0, maxBytes)) {
            let cut = try segment.lastBatchEnd(
                atMost: start.position + Int64(max(0, maxBytes)), from: start.position, offset: start.header.baseOffset)
            if let cut {
                end = cut
            } else if minimumOneBatch {
                end = (start.position + Int64(start.header.totalSize), start.header.nextOffset)
            } else {
                return result(nil, aborted: [])
            }
        }
        let region = FileRegion(file: try segment.file(), position: start.position, length: Int(end.position - start.position))
        let aborted = isolation == .readCommitted ? abortedTransactions(from: start.header.baseOffset, to: end.offset) : []
        return result(region, aborted: aborted, offsets: end.offset - start.header.baseOffset)
    }

    private func result(_ region: FileRegion?, aborted: [AbortedTransaction], offsets: Int64 = 0) -> FetchResult {
        FetchResult(
            region: region, highWatermark: highWatermark, lastStableOffset: lastStableOffset, logStartOffset: logStartOffset,
            abortedTransactions: aborted, offsetCount: offsets)
    }

    /// What a reader sees is below.
    package func limit(_ isolation: IsolationLevel) -> Int64 {
        isolation == .readCommitted ? lastStableOffset : highWatermark
    }

    private func segment(containing offset: Int64) -> Segment? {
        var low = 0
        var high = segments.count
        while low < high {
            let middle = (low + high) / 2
            if segments[middle].baseOffset > offset { high = middle } else { low = middle + 1 }
        }
        return low == 0 ? nil : segments[low - 1]
    }

    /// The aborted transactions that have records in `[start, end)`, by first offset.
    private func abortedTransactions(from start: Int64, to end: Int64) -> [AbortedTransaction] {
        var low = 0
        var high = aborted.count
        while low < high {
            let middle = (low + high) / 2
            if aborted[middle].lastOffset >= start { high = middle } else { low = middle + 1 }
        }
        var found: [AbortedTransaction] = []
        for range in aborted[low...] {
            if range.firstOffset < end { found.append(AbortedTransaction(producerID: range.producerID, firstOffset: range.firstOffset)) }
            if range.lastStableOffset >= end { break }
        }
        return found.sorted { ($0.firstOffset, $0.producerID) < ($1.firstOffset, $1.producerID) }
    }

    // MARK: By time

    /// The first record at or after `timestamp` (milliseconds since 1970) that a reader may see, or nil.
    ///
    /// Exact in an uncompressed batch. Of a compressed one, which is not opened here, the first record is given: a reader that starts
    /// there gets some records from before `timestamp`, and misses none.
    package func offset(atOrAfter timestamp: Int64, isolation: IsolationLevel) throws(StorageError) -> TimestampOffset? {
        for segment in segments where segment.endOffset > logStartOffset && segment.size > 0 {
            guard let largest = try segment.largestTimestamp(), largest.timestamp >= timestamp else { continue }
            guard let place = try place(in: segment, atOrAfter: timestamp) else { continue }
            let found = try firstRecord(in: segment, place) { $0 >= timestamp }
            return found.offset < limit(isolation) ? found : nil
        }
        return nil
    }

    /// The record with the largest timestamp, the first of several; nil when none has one. As exact as `offset(atOrAfter:isolation:)`.
    package func offsetOfMaximumTimestamp() throws(StorageError) -> TimestampOffset? {
        var best: (segment: Segment, largest: TimestampOffset)?
        for segment in segments where segment.endOffset > logStartOffset && segment.size > 0 {
            guard let largest = try segment.largestTimestamp(), largest.timestamp > best?.largest.timestamp ?? -1 else { continue }
            best = (segment, largest)
        }
        guard let best, let place = try best.segment.batch(containing: best.largest.offset) else { return nil }
        let found = try firstRecord(in: best.segment, place) { $0 >= best.largest.timestamp }
        return TimestampOffset(offset: found.offset, timestamp: best.largest.timestamp)
    }

    private func place(in segment: Segment, atOrAfter timestamp: Int64) throws(StorageError) -> Segment.Place? {
        if let place = try segment.batch(atOrAfter: timestamp), place.header.nextOffset > logStartOffset { return place }
        // What comes first is before the log start: look on from there.
        var found: Segment.Place?
        try segment.forEachBatch(from: logStartOffset) { (place) throws(StorageError) in
            if found == nil, place.header.maxTimestamp >= timestamp { found = place }
        }
        return found
    }

    private func firstRecord(
        in segment: Segment, _ place: Segment.Place, where isWanted: (Int64) -> Bool
    ) throws(StorageError) -> TimestampOffset {
        let header = place.header
        if header.compression == RecordBatchHeader.Compression.none {
            do throws(StorageError) {
                var records = try RecordIterator(batch: segment.bytes(of: place))
                while let record = try records.next() {
                    if record.offset >= logStartOffset, isWanted(record.timestamp) {
                        return TimestampOffset(offset: record.offset, timestamp: record.timestamp)
                    }
                }
            } catch where error.code == .corruptMessage {
                // Producers may put anything into a batch; its header is what counts then.
            }
        }
        return TimestampOffset(offset: max(header.baseOffset, logStartOffset), timestamp: header.baseTimestamp)
    }
}
