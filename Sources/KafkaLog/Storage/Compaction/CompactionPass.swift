/// The work of a `CompactionJob`: first a map of the newest offset of every key, then one segment after the other without what is older.
struct CompactionPass {
    private let job: CompactionJob
    private let plan: CompactionPlan
    private var cleaned: CleanedLog
    private var result = CompactionResult()

    init(_ job: CompactionJob) {
        self.job = job
        plan = job.plan
        cleaned = plan.cleaned
        cleaned.segments.removeAll { $0.base < plan.segments[0].base }
    }

    mutating func run(_ report: (CompactionStep) -> Void) throws(CompactionFailure) {
        try finishSwap()
        let (map, end) = try readKeys()
        var cleaner = BatchCleaner(
            map: map, mapEnd: end, lastOfProducers: plan.lastOfProducers, now: plan.now,
            deleteRetention: plan.configuration.deleteRetentionMilliseconds, decompressedLimit: RecordBatchHeader.decompressedLimit,
            transactions: CleanedTransactions(aborted: plan.aborted))
        var sources = plan.segments.filter { $0.base < end }[...]
        while !sources.isEmpty { sources = try sources.dropFirst(cleanSome(of: sources, &cleaner, report)) }
        cleaned.point = max(cleaned.point, end)
        try writeState()
        report(.finished(cleaned, result))
    }

    /// Without room for it nothing has changed; when its name cannot be changed it is not known what a restart would find.
    private func writeState() throws(CompactionFailure) {
        let (cleaned, plan) = (cleaned, plan)
        try job.inDirectory { () throws(StorageError) in try cleaned.prepare(plan.directory, plan.operations) }
        try job.inDirectory(.undecided) { () throws(StorageError) in try CleanedLog.publish(plan.directory, plan.operations) }
    }

    /// Nothing may be written under a name that an earlier decision, still on disk, gives to another file.
    private mutating func finishSwap() throws(CompactionFailure) {
        guard cleaned.swap != nil else { return }
        let (done, plan) = (cleaned, plan)
        try job.inDirectory(.undecided) { () throws(StorageError) in try done.removeReplaced(plan.directory, plan.operations) }
        cleaned.finishSwap()
        try writeState()
    }

    // MARK: Keys

    /// Puts committed records from the first dirty offset on into a map, as many as have room. Returns it, and the offset where it ends.
    private mutating func readKeys() throws(CompactionFailure) -> (OffsetMap, end: Int64) {
        let last = plan.segments[plan.segments.count - 1].end
        var map = OffsetMap(memory: plan.memory, keys: Int(clamping: last - plan.firstDirty))
        var transactions = CleanedTransactions(aborted: plan.aborted.filter { $0.lastOffset >= plan.firstDirty })
        var end = last
        for segment in plan.segments where segment.end > plan.firstDirty && end == last {
            try forEachBatch(segment) { (header, batch) throws(StorageError) -> Bool in
                guard header.nextOffset > plan.firstDirty else { return true }
                if header.isControl {
                    if let marker = try EndTransactionMarker(batch: [UInt8](batch)) { _ = transactions.readMarker(header, marker) }
                    return true
                }
                if transactions.readData(header) || header.recordCount == 0 { return true }
                return try header.withRecords(of: batch, limit: RecordBatchHeader.decompressedLimit) { (records) throws(StorageError) -> Bool in
                    var reader = RawRecordReader(records, count: header.recordCount)
                    while let record = try reader.next() {
                        let offset = header.baseOffset &+ record.offsetDelta
                        guard offset >= plan.firstDirty, let key = record.key else { continue }
                        if !map.put(UnsafeRawBufferPointer(rebasing: records[key]), offset) {
                            end = offset
                            return false
                        }
                    }
                    return true
                }
            }
        }
        return (map, end)
    }

    // MARK: Segments

    /// Makes one segment of the first of `sources`, and of those behind it as long as there is room: a log of many updates does not end as many
    /// tiny files. Returns how many it took.
    private mutating func cleanSome(
        of sources: ArraySlice<CompactionPlan.Source>, _ cleaner: inout BatchCleaner, _ report: (CompactionStep) -> Void
    ) throws(CompactionFailure) -> Int {
        let (base, plan) = (sources[sources.startIndex].base, plan)
        var writer = try job.inDirectory { () throws(StorageError) in
            try CleanedSegmentWriter(
                base, in: plan.directory, indexInterval: plan.configuration.indexIntervalBytes, operations: plan.operations)
        }
        do throws(CompactionFailure) {
            let group = try copy(sources, to: &writer, &cleaner)
            try replace(group, by: &writer, &cleaner, report)
            return group.count
        } catch {
            // Once it is decided on it is not for this pass to undo.
            if error.kind == .failed || error.kind == .unreadable, cleaned.swap == nil {
                try? job.inDirectory { [writer] () throws(StorageError) in writer.discard() }
            }
            throw error
        }
    }

    private struct Group {
        var sources: [CompactionPlan.Source] = []
        var isChanged = false
        var count: Int { sources.count }
    }

    private mutating func copy(
        _ sources: ArraySlice<CompactionPlan.Source>, to writer: inout CleanedSegmentWriter, _ cleaner: inout BatchCleaner
    ) throws(CompactionFailure) -> Group {
        var group = Group()
        for segment in sources {
            if group.count > 0 {
                let hasRoom = writer.size + segment.size <= Int64(plan.configuration.segmentBytes)
                guard hasRoom, segment.end - writer.base < Int64(Int32.max) else { break }
                group.isChanged = true
            }
            group.sources.append(segment)
            try forEachBatch(segment) { (header, batch) throws(StorageError) -> Bool in
                switch try cleaner.clean(header, batch) {
                case .kept: try writer.append(batch, header)
                case .removed: group.isChanged = true
                case .replaced(let bytes):
                    group.isChanged = true
                    try bytes.withBytes { (bytes) throws(StorageError) in try writer.append(bytes, RecordBatchHeader(bytes)) }
                }
                return true
            }
            result.bytesRead += segment.size
        }
        return group
    }

    private mutating func replace(
        _ group: Group, by writer: inout CleanedSegmentWriter, _ cleaner: inout BatchCleaner, _ report: (CompactionStep) -> Void
    ) throws(CompactionFailure) {
        let aborted = cleaner.transactions.takeNeeded()
        guard group.isChanged else {
            try job.inDirectory { [writer] () throws(StorageError) in writer.discard() }
            return
        }
        do throws(StorageError) { try writer.finishLog() } catch { throw CompactionFailure(kind: .failed, error: error) }
        let entry = CleanedLog.Entry(base: writer.base, end: group.sources[group.count - 1].end, size: writer.size)
        try job.inDirectory { [writer] () throws(StorageError) in try writer.writeIndexes(aborted: aborted) }
        cleaned.swap = CleanedLog.Swap(segment: entry, replaced: group.sources.map(\.base))
        do throws(CompactionFailure) {
            try writeState()
        } catch {
            if error.kind == .failed { cleaned.swap = nil }
            throw error
        }
        report(.install(cleaned, aborted: aborted))
        try job.waitForInstallation()
        try finishSwap()
        result.bytesWritten += entry.size
        result.segments += 1
    }

    /// Goes over the batches of a segment, comparing checksums, until `body` says false.
    private func forEachBatch(
        _ segment: CompactionPlan.Source, _ body: (RecordBatchHeader, UnsafeRawBufferPointer) throws(StorageError) -> Bool
    ) throws(CompactionFailure) {
        let directory = plan.directory
        let file = try job.inDirectory { () throws(StorageError) in
            try LogFile("\(directory)/\(Segment.stem(segment.base)).log", .read)
        }
        var scanner = BatchScanner(
            file, from: 0, to: segment.size, offset: segment.base, allowsGaps: segment.isSparse, checksumsFrom: -1, chunkSize: 1 << 18)
        while true {
            try job.checkCancelled()
            do throws(StorageError) {
                switch try scanner.next() {
                case .batch(let header, let position):
                    let batch = try file.read(at: position, count: header.totalSize)
                    guard try batch.withBytes({ (bytes) throws(StorageError) -> Bool in try body(header, bytes) }) else { return }
                case .end: return
                case .invalid(let problem):
                    throw StorageError(.corruptMessage, "\(file.path) is damaged at byte \(problem.position): \(problem.reason)")
                }
            } catch {
                throw CompactionFailure(kind: error.code == .storageError ? .failed : .unreadable, error: error)
            }
        }
    }
}
