/// What is known of a partition from the last checkpoint of its directory.
struct PartitionCheckpoint: Hashable {
    var logStart: Int64 = 0
    /// Everything before it was on disk.
    var recoveryPoint: Int64 = 0
    /// It was closed in order, with all that a start without a scan needs.
    var isClean = false
}

/// Opens a partition's log, whatever state its files are in.
///
/// Batches from the recovery point on are read and their checksums compared. What follows the last whole batch is cut when it can only be
/// an append that was never acknowledged. It is damage, and nothing is touched, when records before the recovery point are affected, when a
/// valid batch comes behind it, or when a valid batch is in the wrong place: no interrupted append leaves that.
struct PartitionRecovery {
    let name: TopicPartition
    let directory: String
    let configuration: LogConfiguration
    let environment: LogEnvironment
    let checkpoint: PartitionCheckpoint

    private var segments: [Segment] = []
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
        let names = try Directories.list(directory)
        let bases = names.compactMap { Segment.offset(inName: $0, suffix: ".log") }.sorted()
        if bases.isEmpty { return try create() }
        var isClean = checkpoint.isClean
        if try !openSegments(bases, isClean: isClean) {
            // It was said to be closed in order, and is not so.
            isClean = false
            _ = try openSegments(bases, isClean: false)
        }
        let (producers, aborted) = try recoverProducers(names, isClean: isClean)
        let log = PartitionLog(
            name: name, directory: directory, configuration: configuration, environment: environment, segments: segments,
            producers: producers, aborted: aborted,
            logStartOffset: min(max(checkpoint.logStart, segments[0].baseOffset), segments[segments.count - 1].endOffset))
        log.damage = damage
        if damage == nil && !isClean { try makeDurable(log) }
        return log
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
            producers: ProducerStates(), aborted: [], logStartOffset: checkpoint.logStart)
        log.unsyncedNames = true
        return log
    }

    // MARK: Segments

    /// Returns false when `isClean` cannot be true.
    private mutating func openSegments(_ bases: [Int64], isClean: Bool) throws(StorageError) -> Bool {
        segments = []
        scanned = []
        for (index, base) in bases.enumerated() {
            let isLast = index == bases.count - 1
            let next = isLast ? base : bases[index + 1]
            let segment = try Segment(
                existing: base, endOffset: next, in: directory, environment: environment,
                indexInterval: configuration.indexIntervalBytes)
            segments.append(segment)
            guard isLast || (!isClean && next > checkpoint.recoveryPoint) else { continue }
            let result = try segment.load(checksumsFrom: isClean ? .max : checkpoint.recoveryPoint)
            scanned.append(segment)
            let ends = isLast ? segment.endOffset >= checkpoint.recoveryPoint : segment.endOffset == next
            if result.problem == nil && ends { continue }
            if isClean { return false }
            try settle(segment, result, laterBases: Array(bases[(index + 1)...]))
            return true
        }
        return true
    }

    /// Decides what a segment is that does not end with its last whole batch, or too early.
    private mutating func settle(_ segment: Segment, _ result: Segment.LoadResult, laterBases: [Int64]) throws(StorageError) {
        let position = result.problem?.position ?? segment.size
        let reason = result.problem?.reason ?? "the file ends"
        let path = segment.path(".log")
        let lost = result.fileSize - position
        if let why = try reasonForDamage(segment, result, laterBases: laterBases) {
            damage = StorageError(
                .storageError,
                "\(path) is damaged at byte \(position), offset \(segment.endOffset): \(reason); \(why). Nothing was changed. Restore the file from a backup, or delete the topic")
            environment.report(
                RecoveryEvent(
                    kind: .damaged, path: path, offset: segment.endOffset, position: position, bytes: lost, reason: "\(reason); \(why)"))
            return
        }
        try segment.cut()
        environment.report(
            RecoveryEvent(kind: .truncated, path: path, offset: segment.endOffset, position: position, bytes: lost, reason: reason))
        for base in laterBases {
            let later = try Segment(
                existing: base, endOffset: base, in: directory, environment: environment, indexInterval: configuration.indexIntervalBytes)
            for path in later.paths { try Directories.removeFile(path) }
            environment.report(
                RecoveryEvent(
                    kind: .truncated, path: later.path(".log"), offset: base, position: 0, bytes: later.size,
                    reason: "the segment before it ends early and it has no batch"))
        }
        try Directories.synchronize(directory)
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
            try segment.forEachBatch(from: start) { (place) throws(StorageError) in
                let header = place.header
                guard header.hasProducer else { return }
                guard header.isControl else { return states.didAppend(header, now: now) }
                guard let marker = try EndTransactionMarker(batch: segment.bytes(of: place)) else { return }
                let ended = states.didEnd(header, isCommit: marker.isCommit, coordinatorEpoch: marker.coordinatorEpoch, now: now)
                if let range = ended?.aborted { aborted.append(range) }
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
