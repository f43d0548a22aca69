extension PartitionLog {
    /// Appends the one record batch of a produce request. Its base offset and leader epoch are set in place, outside its checksum; nothing
    /// else of it changes. It is not durable yet: answer once `highWatermark` has reached the result's `acknowledgedAt`.
    /// - Throws: `corruptMessage`, `invalidRecord`, `unsupportedForMessageFormat`, `messageTooLarge` for what is wrong with the batch;
    ///   `outOfOrderSequenceNumber`, `duplicateSequenceNumber`, `invalidProducerEpoch`, `invalidTransactionState` by its producer's state;
    ///   `storageError` when it cannot be written. In all cases nothing was appended.
    package func append(_ batch: UnsafeMutableRawBufferPointer) throws(StorageError) -> AppendResult {
        try checkOnline()
        let bytes = UnsafeRawBufferPointer(batch)
        var header = try RecordBatchHeader(bytes)
        guard header.totalSize == bytes.count else {
            throw header.totalSize > bytes.count
                ? StorageError(.corruptMessage, "a record batch says that it has \(header.totalSize) bytes, \(bytes.count) came")
                : StorageError(.invalidRecord, "a produce request has exactly one batch a partition; \(bytes.count - header.totalSize) bytes follow it")
        }
        guard header.totalSize <= configuration.maxMessageBytes else {
            throw StorageError(
                .messageTooLarge,
                "a batch of \(header.totalSize) bytes is larger than max.message.bytes \(configuration.maxMessageBytes) of \(name.topic)")
        }
        guard header.checksumMatches(bytes) else {
            throw StorageError(.corruptMessage, "the checksum of a batch for \(name) is wrong")
        }
        try header.validateFromProducer()
        try header.validateRecords(bytes)
        // Batches that lie about their records use up offsets fast.
        guard logEndOffset <= Int64.max - Int64(header.recordCount) else {
            throw StorageError(.invalidRecord, "\(name) has no offsets left for \(header.recordCount) records, its end is \(logEndOffset)")
        }
        if configuration.isCompacted { try header.validateForCompaction(bytes, limit: RecordBatchHeader.decompressedLimit) }
        if header.hasProducer, case .repeated(let first) = try producers.check(header) {
            return AppendResult(
                baseOffset: first.firstOffset, lastOffset: first.lastOffset, logStartOffset: logStartOffset, isDuplicate: true)
        }
        header = try write(batch, header)
        if header.hasProducer { producers.didAppend(header, now: environment.clock()) }
        return AppendResult(
            baseOffset: header.baseOffset, lastOffset: header.lastOffset, logStartOffset: logStartOffset, isDuplicate: false)
    }

    /// Appends the marker that ends a producer's transaction here.
    ///
    /// May be called again for the same transaction, as after a crash of its coordinator: then nothing is written, and the result
    /// (`isDuplicate`) is acknowledged with all that is in the log.
    /// - Throws: `invalidProducerEpoch` or `transactionCoordinatorFenced` for a marker from the past; `storageError`.
    package func appendMarker(
        producerID: Int64, producerEpoch: Int16, commit: Bool, coordinatorEpoch: Int32
    ) throws(StorageError) -> AppendResult {
        try checkOnline()
        guard try producers.wouldEnd(producerID: producerID, epoch: producerEpoch, coordinatorEpoch: coordinatorEpoch) else {
            return AppendResult(
                baseOffset: logEndOffset - 1, lastOffset: logEndOffset - 1, logStartOffset: logStartOffset, isDuplicate: true)
        }
        let now = environment.clock()
        var batch = EndTransactionMarker(isCommit: commit, coordinatorEpoch: coordinatorEpoch)
            .batch(producerID: producerID, producerEpoch: producerEpoch, timestamp: now)
        var failure: StorageError?
        let written = batch.withUnsafeMutableBytes { bytes -> RecordBatchHeader? in
            do throws(StorageError) {
                return try write(bytes, RecordBatchHeader(UnsafeRawBufferPointer(bytes)))
            } catch {
                failure = error
                return nil
            }
        }
        guard let header = written else { throw failure ?? StorageError(.unknownServerError, "a marker was not written") }
        didAppendMarker(header, isCommit: commit, coordinatorEpoch: coordinatorEpoch, now: now)
        return AppendResult(
            baseOffset: header.baseOffset, lastOffset: header.lastOffset, logStartOffset: logStartOffset, isDuplicate: false)
    }

    private func didAppendMarker(_ header: RecordBatchHeader, isCommit: Bool, coordinatorEpoch: Int32, now: Int64) {
        let ended = producers.didEnd(header, isCommit: isCommit, coordinatorEpoch: coordinatorEpoch, now: now)
        guard let ended else { return }
        if let range = ended.aborted { aborted.append(range) }
        if header.lastOffset >= highWatermark {
            let index = settling.firstIndex { $0.firstOffset > ended.firstOffset } ?? settling.endIndex
            settling.insert((ended.firstOffset, header.lastOffset), at: index)
        }
    }

    /// Gives a batch its offset and writes it; returns its header as it is in the log.
    private func write(_ batch: UnsafeMutableRawBufferPointer, _ header: RecordBatchHeader) throws(StorageError) -> RecordBatchHeader {
        let offset = logEndOffset
        let hasRoom = active.hasRoom(
            bytes: batch.count, lastOffset: offset + Int64(header.lastOffsetDelta), configuration: configuration, now: environment.clock())
        if !hasRoom { try roll() }
        RecordBatchHeader.assign(baseOffset: offset, leaderEpoch: 0, to: batch)
        let bytes = UnsafeRawBufferPointer(batch)
        let placed = try RecordBatchHeader(bytes)
        try active.append(bytes, placed)
        markDirty()
        if environment.acknowledgesAtOnce { advanceHighWatermark(to: logEndOffset) }
        return placed
    }

    /// Closes the active segment and begins a new one at the log end.
    func roll() throws(StorageError) {
        let closing = active
        let next = try Segment(
            creating: logEndOffset, in: directory, environment: environment, indexInterval: configuration.indexIntervalBytes)
        do throws(StorageError) {
            unsyncedFiles.append(try writeTransactionIndex(of: closing))
            unsyncedFiles.append(try writeSnapshot())
            // Last: when anything fails the segment stays the one that is written to.
            unsyncedFiles += try closing.close()
        } catch {
            // A clean-up that fails leaves an empty file behind: the next try meets it and says so.
            try? Directories.removeFile(next.path(".log"))
            throw error
        }
        segments.append(next)
        unsyncedNames = true
        markDirty()
    }

    func writeTransactionIndex(of segment: Segment) throws(StorageError) -> LogFile {
        let entries = aborted.filter { $0.lastOffset >= segment.baseOffset && $0.lastOffset < segment.endOffset }
        return try CheckedFile.write(
            segment.path(".txnindex"), TransactionIndex.encode(entries), operations: environment.operations, synchronize: false)
    }

    /// Writes the producers as they are at the log end.
    func writeSnapshot() throws(StorageError) -> LogFile {
        try CheckedFile.write(
            "\(directory)/\(Segment.stem(logEndOffset)).snapshot", ProducerSnapshot.encode(producers, offset: logEndOffset),
            operations: environment.operations, synchronize: false)
    }
}

extension ProducerStates {
    struct Ended {
        let firstOffset: Int64
        let aborted: AbortedRange?
    }

    /// Takes note of a marker that is in the log now; nil when there was no transaction to end.
    mutating func didEnd(_ header: RecordBatchHeader, isCommit: Bool, coordinatorEpoch: Int32, now: Int64) -> Ended? {
        let start = didEnd(
            producerID: header.producerID, epoch: header.producerEpoch, coordinatorEpoch: coordinatorEpoch, now: now)
        guard let start else { return nil }
        let range = AbortedRange(
            producerID: header.producerID, firstOffset: start, lastOffset: header.lastOffset,
            lastStableOffset: firstUndecidedOffset ?? header.nextOffset)
        return Ended(firstOffset: start, aborted: isCommit ? nil : range)
    }
}
