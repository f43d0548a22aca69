/// Goes over a segment file from its beginning, past what is damaged. All checksums are compared.
package struct SegmentReader {
    package enum Finding: Sendable {
        /// A batch that is there in whole. One with a wrong checksum is followed by the damage that it is.
        case batch(RecordBatchHeader, position: Int64, isChecksumRight: Bool)
        /// Offsets that no batch has, between two good ones: a compaction has removed them.
        case gap(from: Int64, to: Int64)
        case damage(Damage)
    }

    package struct Damage: Sendable {
        package let position: Int64
        /// Bytes up to the next valid batch, or to the end.
        package let bytes: Int64
        /// That the next batch had to begin with.
        package let offset: Int64
        package let reason: String
        /// No valid batch follows. In the last segment that is an append under way, or one that was cut short and never acknowledged.
        package let isAtEnd: Bool
    }

    private static let chunkSize = 1 << 17

    private let file: LogFile
    private let end: Int64
    private var scanner: BatchScanner
    private var pending: [Finding] = []
    /// Offset behind the last batch.
    package private(set) var nextOffset: Int64

    package init(_ segment: OfflineLog.Segment) throws(StorageError) {
        file = try LogFile(segment.path, .read)
        end = try file.size()
        nextOffset = segment.baseOffset
        scanner = BatchScanner(file, from: 0, to: end, offset: segment.baseOffset, checksumsFrom: -1, chunkSize: Self.chunkSize)
    }

    /// The next finding, or nil at the end of the file as it was when this was made.
    package mutating func next() throws(StorageError) -> Finding? {
        if !pending.isEmpty { return pending.removeFirst() }
        switch try scanner.next() {
        case .batch(let header, let position):
            nextOffset = header.nextOffset
            return .batch(header, position: position, isChecksumRight: true)
        case .end: return nil
        case .invalid(let problem): return try step(over: problem)
        }
    }

    /// The bytes of a whole batch.
    package func bytes(of header: RecordBatchHeader, at position: Int64) throws(StorageError) -> [UInt8] {
        try file.read(at: position, count: header.totalSize)
    }

    private mutating func step(over problem: BatchScanner.Problem) throws(StorageError) -> Finding {
        let expected = nextOffset
        let header = try header(at: problem.position)
        if problem.isMisplaced, let header, header.baseOffset > expected, header.partitionLeaderEpoch == 0, header.lastOffsetDelta >= 0 {
            resume(at: problem.position, offset: header.baseOffset)
            return .gap(from: expected, to: header.baseOffset)
        }
        let next = try BatchScanner.nextValidBatch(file, after: problem.position, to: end, offset: expected - 1)
        let damage = Damage(
            position: problem.position, bytes: (next ?? end) - problem.position, offset: expected, reason: problem.reason,
            isAtEnd: next == nil)
        if let next, let following = try self.header(at: next) {
            resume(at: next, offset: following.baseOffset)
        } else {
            resume(at: end, offset: expected)
        }
        if let header, header.baseOffset == expected, header.lastOffsetDelta >= 0, Int64(header.totalSize) == damage.bytes {
            pending.append(.damage(damage))
            return .batch(header, position: problem.position, isChecksumRight: false)
        }
        return .damage(damage)
    }

    private mutating func resume(at position: Int64, offset: Int64) {
        nextOffset = offset
        scanner = BatchScanner(file, from: position, to: end, offset: offset, checksumsFrom: -1, chunkSize: Self.chunkSize)
    }

    /// What stands at a position if it is to be read as a header, right or not.
    private func header(at position: Int64) throws(StorageError) -> RecordBatchHeader? {
        guard end - position >= Int64(RecordBatchHeader.size) else { return nil }
        return try file.read(at: position, count: RecordBatchHeader.size).withUnsafeBytes { try? RecordBatchHeader($0) }
    }
}
