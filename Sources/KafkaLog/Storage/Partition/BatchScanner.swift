import CShims

/// Goes over the batches in a file, from a position where one begins, checking that each follows the one before: at once, or behind a gap
/// where the cleaner has been.
struct BatchScanner {
    enum Step {
        /// A batch that begins at `position`.
        case batch(RecordBatchHeader, position: Int64)
        /// The end, exactly after a batch.
        case end
        /// What is at `position` is no batch that could be here.
        case invalid(Problem)
    }

    struct Problem {
        let position: Int64
        let reason: String
        /// A batch is there in whole, with a right checksum, but not where it belongs: no torn write does that.
        let isMisplaced: Bool
    }

    private let file: LogFile
    private let end: Int64
    private let allowsGaps: Bool
    /// Checksums are compared in batches that reach beyond this offset.
    private let checksumsFrom: Int64
    private let chunkSize: Int
    private var chunk: [UInt8] = []
    private var chunkStart: Int64 = 0
    /// Start of the next batch.
    private(set) var position: Int64
    /// Offset that the next batch has to begin with, or behind it.
    private(set) var offset: Int64

    /// - Parameters:
    ///   - position: where a batch begins.
    ///   - end: the file is looked at up to here.
    ///   - offset: of that batch, or one before it if `allowsGaps`.
    ///   - allowsGaps: offsets may be missing between batches.
    ///   - chunkSize: bytes to read at once: small to find one batch, large to go over many.
    init(
        _ file: LogFile, from position: Int64, to end: Int64, offset: Int64, allowsGaps: Bool = false, checksumsFrom: Int64, chunkSize: Int
    ) {
        self.file = file
        self.allowsGaps = allowsGaps
        self.position = position
        self.end = end
        self.offset = offset
        self.checksumsFrom = checksumsFrom
        self.chunkSize = chunkSize
    }

    mutating func next() throws(StorageError) -> Step {
        guard position < end else { return .end }
        let start = position
        func invalid(_ reason: String, isMisplaced: Bool = false) -> Step {
            .invalid(Problem(position: start, reason: reason, isMisplaced: isMisplaced))
        }
        guard end - start >= Int64(RecordBatchHeader.size) else { return invalid("\(end - start) bytes are less than a batch header") }
        let header: RecordBatchHeader
        do throws(StorageError) {
            header = try self.header(at: start)
        } catch where error.code != .storageError {
            return invalid(error.message)
        }
        guard Int64(header.totalSize) <= end - start else {
            return invalid("a batch of \(header.totalSize) bytes begins, \(end - start) are there")
        }
        let isInOrder = header.baseOffset == offset || (allowsGaps && header.baseOffset > offset)
        let isChecked = header.nextOffset > checksumsFrom || !isInOrder
        if isChecked, try !checksumMatches(header, at: start) { return invalid("the checksum of the batch is wrong") }
        guard isInOrder, header.partitionLeaderEpoch == 0, header.lastOffsetDelta >= 0 else {
            return invalid("a batch of offset \(header.baseOffset) is where offset \(offset) belongs", isMisplaced: isChecked)
        }
        position += Int64(header.totalSize)
        offset = header.nextOffset
        return .batch(header, position: start)
    }

    private mutating func header(at position: Int64) throws(StorageError) -> RecordBatchHeader {
        try fill(from: position, count: RecordBatchHeader.size)
        var failure: StorageError?
        let header = chunk.withUnsafeBytes { bytes -> RecordBatchHeader? in
            do throws(StorageError) {
                return try RecordBatchHeader(UnsafeRawBufferPointer(rebasing: bytes[Int(position - chunkStart)...]))
            } catch {
                failure = error
                return nil
            }
        }
        guard let header else { throw failure ?? StorageError(.corruptMessage, "no batch header") }
        return header
    }

    /// Piece by piece, so that a length that lies costs time and not memory.
    private mutating func checksumMatches(_ header: RecordBatchHeader, at start: Int64) throws(StorageError) -> Bool {
        var checksum: UInt32 = 0
        var at = start + 21
        let end = start + Int64(header.totalSize)
        while at < end {
            try fill(from: at, count: 1)
            let from = Int(at - chunkStart)
            let count = min(chunk.count - from, Int(end - at))
            checksum = chunk.withUnsafeBytes { millrace_crc32c(checksum, $0.baseAddress! + from, count) }
            at += Int64(count)
        }
        return checksum == header.crc
    }

    /// Sees to it that the chunk holds `count` bytes (no more than a chunk has, and than the file has) from `position` on.
    private mutating func fill(from position: Int64, count: Int) throws(StorageError) {
        if position >= chunkStart, position + Int64(count) <= chunkStart + Int64(chunk.count) { return }
        chunk = try file.read(at: position, count: Int(min(Int64(max(chunkSize, count)), end - position)))
        chunkStart = position
    }

    /// The position of the first whole batch with a right checksum and an offset above `offset` that begins after `position`, if any:
    /// what tells damage in the middle from a torn tail.
    static func nextValidBatch(_ file: LogFile, after position: Int64, to end: Int64, offset: Int64) throws(StorageError) -> Int64? {
        let step = 1 << 18
        var start = position + 1
        while end - start >= Int64(RecordBatchHeader.size) {
            // Chunks overlap by a header, so that none is missed.
            let window = try file.read(at: start, count: Int(min(Int64(step + RecordBatchHeader.size), end - start)))
            let candidates = window.withUnsafeBytes { bytes -> [(Int, RecordBatchHeader)] in
                var found: [(Int, RecordBatchHeader)] = []
                var at = 0
                while at + RecordBatchHeader.size <= bytes.count {
                    if bytes[at + 16] == 2, let header = try? RecordBatchHeader(UnsafeRawBufferPointer(rebasing: bytes[at...])),
                        header.baseOffset > offset, header.baseOffset - offset < 1 << 32, header.lastOffsetDelta >= 0,
                        Int64(header.totalSize) <= end - start - Int64(at)
                    {
                        found.append((at, header))
                    }
                    at += 1
                }
                return found
            }
            for (at, header) in candidates {
                var scanner = BatchScanner(file, from: start + Int64(at), to: end, offset: header.baseOffset, checksumsFrom: -1, chunkSize: 1 << 16)
                if case .batch = try scanner.next() { return start + Int64(at) }
            }
            start += Int64(step)
        }
        return nil
    }
}
