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
        guard let (segment, start) = try firstBatch(at: offset) else {
            throw StorageError(.storageError, "\(name) has no batch with offset \(offset), which was acknowledged: a segment is damaged")
        }
        guard start.header.baseOffset < limit else { return result(nil, aborted: []) }
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

    /// The batch with an offset, or the first behind it where the cleaner has removed it.
    private func firstBatch(at offset: Int64) throws(StorageError) -> (Segment, Segment.Place)? {
        guard var index = indexOfSegment(containing: offset) else { return nil }
        while true {
            let segment = segments[index]
            if let place = try segment.batch(containing: max(offset, segment.baseOffset)) { return (segment, place) }
            guard segment.isSparse, index + 1 < segments.count else { return nil }
            index += 1
        }
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

    private func indexOfSegment(containing offset: Int64) -> Int? {
        var low = 0
        var high = segments.count
        while low < high {
            let middle = (low + high) / 2
            if segments[middle].baseOffset > offset { high = middle } else { low = middle + 1 }
        }
        return low == 0 ? nil : low - 1
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
    package func offset(atOrAfter timestamp: Int64, isolation: IsolationLevel) throws(StorageError) -> TimestampOffset? {
        for segment in segments where segment.endOffset > logStartOffset && segment.size > 0 {
            guard let largest = try segment.largestTimestamp(), largest.timestamp >= timestamp else { continue }
            guard let found = try firstRecord(in: segment, atOrAfter: timestamp) else { continue }
            return found.offset < limit(isolation) ? found : nil
        }
        return nil
    }

    /// The record with the largest timestamp, the first of several; nil when none has one.
    package func offsetOfMaximumTimestamp() throws(StorageError) -> TimestampOffset? {
        var best: (segment: Segment, largest: TimestampOffset)?
        for segment in segments where segment.endOffset > logStartOffset && segment.size > 0 {
            guard let largest = try largestTimestamp(in: segment), largest.timestamp > best?.largest.timestamp ?? -1 else { continue }
            best = (segment, largest)
        }
        guard let best else { return nil }
        return try firstRecord(in: best.segment, atOrAfter: best.largest.timestamp)
    }

    /// The largest timestamp in a segment from the log start on, and the batch that has it.
    private func largestTimestamp(in segment: Segment) throws(StorageError) -> TimestampOffset? {
        guard segment.baseOffset < logStartOffset else { return try segment.largestTimestamp() }
        var largest: TimestampOffset?
        try segment.forEachBatch(from: logStartOffset) { (place) throws(StorageError) -> Bool in
            guard place.header.recordCount > 0 else { return true }
            var timestamp = place.header.maxTimestamp
            // Of the batch in which the log begins the newest record may be before that.
            if place.header.baseOffset < logStartOffset, var records = try? RecordIterator(batch: segment.bytes(of: place)) {
                timestamp = -1
                while let record = try? records.next() {
                    if record.offset >= logStartOffset { timestamp = max(timestamp, record.timestamp) }
                }
            }
            if timestamp > largest?.timestamp ?? -1 { largest = TimestampOffset(offset: place.header.baseOffset, timestamp: timestamp) }
            return true
        }
        return largest
    }

    /// The first record from the log start on with this timestamp or a later one.
    private func firstRecord(in segment: Segment, atOrAfter timestamp: Int64) throws(StorageError) -> TimestampOffset? {
        guard var place = try segment.batch(atOrAfter: timestamp) else { return nil }
        if place.header.nextOffset <= logStartOffset {
            guard let next = try segment.batch(containing: logStartOffset) else { return nil }
            place = next
        }
        var found: TimestampOffset?
        try segment.forEachBatch(from: place.header.baseOffset) { (place) throws(StorageError) -> Bool in
            guard place.header.maxTimestamp >= timestamp, place.header.recordCount > 0 else { return true }
            found = try firstRecord(of: place, in: segment, atOrAfter: timestamp)
            return found == nil
        }
        return found
    }

    private func firstRecord(
        of place: Segment.Place, in segment: Segment, atOrAfter timestamp: Int64
    ) throws(StorageError) -> TimestampOffset? {
        do throws(StorageError) {
            var records = try RecordIterator(batch: segment.bytes(of: place))
            while let record = try records.next() {
                if record.offset >= logStartOffset, record.timestamp >= timestamp {
                    return TimestampOffset(offset: record.offset, timestamp: record.timestamp)
                }
            }
            return nil
        } catch where error.code != .storageError {
            // Producers may put anything into a batch, also what unpacks to too much. Its header is what counts then: a reader that starts
            // there misses nothing.
            return TimestampOffset(offset: max(place.header.baseOffset, logStartOffset), timestamp: place.header.maxTimestamp)
        }
    }
}
