/// Both indexes of a segment while it is written, and what the next entries depend on.
struct SegmentIndexes {
    var offsets = SparseIndex(.offsets)
    var times = SparseIndex(.times)
    /// The largest timestamp of a record so far and the batch that has it.
    var largest: TimestampOffset?
    var bytesSinceEntry = 0

    /// Takes note of the batch at a position.
    /// - Parameters:
    ///   - base: the segment's base offset.
    ///   - interval: one entry for about so many bytes.
    mutating func note(_ header: RecordBatchHeader, at position: Int64, base: Int64, interval: Int) {
        // A batch that the cleaner left without records has none with a timestamp.
        if header.recordCount > 0, header.maxTimestamp > largest?.timestamp ?? -1 {
            largest = TimestampOffset(offset: header.baseOffset, timestamp: header.maxTimestamp)
        }
        if bytesSinceEntry > interval {
            offsets.append(key: header.baseOffset - base, value: position)
            noteLargest(base: base)
            bytesSinceEntry = 0
        }
        bytesSinceEntry += header.totalSize
    }

    /// Gives the largest timestamp so far an entry, unless it has one.
    mutating func noteLargest(base: Int64) {
        guard let largest, largest.timestamp > lastTime else { return }
        times.append(key: largest.timestamp, value: largest.offset - base)
    }

    /// In memory, so that reading it cannot fail.
    private var lastTime: Int64 { ((try? times.last) ?? nil)?.key ?? -1 }

    /// Writes them to two files. Durable only if `synchronize`.
    func write(
        offsetsTo offsetsPath: String, timesTo timesPath: String, base: Int64, operations: FileOperations, synchronize: Bool
    ) throws(StorageError) -> [LogFile] {
        var all = self
        all.noteLargest(base: base)
        return [
            try CheckedFile.write(offsetsPath, try offsets.bytes(), operations: operations, synchronize: synchronize),
            try CheckedFile.write(timesPath, try all.times.bytes(), operations: operations, synchronize: synchronize),
        ]
    }
}
