import Glibc

extension Segment {
    private func openIndexes() throws(StorageError) {
        guard !hasIndexes else { return }
        if Directories.exists(path(".index")), Directories.exists(path(".timeindex")),
            let offsets = try SparseIndex(.offsets, file: LogFile(path(".index"), .read)),
            let times = try SparseIndex(.times, file: LogFile(path(".timeindex"), .read)),
            try offsets.last?.value ?? 0 < size || size == 0
        {
            indexes.offsets = offsets
            indexes.times = times
            indexes.largest = try times.last.map { TimestampOffset(offset: $0.value + baseOffset, timestamp: $0.key) }
            hasIndexes = true
            if let last = try times.last, try !isRight(time: last) { try rebuildIndexes("the last entry by time does not point to its batch") }
        } else {
            try rebuildIndexes("an index is missing or has an impossible length")
        }
    }

    /// Makes the indexes from the batches' headers.
    private func rebuildIndexes(_ reason: String) throws(StorageError) {
        let wasClosed = isClosed
        let (size, endOffset) = (size, endOffset)
        forgetIndexes()
        hasIndexes = true
        isClosed = false
        let result = try scan(try file(), from: 0, offset: baseOffset, fileSize: size, checksumsFrom: .max)
        environment.report(
            RecoveryEvent(kind: .rebuilt, path: path(".index"), offset: baseOffset, position: 0, bytes: self.size, reason: reason))
        if let problem = result.problem {
            // What is readable is served; the rest of the segment keeps its place.
            environment.report(
                RecoveryEvent(
                    kind: .damaged, path: path(".log"), offset: self.endOffset, position: problem.position,
                    bytes: size - problem.position, reason: problem.reason))
        }
        if wasClosed {
            indexes.noteLargest(base: baseOffset)
            isClosed = true
            // They serve from memory now; if there is no room for the files, the next start makes them again.
            _ = try? writeIndexes()
        }
        self.size = size
        self.endOffset = endOffset
    }

    /// Whether its last batch ends with the file and before the offset `next`: for a segment that is dense and not yet loaded. Of its batches
    /// only those behind the last index entry are looked at; nothing is kept open.
    func ends(at next: Int64) throws(StorageError) -> Bool {
        let file = try LogFile(path(".log"), .read)
        var start = (position: Int64(0), offset: baseOffset)
        if Directories.exists(path(".index")), let index = try SparseIndex(.offsets, file: LogFile(path(".index"), .read)),
            let last = try index.last, last.value < size
        {
            start = (last.value, last.key + baseOffset)
        }
        var scanner = scanner(file, from: start.position, to: size, offset: start.offset, checksumsFrom: .max, chunkSize: 1 << 13)
        while true {
            switch try scanner.next() {
            case .batch: continue
            case .end: return scanner.offset == next
            case .invalid: return false
            }
        }
    }

    struct Place {
        let header: RecordBatchHeader
        let position: Int64
    }

    /// The batch that contains `offset`, or in a sparse segment the first behind it; nil at the end of the segment.
    func batch(containing offset: Int64) throws(StorageError) -> Place? {
        guard offset >= baseOffset, offset < endOffset else { return nil }
        try openIndexes()
        var hint = try indexes.offsets.last(keyAtMost: offset - baseOffset)
        if let entry = hint, try !isRight(entry) {
            try rebuildIndexes("entry for offset \(entry.key + baseOffset) does not point to its batch")
            hint = try indexes.offsets.last(keyAtMost: offset - baseOffset)
        }
        return try first(from: hint?.value ?? 0, offset: (hint?.key ?? 0) + baseOffset) { $0.nextOffset > offset }
    }

    private func isRight(_ entry: SparseIndex.Entry) throws(StorageError) -> Bool {
        guard entry.value < size else { return false }
        var scanner = scanner(
            try file(), from: entry.value, to: size, offset: entry.key + baseOffset, checksumsFrom: .max, chunkSize: RecordBatchHeader.size)
        guard case .batch(let header, _) = try scanner.next() else { return false }
        return header.baseOffset == entry.key + baseOffset
    }

    func isRight(time entry: SparseIndex.Entry) throws(StorageError) -> Bool {
        guard let place = try batch(containing: entry.value + baseOffset) else { return false }
        return place.header.baseOffset == entry.value + baseOffset && place.header.maxTimestamp == entry.key
    }

    private func first(
        from position: Int64, offset: Int64, where isWanted: (RecordBatchHeader) -> Bool
    ) throws(StorageError) -> Place? {
        let file = try file()
        var scanner = scanner(file, from: position, to: size, offset: offset, checksumsFrom: .max, chunkSize: 1 << 12)
        while true {
            switch try scanner.next() {
            case .batch(let header, let position):
                if isWanted(header) { return Place(header: header, position: position) }
            case .end: return nil
            case .invalid(let problem): throw damaged(problem)
            }
        }
    }

    /// The last end of a batch at or before the position `limit`, and after `start`, where the batch with `offset` begins;
    /// nil when that batch ends later.
    func lastBatchEnd(
        atMost limit: Int64, from start: Int64, offset: Int64
    ) throws(StorageError) -> (position: Int64, offset: Int64)? {
        try openIndexes()
        var from: (position: Int64, offset: Int64) = (start, offset)
        if let entry = try indexes.offsets.last(valueAtMost: limit), entry.value > start, try isRight(entry) {
            from = (entry.value, entry.key + baseOffset)
        }
        var scanner = scanner(
            try file(), from: from.position, to: size, offset: from.offset, checksumsFrom: .max, chunkSize: 1 << 12)
        var end: (position: Int64, offset: Int64)? = from.position > start ? from : nil
        while true {
            switch try scanner.next() {
            case .batch:
                guard scanner.position <= limit else { return end }
                end = (scanner.position, scanner.offset)
            case .end: return end
            case .invalid(let problem): throw damaged(problem)
            }
        }
    }

    private func damaged(_ problem: BatchScanner.Problem) -> StorageError {
        StorageError(.storageError, "\(path(".log")) is damaged at byte \(problem.position): \(problem.reason)")
    }

    /// Goes over all batches from the one that contains `offset` on, until `body` says false.
    func forEachBatch(from offset: Int64, _ body: (Place) throws(StorageError) -> Bool) throws(StorageError) {
        guard let start = try batch(containing: max(offset, baseOffset)) else { return }
        var scanner = scanner(
            try file(), from: start.position, to: size, offset: start.header.baseOffset, checksumsFrom: .max, chunkSize: 1 << 16)
        while true {
            switch try scanner.next() {
            case .batch(let header, let position):
                guard try body(Place(header: header, position: position)) else { return }
            case .end: return
            case .invalid(let problem): throw damaged(problem)
            }
        }
    }

    /// The largest timestamp and the batch that has it; nil when no record has one.
    func largestTimestamp() throws(StorageError) -> TimestampOffset? {
        try openIndexes()
        return indexes.largest
    }

    /// When the file was last written to, milliseconds since 1970: the age of records without timestamps.
    func modified() -> Int64 {
        var status = stat()
        guard stat(path(".log"), &status) == 0 else { return environment.clock() }
        return Int64(status.st_mtim.tv_sec) * 1000 + Int64(status.st_mtim.tv_nsec) / 1_000_000
    }

    /// The first batch with a record at or after `timestamp`.
    func batch(atOrAfter timestamp: Int64) throws(StorageError) -> Place? {
        try openIndexes()
        var hint = try indexes.times.last(keyAtMost: timestamp)
        if let entry = hint, try !isRight(time: entry) {
            try rebuildIndexes("entry for time \(entry.key) does not point to its batch")
            hint = try indexes.times.last(keyAtMost: timestamp)
        }
        guard let start = try batch(containing: (hint?.value ?? 0) + baseOffset) else { return nil }
        return try first(from: start.position, offset: start.header.baseOffset) { $0.maxTimestamp >= timestamp && $0.recordCount > 0 }
    }

    func bytes(of place: Place) throws(StorageError) -> [UInt8] {
        try file().read(at: place.position, count: place.header.totalSize)
    }

    /// All files that belong to it.
    var paths: [String] { Self.suffixes.map(path) }

    static let suffixes = [".log", ".index", ".timeindex", ".txnindex", ".snapshot"]
}
