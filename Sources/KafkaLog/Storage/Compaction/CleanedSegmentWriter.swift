/// Writes one segment of the cleaner's, with its indexes, under names that do not count yet.
struct CleanedSegmentWriter {
    let base: Int64
    private(set) var size: Int64 = 0
    private let directory: String
    private let operations: FileOperations
    private let interval: Int
    private let log: LogFile
    private var indexes = SegmentIndexes()
    private var buffer: [UInt8] = []

    private static let bufferSize = 1 << 20

    init(_ base: Int64, in directory: String, indexInterval: Int, operations: FileOperations) throws(StorageError) {
        self.base = base
        self.directory = directory
        self.operations = operations
        interval = indexInterval
        log = try LogFile(Self.path(base, ".log", in: directory), .replace)
    }

    private static func path(_ base: Int64, _ suffix: String, in directory: String) -> String {
        "\(directory)/\(Segment.stem(base))\(suffix)\(CleanedLog.suffix)"
    }

    mutating func append(_ batch: UnsafeRawBufferPointer, _ header: RecordBatchHeader) throws(StorageError) {
        indexes.note(header, at: size, base: base, interval: interval)
        size += Int64(batch.count)
        buffer += batch
        if buffer.count >= Self.bufferSize { try flush() }
    }

    private mutating func flush() throws(StorageError) {
        do throws(SystemError) {
            try buffer.withBytes { (bytes) throws(SystemError) in
                try operations.writeAll(log.descriptor, bytes, at: size - Int64(bytes.count))
            }
        } catch {
            throw .system("write", log.path, error)
        }
        buffer.removeAll(keepingCapacity: true)
    }

    /// The last step on the segment itself: everything in it is on disk after that.
    mutating func finishLog() throws(StorageError) {
        try flush()
        do throws(SystemError) {
            try operations.synchronize(log.descriptor)
        } catch {
            throw .system("sync", log.path, error)
        }
    }

    /// Writes the indexes; durable but for their names.
    func writeIndexes(aborted: [AbortedRange]) throws(StorageError) {
        _ = try indexes.write(
            offsetsTo: Self.path(base, ".index", in: directory), timesTo: Self.path(base, ".timeindex", in: directory), base: base,
            operations: operations, synchronize: true)
        try CheckedFile.write(
            Self.path(base, ".txnindex", in: directory), TransactionIndex.encode(aborted), operations: operations, synchronize: true)
    }

    /// Removes the files again.
    func discard() {
        for suffix in Segment.suffixes { try? operations.removeFile(Self.path(base, suffix, in: directory)) }
    }
}
