import Glibc

/// What is known of a partition from the last checkpoint of its directory.
struct PartitionCheckpoint: Hashable {
    var logStart: Int64 = 0
    /// Everything before it was on disk.
    var recoveryPoint: Int64 = 0
    /// It was closed in order, with all that a start without a scan needs.
    var isClean = false
    /// What its segments had then: where they still have it none was cut, and none is missing.
    var byteCount: Int64?
}

/// Opens a partition's log, whatever state its files are in.
///
/// Batches from the recovery point on are read and their checksums compared. What follows the last whole batch is cut when it can only be
/// an append that was never acknowledged. It is damage, and nothing is touched, when records before the recovery point are affected, when a
/// valid batch comes behind it, or when a valid batch is in the wrong place: no interrupted append leaves that. Of the other segments the end is
/// looked at, so that one that is cut or missing is noticed at once; after an orderly end their bytes together tell as much.
struct PartitionRecovery {
    let name: TopicPartition
    let directory: String
    let configuration: LogConfiguration
    let environment: LogEnvironment
    let checkpoint: PartitionCheckpoint

    private var segments: [Segment] = []
    private var cleaned = CleanedLog()
    private var damage: StorageError?
    /// Segments whose batches were read: their indexes and transaction indexes are made again.
    private var scanned: [Segment] = []

    init(
        name: TopicPartition, directory: String, configuration: LogConfiguration, environment: LogEnvironment,
        checkpoint: PartitionCheckpoint
    ) {
        self.name = name
        self.directory = directory
        self.configuration = configuration
        self.environment = environment
        self.checkpoint = checkpoint
    }

    mutating func open() throws(StorageError) -> PartitionLog {
        var names = try Directories.list(directory)
        let known = try CleanedLog.recover(directory, names: &names, operations: environment.operations)
        let bases = names.compactMap { Segment.offset(inName: $0, suffix: ".log") }.sorted()
        cleaned = known.log ?? CleanedLog()
        if known.isDamaged || (known.log == nil && configuration.isCompacted) { try findGaps(bases, isDamaged: known.isDamaged) }
        if bases.isEmpty { return try create() }
        var isClean = checkpoint.isClean
        if try !openSegments(bases, isClean: isClean) {
            // It was said to be closed in order, and is not so.
            isClean = false
            _ = try openSegments(bases, isClean: false)
        }
        let end = segments[segments.count - 1].endOffset
        let isBeginningLost = segments[0].baseOffset > checkpoint.logStart
        if isBeginningLost {
            noteDamage(
                segments[0].path(".log"), offset: checkpoint.logStart, position: 0, bytes: 0,
                "offsets \(checkpoint.logStart) to \(segments[0].baseOffset) should be in segments before it, which are missing")
        }
        // With a new segment comes a snapshot of its offset; after an orderly end the recovery point says that this one is another.
        let isBegun = names.contains("\(Segment.stem(end)).snapshot") && bases.last != end
        if damage == nil, isBegun, checkpoint.recoveryPoint < end {
            environment.report(
                RecoveryEvent(
                    kind: .truncated, path: "\(directory)/\(Segment.stem(end)).log", offset: end, position: 0, bytes: 0,
                    reason: "the segment was begun and is not there; what was in it, if anything, is lost"))
        }
        let (producers, aborted) = try recoverProducers(names, isClean: isClean)
        let log = PartitionLog(
            name: name, directory: directory, configuration: configuration, environment: environment, segments: segments,
            producers: producers, aborted: aborted, logStartOffset: isBeginningLost ? checkpoint.logStart : min(checkpoint.logStart, end),
            cleaned: cleaned)
        log.damage = damage
        if isClean { log.cleanEndOffset = end }
        if damage == nil && !isClean { try makeDurable(log) }
        return log
    }

    private mutating func noteDamage(_ path: String, offset: Int64, position: Int64, bytes: Int64, _ reason: String) {
        if damage == nil {
            damage = StorageError(
                .storageError,
                "\(path) is damaged at byte \(position), offset \(offset): \(reason). Nothing was changed. Restore the file from a backup, or delete the topic")
        }
        environment.report(RecoveryEvent(kind: .damaged, path: path, offset: offset, position: position, bytes: bytes, reason: reason))
    }

    private func create() throws(StorageError) -> PartitionLog {
        guard checkpoint.recoveryPoint <= checkpoint.logStart else {
            throw StorageError(
                .storageError,
                "\(directory) has no segments, but offsets \(checkpoint.logStart) to \(checkpoint.recoveryPoint) were acknowledged; restore it from a backup or delete the topic")
        }
        let segment = try Segment(
            creating: checkpoint.logStart, in: directory, environment: environment, indexInterval: configuration.indexIntervalBytes)
        let log = PartitionLog(
            name: name, directory: directory, configuration: configuration, environment: environment, segments: [segment],
            producers: ProducerStates(), aborted: [], logStartOffset: checkpoint.logStart, cleaned: cleaned)
        log.unsyncedNames = true
        return log
    }

    // MARK: Segments

    /// Returns false when `isClean` cannot be true.
    private mutating func openSegments(_ bases: [Int64], isClean: Bool) throws(StorageError) -> Bool {
        segments = []
        scanned = []
        let isAsItWas = isClean ? try checkpoint.byteCount == byteCount(bases) : false
        for (index, base) in bases.enumerated() {
            let next = index + 1 < bases.count ? bases[index + 1] : nil
            let entry = cleaned.entry(base)
            let segment = try Segment(
                existing: base, endOffset: entry?.end ?? next ?? base, isSparse: entry != nil, in: directory, environment: environment,
                indexInterval: configuration.indexIntervalBytes)
            segments.append(segment)
            if let entry {
                guard try check(segment, entry, next: next) else { return true }
                continue
            }
            if let next, isClean || next <= checkpoint.recoveryPoint {
                if isAsItWas { continue }
                if try segment.ends(at: next) { continue }
            }
            let result = try segment.load(checksumsFrom: isClean ? .max : checkpoint.recoveryPoint)
            scanned.append(segment)
            let isWhole = segment.endOffset == next || (next == nil && segment.endOffset >= checkpoint.recoveryPoint)
            if result.problem == nil && isWhole { continue }
            if isClean { return false }
            guard try settle(segment, result, next: next, laterBases: Array(bases[(index + 1)...])) else { return true }
        }
        return true
    }

    private func byteCount(_ bases: [Int64]) throws(StorageError) -> Int64 {
        var count: Int64 = 0
        for base in bases {
            var status = stat()
            let path = "\(directory)/\(Segment.stem(base)).log"
            guard stat(path, &status) == 0 else { throw .system("examine", path, .last) }
            count += Int64(status.st_size)
        }
        return count
    }

    /// Looks at a segment that the cleaner wrote. False when it is the last that can be read.
    private mutating func check(_ segment: Segment, _ entry: CleanedLog.Entry, next: Int64?) throws(StorageError) -> Bool {
        if segment.size > entry.size {
            let excess = segment.size - entry.size
            segment.size = entry.size
            try segment.cut()
            environment.report(
                RecoveryEvent(
                    kind: .truncated, path: segment.path(".log"), offset: entry.end, position: entry.size, bytes: excess,
                    reason: "the cleaner had written \(entry.size) bytes"))
        } else if segment.size < entry.size {
            let left = segment.size
            _ = try segment.load(checksumsFrom: .max)
            noteDamage(
                segment.path(".log"), offset: segment.endOffset, position: segment.size, bytes: entry.size - segment.size,
                "the cleaner had written \(entry.size) bytes, \(left) are there")
            return false
        }
        guard next == entry.end else {
            noteDamage(
                segment.path(".log"), offset: entry.end, position: segment.size, bytes: 0, "the segment at offset \(entry.end) is missing")
            return false
        }
        return true
    }

    /// Decides what a segment is that does not end with its last whole batch, too early, or too late. False when it is the last one now.
    private mutating func settle(
        _ segment: Segment, _ result: Segment.LoadResult, next: Int64?, laterBases: [Int64]
    ) throws(StorageError) -> Bool {
        let position = result.problem?.position ?? segment.size
        let reason = result.problem?.reason ?? "the file ends"
        let path = segment.path(".log")
        let lost = result.fileSize - position
        // The next segment begins where the last whole batch ends: whatever is between them was never part of the log.
        let isExcess = segment.endOffset == next
        if !isExcess, let why = try reasonForDamage(segment, result, laterBases: laterBases) {
            noteDamage(path, offset: segment.endOffset, position: position, bytes: lost, "\(reason); \(why)")
            return false
        }
        try segment.cut()
        environment.report(
            RecoveryEvent(kind: .truncated, path: path, offset: segment.endOffset, position: position, bytes: lost, reason: reason))
        if isExcess { return true }
        for base in laterBases {
            let later = try Segment(
                existing: base, endOffset: base, isSparse: false, in: directory, environment: environment,
                indexInterval: configuration.indexIntervalBytes)
            for path in later.paths { try Directories.removeFile(path) }
            environment.report(
                RecoveryEvent(
                    kind: .truncated, path: later.path(".log"), offset: base, position: 0, bytes: later.size,
                    reason: "the segment before it ends early and it has no batch"))
        }
        try Directories.synchronize(directory)
        return false
    }

    // MARK: Gaps

    /// Makes the file `cleaned` again: which segments have gaps is seen in their batches' headers. From then on a gap that is there counts as
    /// the cleaner's, which is why the file is kept from the beginning.
    private mutating func findGaps(_ bases: [Int64], isDamaged: Bool) throws(StorageError) {
        for (base, next) in zip(bases, bases.dropFirst()) {
            let file = try LogFile("\(directory)/\(Segment.stem(base)).log", .read)
            let size = try file.size()
            var scanner = BatchScanner(file, from: 0, to: size, offset: base, allowsGaps: true, checksumsFrom: .max, chunkSize: 1 << 16)
            var hasGaps = false
            var expected = base
            while case .batch(let header, _) = try scanner.next() {
                hasGaps = hasGaps || header.baseOffset != expected || Int64(header.recordCount) != Int64(header.lastOffsetDelta) + 1
                expected = header.nextOffset
            }
            // A segment that only ends early is not believed to have been cleaned.
            if hasGaps || size == 0 { cleaned.segments.append(CleanedLog.Entry(base: base, end: next, size: size)) }
        }
        if isDamaged || !cleaned.segments.isEmpty {
            environment.report(
                RecoveryEvent(
                    kind: .rebuilt, path: "\(directory)/\(CleanedLog.fileName)", offset: bases.first ?? 0, position: 0, bytes: 0,
                    reason: isDamaged
                        ? "what it says of cleaned segments is damaged; gaps between offsets are taken for the cleaner's"
                        : "it is missing; gaps between offsets are taken for the cleaner's"))
            try cleaned.write(directory, environment.operations)
        } else {
            // Nothing depends on it yet.
            try cleaned.prepare(directory, environment.operations, synchronize: false)
            try environment.operations.rename(
                CheckedFile.temporary("\(directory)/\(CleanedLog.fileName)"), to: "\(directory)/\(CleanedLog.fileName)")
        }
    }

    /// nil when what is behind the last whole batch may be cut.
    private func reasonForDamage(
        _ segment: Segment, _ result: Segment.LoadResult, laterBases: [Int64]
    ) throws(StorageError) -> String? {
        if segment.endOffset < checkpoint.recoveryPoint {
            return "records up to offset \(checkpoint.recoveryPoint) were acknowledged"
        }
        if let problem = result.problem {
            if problem.isMisplaced { return "an interrupted append does not leave that" }
            let next = try BatchScanner.nextValidBatch(
                segment.file(), after: problem.position, to: result.fileSize, offset: segment.endOffset)
            if let next { return "a valid batch follows at byte \(next)" }
        }
        for base in laterBases {
            let file = try LogFile("\(directory)/\(Segment.stem(base)).log", .read)
            let next = try BatchScanner.nextValidBatch(file, after: -1, to: file.size(), offset: segment.endOffset - 1)
            if let next { return "a valid batch follows in segment \(base) at byte \(next)" }
        }
        return nil
    }

    // MARK: Producers

    private mutating func recoverProducers(
        _ names: [String], isClean: Bool
    ) throws(StorageError) -> (ProducerStates, [AbortedRange]) {
        let end = segments[segments.count - 1].endOffset
        // The producers are taken from a snapshot up to which all transaction indexes can be believed.
        var believed = end
        var aborted: [AbortedRange] = []
        for segment in segments {
            let isScanned = !isClean && scanned.contains { $0 === segment }
            if !isScanned, let bytes = try CheckedFile.read(segment.path(".txnindex")), let entries = TransactionIndex.decode(bytes) {
                aborted += entries
            } else {
                believed = min(believed, segment.baseOffset)
                break
            }
        }
        let snapshots = names.compactMap { Segment.offset(inName: $0, suffix: ".snapshot") }.sorted(by: >)
        var states = ProducerStates()
        var start = segments[0].baseOffset
        for offset in snapshots {
            let path = "\(directory)/\(Segment.stem(offset)).snapshot"
            if offset > end {
                if damage == nil { try Directories.removeFile(path) }
                continue
            }
            guard offset <= believed, offset >= start else { continue }
            if let bytes = try CheckedFile.read(path), let found = ProducerSnapshot.decode(bytes, offset: offset) {
                states = found
                start = offset
                break
            }
            environment.report(
                RecoveryEvent(kind: .rebuilt, path: path, offset: offset, position: 0, bytes: 0, reason: "the snapshot is damaged"))
        }
        if damage == nil {
            for offset in snapshots where offset < start && !segments.contains(where: { $0.baseOffset == offset }) {
                try Directories.removeFile("\(directory)/\(Segment.stem(offset)).snapshot")
            }
        }
        aborted.removeAll { $0.lastOffset >= start }
        if start < end {
            do throws(StorageError) {
                try replay(from: start, &states, &aborted)
            } catch {
                damage = damage ?? error
                environment.report(
                    RecoveryEvent(kind: .damaged, path: directory, offset: start, position: 0, bytes: 0, reason: error.message))
            }
        }
        return (states, aborted)
    }

    /// Makes producers and aborted transactions from the batches from `start` on.
    private func replay(
        from start: Int64, _ states: inout ProducerStates, _ aborted: inout [AbortedRange]
    ) throws(StorageError) {
        let now = environment.clock()
        for segment in segments where segment.endOffset > start {
            try segment.forEachBatch(from: start) { (place) throws(StorageError) -> Bool in
                let header = place.header
                guard header.hasProducer else { return true }
                guard header.isControl else {
                    states.didAppend(header, now: now)
                    return true
                }
                guard let marker = try EndTransactionMarker(batch: segment.bytes(of: place)) else { return true }
                let ended = states.didEnd(header, isCommit: marker.isCommit, coordinatorEpoch: marker.coordinatorEpoch, now: now)
                if let range = ended?.aborted { aborted.append(range) }
                return true
            }
        }
    }

    /// What was found is given to readers at once, so it has to be on disk; and the next start is to find it in order.
    private func makeDurable(_ log: PartitionLog) throws(StorageError) {
        for segment in scanned {
            if segment !== log.active {
                log.unsyncedFiles += try segment.close()
                log.unsyncedFiles.append(try log.writeTransactionIndex(of: segment))
            }
            guard environment.durability != .never, segment.endOffset > checkpoint.recoveryPoint else { continue }
            let file = try segment.file()
            do throws(SystemError) {
                try environment.operations.synchronize(file.descriptor)
            } catch {
                let failure = StorageError.system("sync", file.path, error)
                environment.fail(failure)
                throw failure
            }
        }
        log.unsyncedNames = true
        // The recovery point stays until the indexes of closed segments are durable too.
        log.syncedOffset = checkpoint.recoveryPoint
        log.markDirty()
    }
}
