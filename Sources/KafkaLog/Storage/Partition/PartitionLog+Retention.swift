extension PartitionLog {
    /// Drops old segments as configured, and those before the log start, and closes one that has been written to for long enough. Nothing
    /// that a transaction under way needs is dropped. Returns the number of segments that went; the directory removes their files.
    @discardableResult
    func applyRetention() throws(StorageError) -> Int {
        try checkOnline()
        let now = environment.clock()
        // Without appends nobody else looks at its age.
        if active.size > 0, active.isOld(configuration, now: now) { try roll() }
        // The cleaner is at work on these segments.
        guard compaction == nil else { return 0 }
        var count = 0
        if configuration.isDeleted {
            count = try max(expired(now: now), excess())
            // The one that is written to may go as well once it is closed.
            if count == segments.count {
                if active.size > 0 { try roll() } else { count -= 1 }
            }
        }
        while count < segments.count - 1 && segments[count].endOffset <= logStartOffset { count += 1 }
        drop(count)
        return count
    }

    /// How many segments, oldest first, have only records that are too old.
    private func expired(now: Int64) throws(StorageError) -> Int {
        guard configuration.retentionMilliseconds >= 0 else { return 0 }
        let limit = now - configuration.retentionMilliseconds
        var count = 0
        for segment in segments where segment.endOffset <= lastStableOffset && segment.size > 0 {
            let newest = try segment.largestTimestamp()?.timestamp ?? segment.modified()
            guard newest < limit else { break }
            count += 1
        }
        return count
    }

    /// How many segments, oldest first, are not needed to keep `retention.bytes`.
    private func excess() -> Int {
        guard configuration.retentionBytes >= 0 else { return 0 }
        var excess = byteCount - configuration.retentionBytes
        var count = 0
        for segment in segments.dropLast() {
            guard segment.endOffset <= lastStableOffset, excess >= segment.size else { break }
            excess -= segment.size
            count += 1
        }
        return count
    }

    private func drop(_ count: Int) {
        guard count > 0 else { return }
        let paths = segments.prefix(count).flatMap(\.paths)
        segments.removeFirst(count)
        moveLogStart(to: max(logStartOffset, segments[0].baseOffset))
        environment.removals += paths
    }

    /// Records before `offset` are not given out any more; -1 is the high watermark. The caller makes the new log start durable.
    /// - Throws: `offsetOutOfRange` above the high watermark.
    func deleteRecords(before offset: Int64) throws(StorageError) {
        try checkOnline()
        let target = offset == -1 ? highWatermark : offset
        guard target >= 0, target <= highWatermark else {
            throw StorageError(.offsetOutOfRange, "records of \(name) can be deleted up to \(highWatermark), not to \(offset)")
        }
        if target > logStartOffset { moveLogStart(to: target) }
    }

    private func moveLogStart(to offset: Int64) {
        logStartOffset = offset
        if let first = aborted.first, first.lastOffset < segments[0].baseOffset {
            aborted.removeAll { $0.lastOffset < segments[0].baseOffset }
        }
    }

    /// Forgets producers that wrote nothing for so long (`producer.id.expiration.ms`, a day by default) and have no transaction.
    package func expireProducers(after milliseconds: Int64) {
        producers.expire(notSince: environment.clock() - milliseconds)
    }
}
