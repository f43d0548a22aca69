extension PartitionLog {
    /// What is below was cleaned at least once.
    package var cleanerPoint: Int64 { cleaned.point }

    /// How much there is to clean.
    struct Dirtiness {
        let clean: Int64
        let dirty: Int64
        /// Something has waited for `max.compaction.lag.ms`.
        let isOverdue: Bool

        /// The part of what can be cleaned that never was; 0 when there is nothing.
        var ratio: Double { dirty == 0 ? 0 : Double(dirty) / Double(clean + dirty) }
    }

    /// The segments that may be cleaned: neither the one that is written to, nor what is at or above the last stable offset, nor what is
    /// younger than `min.compaction.lag.ms` or behind something that is.
    private func cleanable() throws(StorageError) -> ArraySlice<Segment> {
        let now = environment.clock()
        var count = 0
        for segment in segments.dropLast() {
            guard segment.endOffset <= lastStableOffset else { break }
            if configuration.minCompactionLagMilliseconds > 0, segment.endOffset > cleaned.point {
                let newest = try segment.largestTimestamp()?.timestamp ?? segment.modified()
                guard newest <= now - configuration.minCompactionLagMilliseconds else { break }
            }
            count += 1
        }
        return segments.prefix(count)
    }

    /// nil when nothing can be cleaned.
    func dirtiness() throws(StorageError) -> Dirtiness? {
        guard configuration.isCompacted, compaction == nil, uncleanable == nil, damage == nil, !isDeleted else { return nil }
        let cleanable = try cleanable()
        guard let first = cleanable.first(where: { $0.endOffset > cleaned.point }) else { return nil }
        let dirty = cleanable.reduce(0) { $0 + ($1.endOffset > cleaned.point ? $1.size : 0) }
        var isOverdue = false
        if configuration.maxCompactionLagMilliseconds < .max {
            let oldest = try first.batch(containing: first.baseOffset)?.header.maxTimestamp ?? -1
            let age = environment.clock() - (oldest >= 0 ? oldest : first.modified())
            isOverdue = age >= configuration.maxCompactionLagMilliseconds
        }
        return Dirtiness(clean: cleanable.reduce(0) { $0 + $1.size } - dirty, dirty: dirty, isOverdue: isOverdue)
    }

    /// A pass over all that may be cleaned; nil when there is nothing.
    func beginCompaction(memory: Int) throws(StorageError) -> CompactionJob? {
        let cleanable = try cleanable()
        guard let last = cleanable.last, last.endOffset > cleaned.point else { return nil }
        let plan = CompactionPlan(
            name: name, directory: directory,
            segments: cleanable.map { CompactionPlan.Source(base: $0.baseOffset, end: $0.endOffset, size: $0.size, isSparse: $0.isSparse) },
            cleaned: cleaned, firstDirty: max(cleaned.point, segments[0].baseOffset), aborted: aborted,
            lastOfProducers: producers.entries.mapValues {
                BatchCleaner.LastOfProducer(epoch: $0.epoch, lastDataOffset: $0.batches.last?.lastOffset)
            },
            configuration: configuration, now: environment.clock(), operations: environment.operations, memory: memory)
        let job = try CompactionJob(plan)
        compaction = job
        return job
    }

    /// Gives the new segment its place, on disk and among the segments. Regions of the old ones that were given out stay readable.
    func install(_ cleaned: CleanedLog, aborted needed: [AbortedRange]) throws(StorageError) {
        guard let swap = cleaned.swap else { return }
        guard let first = segments.firstIndex(where: { $0.baseOffset == swap.segment.base }),
            segments[first...].prefix(swap.replaced.count).map(\.baseOffset) == swap.replaced
        else {
            preconditionFailure("the segments of \(name) changed while they were cleaned")
        }
        try cleaned.moveIntoPlace(directory, environment.operations)
        let segment = try Segment(
            existing: swap.segment.base, endOffset: swap.segment.end, isSparse: true, in: directory, environment: environment,
            indexInterval: configuration.indexIntervalBytes)
        segments.replaceSubrange(first..<first + swap.replaced.count, with: [segment])
        aborted.removeAll { $0.lastOffset >= swap.segment.base && $0.lastOffset < swap.segment.end }
        let index = aborted.firstIndex { $0.lastOffset >= swap.segment.end } ?? aborted.endIndex
        aborted.insert(contentsOf: needed, at: index)
        self.cleaned = cleaned
    }

    /// Ends the pass under way, if there is one: when this returns it does nothing in the directory any more.
    func cancelCompaction() {
        compaction?.cancel()
        compaction = nil
    }
}
