import Glibc

/// What the files of a partition that is not open tell of its segments, without going over them.
struct SegmentFacts {
    let base: Int64
    let size: Int64
    /// Of the file of batches, milliseconds since 1970.
    let modified: Int64
}

extension SegmentFacts {
    /// The segments of a partition, oldest first.
    static func list(_ directory: String) throws(StorageError) -> ClosedPartition {
        var segments: [SegmentFacts] = []
        for name in try Directories.list(directory) {
            guard let base = Segment.offset(inName: name, suffix: ".log") else { continue }
            var status = stat()
            guard stat("\(directory)/\(name)", &status) == 0 else { throw .system("examine", "\(directory)/\(name)", .last) }
            segments.append(
                SegmentFacts(
                    base: base, size: Int64(status.st_size),
                    modified: Int64(status.st_mtim.tv_sec) * 1000 + Int64(status.st_mtim.tv_nsec) / 1_000_000))
        }
        return ClosedPartition(directory: directory, segments: segments.sorted { $0.base < $1.base })
    }
}

/// A partition that is not open.
struct ClosedPartition {
    let directory: String
    let segments: [SegmentFacts]

    /// When retention or the cleaner will have something to do here, milliseconds since 1970: at once, or as soon as the oldest segment is too
    /// old; `Int64.max` for never. To be sure the partition has to be opened then: this may be too early, and is not too late.
    func nextUpkeep(_ configuration: LogConfiguration, logStart: Int64, now: Int64) throws(StorageError) -> Int64 {
        guard let oldest = segments.first else { return .max }
        if segments.count > 1, segments[1].base <= logStart { return now }
        var due = Int64.max
        if configuration.isDeleted {
            let bytes = segments.reduce(0) { $0 + $1.size }
            if configuration.retentionBytes >= 0, segments.count > 1, bytes - configuration.retentionBytes >= oldest.size { return now }
            if configuration.retentionMilliseconds >= 0, oldest.size > 0 {
                // A segment is too old from the millisecond after on.
                due = try Self.sum(newestTimestamp(of: oldest), configuration.retentionMilliseconds + 1)
            }
        }
        return configuration.isCompacted ? try min(due, nextCleaning(configuration, now: now)) : due
    }

    /// The index of a segment that was closed ends with its largest timestamp.
    private func newestTimestamp(of segment: SegmentFacts) throws(StorageError) -> Int64 {
        let path = "\(directory)/\(Segment.stem(segment.base)).timeindex"
        guard Directories.exists(path), let index = try SparseIndex(.times, file: LogFile(path, .read)), let last = try index.last else {
            return segment.modified
        }
        return last.key
    }

    private func nextCleaning(_ configuration: LogConfiguration, now: Int64) throws(StorageError) -> Int64 {
        let lines = try CheckedFile.read("\(directory)/\(CleanedLog.fileName)").flatMap { CheckedFile.decode($0) }
        let point = lines.flatMap { CleanedLog(lines: $0) }?.point ?? 0
        let closed = zip(segments, segments.dropFirst())
        let dirty = closed.filter { $0.1.base > point }.map(\.0)
        guard let first = dirty.first else { return .max }
        let dirtyBytes = Double(dirty.reduce(0) { $0 + $1.size })
        let bytes = Double(segments.dropLast().reduce(0) { $0 + $1.size })
        // What the minimal lag keeps from being cleaned now has it later.
        if dirtyBytes > bytes * configuration.minCleanableDirtyRatio {
            return Self.sum(first.modified, configuration.minCompactionLagMilliseconds)
        }
        return Self.sum(first.modified, configuration.maxCompactionLagMilliseconds)
    }

    /// Settings go up to the end of time, and so may producers' timestamps.
    private static func sum(_ time: Int64, _ milliseconds: Int64) -> Int64 {
        let (sum, isBeyond) = time.addingReportingOverflow(milliseconds)
        return isBeyond ? .max : sum
    }
}
