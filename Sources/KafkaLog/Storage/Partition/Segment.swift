import Glibc

/// One file of a partition's log with its indexes: `<base offset, 20 digits>.log`, `.index`, `.timeindex`, `.txnindex`, `.snapshot`.
final class Segment {
    let baseOffset: Int64
    let directory: String
    /// Bytes of whole batches.
    var size: Int64
    /// Offset after the last record.
    var endOffset: Int64
    /// When its first batch was appended (or it was opened), milliseconds since 1970.
    private(set) var firstAppend: Int64?

    /// The cleaner has been here: offsets may be missing inside of batches and between them, and at the end.
    let isSparse: Bool

    let environment: LogEnvironment
    let indexInterval: Int
    private var log: LogFile?
    var indexes = SegmentIndexes()
    private var sizeOfWrittenIndexes: Int64 = 0
    /// Its indexes are known: in memory for the segment that is written to, files for a closed one.
    var hasIndexes: Bool
    var isClosed: Bool

    static func stem(_ offset: Int64) -> String {
        let digits = String(offset)
        return String(repeating: "0", count: 20 - digits.count) + digits
    }

    /// The base offset in a name such as `00000000000000000042.log`.
    static func offset(inName name: String, suffix: String) -> Int64? {
        guard name.hasSuffix(suffix), name.utf8.count == 20 + suffix.utf8.count,
            let offset = Int64(name.dropLast(suffix.count)), offset >= 0
        else { return nil }
        return offset
    }

    func path(_ suffix: String) -> String { "\(directory)/\(Self.stem(baseOffset))\(suffix)" }

    /// Makes a new, empty segment. The caller makes its name durable.
    init(creating baseOffset: Int64, in directory: String, environment: LogEnvironment, indexInterval: Int) throws(StorageError) {
        self.baseOffset = baseOffset
        self.directory = directory
        self.environment = environment
        self.indexInterval = indexInterval
        isSparse = false
        size = 0
        endOffset = baseOffset
        hasIndexes = true
        isClosed = false
        // Left-overs of a segment of this name that never counted must not be taken for its indexes.
        for suffix in [".index", ".timeindex", ".txnindex"] { try Directories.removeFile(path(suffix)) }
        var status = stat()
        if stat(path(".log"), &status) == 0 && status.st_size == 0 { try Directories.removeFile(path(".log")) }
        log = try LogFile(path(".log"), .create)
    }

    /// A segment that is there. It is closed until `load` opens it.
    init(
        existing baseOffset: Int64, endOffset: Int64, isSparse: Bool, in directory: String, environment: LogEnvironment, indexInterval: Int
    ) throws(StorageError) {
        self.baseOffset = baseOffset
        self.directory = directory
        self.environment = environment
        self.indexInterval = indexInterval
        self.endOffset = endOffset
        self.isSparse = isSparse
        hasIndexes = false
        isClosed = true
        var status = stat()
        let path = "\(directory)/\(Self.stem(baseOffset)).log"
        guard stat(path, &status) == 0 else { throw .system("examine", path, .last) }
        size = Int64(status.st_size)
    }

    /// The file of batches; opened at the first call.
    func file() throws(StorageError) -> LogFile {
        if let log { return log }
        let file = try LogFile(path(".log"), .readWrite)
        log = file
        return file
    }

    // MARK: Opening

    /// Goes over batches as this segment has them.
    func scanner(
        _ file: LogFile, from position: Int64, to end: Int64, offset: Int64, checksumsFrom: Int64, chunkSize: Int
    ) -> BatchScanner {
        BatchScanner(
            file, from: position, to: end, offset: offset, allowsGaps: isSparse, checksumsFrom: checksumsFrom, chunkSize: chunkSize)
    }

    /// Where going over a segment ended.
    struct LoadResult {
        let problem: BatchScanner.Problem?
        /// Bytes in the file; more than `size` when there is a problem.
        let fileSize: Int64
    }

    /// Opens the segment for appends: takes its indexes into memory as far as they are right and goes over what they do not cover,
    /// comparing the checksums of all batches that reach beyond `checksumsFrom`.
    func load(checksumsFrom: Int64) throws(StorageError) -> LoadResult {
        let file = try file()
        let fileSize = try file.size()
        let start = try loadIndexes(file, fileSize: fileSize, checksumsFrom: checksumsFrom)
        let believed = try indexes.times.last
        let result = try scan(file, from: start.position, offset: start.offset, fileSize: fileSize, checksumsFrom: checksumsFrom)
        guard let believed, try !isRight(time: believed) else { return result }
        forgetIndexes()
        return try scan(file, from: 0, offset: baseOffset, fileSize: fileSize, checksumsFrom: checksumsFrom)
    }

    func forgetIndexes() {
        indexes = SegmentIndexes()
    }

    private func loadIndexes(_ file: LogFile, fileSize: Int64, checksumsFrom: Int64) throws(StorageError) -> (position: Int64, offset: Int64) {
        isClosed = false
        hasIndexes = true
        forgetIndexes()
        let beginning = (position: Int64(0), offset: baseOffset)
        guard let offsetBytes = try CheckedFile.read(path(".index")), let timeBytes = try CheckedFile.read(path(".timeindex")),
            var offsets = try SparseIndex(.offsets, bytes: offsetBytes), var times = try SparseIndex(.times, bytes: timeBytes)
        else { return beginning }
        // Entries beyond what is trusted are made again by the scan.
        try offsets.removeTail { $0.key + baseOffset > checksumsFrom || $0.value >= fileSize }
        guard let last = try offsets.last else { return beginning }
        let start = (position: last.value, offset: last.key + baseOffset)
        var scanner = scanner(file, from: start.position, to: fileSize, offset: start.offset, checksumsFrom: -1, chunkSize: 1 << 14)
        guard case .batch(let header, _) = try scanner.next(), header.baseOffset == start.offset else { return beginning }
        // The scan makes the entry of the batch that it begins with again.
        try offsets.removeTail { $0.key >= last.key }
        try times.removeTail { $0.value >= last.key }
        indexes.offsets = offsets
        indexes.times = times
        indexes.largest = try times.last.map { TimestampOffset(offset: $0.value + baseOffset, timestamp: $0.key) }
        indexes.bytesSinceEntry = indexInterval + 1
        return start
    }

    func scan(
        _ file: LogFile, from position: Int64, offset: Int64, fileSize: Int64, checksumsFrom: Int64
    ) throws(StorageError) -> LoadResult {
        var scanner = scanner(file, from: position, to: fileSize, offset: offset, checksumsFrom: checksumsFrom, chunkSize: 1 << 17)
        size = position
        endOffset = offset
        var problem: BatchScanner.Problem?
        loop: while true {
            switch try scanner.next() {
            case .batch(let header, let position):
                // Offsets in an index are relative and have 32 bits, positions too.
                guard header.nextOffset - baseOffset <= Int64(UInt32.max), position <= Int64(UInt32.max) else {
                    problem = BatchScanner.Problem(position: position, reason: "a batch is beyond what a segment can hold", isMisplaced: true)
                    break loop
                }
                indexes.note(header, at: position, base: baseOffset, interval: indexInterval)
                size = scanner.position
                endOffset = scanner.offset
            case .end: break loop
            case .invalid(let found):
                problem = found
                break loop
            }
        }
        firstAppend = size > 0 ? environment.clock() : nil
        return LoadResult(problem: problem, fileSize: fileSize)
    }

    /// Cuts off what is behind the last whole batch.
    func cut() throws(StorageError) {
        let file = try file()
        do throws(SystemError) {
            try environment.operations.truncate(file.descriptor, size)
            try environment.operations.synchronize(file.descriptor)
        } catch {
            throw .system("cut", file.path, error)
        }
    }

    // MARK: Appending

    /// Writes a batch at the end. When that fails nothing is left of it.
    func append(_ bytes: UnsafeRawBufferPointer, _ header: RecordBatchHeader) throws(StorageError) {
        let file = try file()
        do throws(SystemError) {
            try environment.operations.writeAll(file.descriptor, bytes, at: size)
        } catch {
            let failure = StorageError.system("append to", file.path, error)
            do throws(SystemError) {
                try environment.operations.truncate(file.descriptor, size)
            } catch {
                environment.fail(.system("cut a failed append off", file.path, error))
                throw failure
            }
            if !error.isOutOfSpace { environment.fail(failure) }
            throw failure
        }
        indexes.note(header, at: size, base: baseOffset, interval: indexInterval)
        size += Int64(bytes.count)
        endOffset = header.nextOffset
        if firstAppend == nil { firstAppend = environment.clock() }
    }

    /// Whether a batch that ends at `lastOffset` has a place here.
    func hasRoom(bytes: Int, lastOffset: Int64, configuration: LogConfiguration, now: Int64) -> Bool {
        guard size > 0 else { return lastOffset - baseOffset < Int64(Int32.max) }
        return size + Int64(bytes) <= Int64(configuration.segmentBytes)
            && lastOffset - baseOffset < Int64(Int32.max)
            && !isOld(configuration, now: now)
    }

    /// Whether it has been written to for as long as a segment may be.
    func isOld(_ configuration: LogConfiguration, now: Int64) -> Bool {
        now - (firstAppend ?? now) >= configuration.rollMilliseconds
    }

    /// Writes the indexes if there is something new since they were last written; nothing waits for them to be durable.
    func refreshIndexes() throws(StorageError) {
        guard size != sizeOfWrittenIndexes else { return }
        _ = try writeIndexes()
    }

    /// Writes the indexes. Not durable yet: the files are returned to be synced.
    func writeIndexes() throws(StorageError) -> [LogFile] {
        let files = try indexes.write(
            offsetsTo: path(".index"), timesTo: path(".timeindex"), base: baseOffset, operations: environment.operations, synchronize: false)
        sizeOfWrittenIndexes = size
        return files
    }

    /// Closes the segment for appends: its indexes are files from here on. Returns what has to be synced.
    func close() throws(StorageError) -> [LogFile] {
        let files = try writeIndexes() + [file()]
        isClosed = true
        hasIndexes = false
        forgetIndexes()
        return files
    }
}
