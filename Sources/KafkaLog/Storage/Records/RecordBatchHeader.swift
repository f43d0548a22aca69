import CShims

/// The first 61 bytes of a record batch with magic 2 (Kafka protocol guide, "Record Batch"), all big-endian:
///
///     0 base offset i64     8 batch length i32 (bytes after this field)   12 partition leader epoch i32   16 magic i8
///    17 CRC-32C u32 (of 21 to the end)   21 attributes i16   23 last offset delta i32   27 base timestamp i64
///    35 max timestamp i64   43 producer id i64   51 producer epoch i16   53 base sequence i32   57 record count i32
///
/// Base offset and leader epoch are outside the CRC: a broker sets them in place.
package struct RecordBatchHeader: Sendable, Hashable {
    /// Bytes of a header.
    package static let size = 61
    /// Bytes up to and with the batch length.
    package static let lengthPrefix = 12

    package enum Compression: Int16, Sendable {
        case none, gzip, snappy, lz4, zstd
    }

    package let baseOffset: Int64
    /// Of the whole batch, bytes, this header included; 61 and up.
    package let totalSize: Int
    package let partitionLeaderEpoch: Int32
    package let crc: UInt32
    package let attributes: Int16
    package let lastOffsetDelta: Int32
    /// Milliseconds since 1970.
    package let baseTimestamp: Int64
    /// Milliseconds since 1970; -1: none.
    package let maxTimestamp: Int64
    /// -1: none.
    package let producerID: Int64
    package let producerEpoch: Int16
    package let baseSequence: Int32
    package let recordCount: Int32

    package var lastOffset: Int64 { baseOffset &+ Int64(lastOffsetDelta) }
    /// Offset after the batch.
    package var nextOffset: Int64 { lastOffset &+ 1 }
    /// nil: a codec that does not exist.
    package var compression: Compression? { Compression(rawValue: attributes & 0x07) }
    package var usesLogAppendTime: Bool { attributes & 0x08 != 0 }
    package var isTransactional: Bool { attributes & 0x10 != 0 }
    package var isControl: Bool { attributes & 0x20 != 0 }
    /// The cleaner has set the time from which its tombstones, or the marker in it, need not be kept; it is the base timestamp (KIP-534).
    package var hasDeleteHorizon: Bool { attributes & Self.deleteHorizonFlag != 0 }
    static let deleteHorizonFlag: Int16 = 0x40
    package var hasProducer: Bool { producerID >= 0 }
    /// Sequence number of the last record; sequences go on at 0 after Int32.max.
    package var lastSequence: Int32 { Self.sequence(baseSequence, plus: lastOffsetDelta) }

    static func sequence(_ base: Int32, plus delta: Int32) -> Int32 {
        Int32(truncatingIfNeeded: (Int64(base) + Int64(delta)) & 0x7fff_ffff)
    }

    /// Reads the header at the start of `bytes`. Lengths are checked against each other, not yet against what follows.
    /// - Throws: `corruptMessage` when it is too short or its lengths lie, `unsupportedForMessageFormat` for magic 0 and 1.
    package init(_ bytes: UnsafeRawBufferPointer) throws(StorageError) {
        guard bytes.count > 16 else {
            throw StorageError(.corruptMessage, "a record batch needs \(Self.size) bytes of header, \(bytes.count) came")
        }
        let magic: Int8 = bytes.bigEndian(16)
        guard magic == 2 else {
            throw magic == 0 || magic == 1
                ? StorageError(.unsupportedForMessageFormat, "message format \(magic) is not supported, only 2 (Kafka 0.11 and later)")
                : StorageError(.corruptMessage, "no record batch has magic \(magic)")
        }
        guard bytes.count >= Self.size else {
            throw StorageError(.corruptMessage, "a record batch needs \(Self.size) bytes of header, \(bytes.count) came")
        }
        let length: Int32 = bytes.bigEndian(8)
        guard length >= Self.size - Self.lengthPrefix else {
            throw StorageError(.corruptMessage, "a record batch says that it has \(length) bytes, its header alone has more")
        }
        totalSize = Int(length) + Self.lengthPrefix
        baseOffset = bytes.bigEndian(0)
        partitionLeaderEpoch = bytes.bigEndian(12)
        crc = bytes.bigEndian(17)
        attributes = bytes.bigEndian(21)
        lastOffsetDelta = bytes.bigEndian(23)
        baseTimestamp = bytes.bigEndian(27)
        maxTimestamp = bytes.bigEndian(35)
        producerID = bytes.bigEndian(43)
        producerEpoch = bytes.bigEndian(51)
        baseSequence = bytes.bigEndian(53)
        recordCount = bytes.bigEndian(57)
    }

    /// Whether the checksum of the batch at the start of `bytes`, which has all of it, is right.
    package func checksumMatches(_ bytes: UnsafeRawBufferPointer) -> Bool {
        millrace_crc32c(0, bytes.baseAddress! + 21, totalSize - 21) == crc
    }

    /// Makes the checksum of the batch that `bytes` is right.
    static func setChecksum(_ bytes: UnsafeMutableRawBufferPointer) {
        bytes.store(bigEndian: millrace_crc32c(0, bytes.baseAddress! + 21, bytes.count - 21), at: 17)
    }

    /// Gives the batch in `bytes` its place in a log.
    static func assign(baseOffset: Int64, leaderEpoch: Int32, to bytes: UnsafeMutableRawBufferPointer) {
        bytes.store(bigEndian: baseOffset, at: 0)
        bytes.store(bigEndian: leaderEpoch, at: 12)
    }

    /// What a broker asks of a batch from a producer, beyond a right checksum (Kafka's LogValidator).
    package func validateFromProducer() throws(StorageError) {
        guard lastOffsetDelta >= 0, recordCount > 0, Int64(recordCount) == Int64(lastOffsetDelta) + 1 else {
            throw StorageError(.invalidRecord, "the batch counts \(recordCount) records and has last offset delta \(lastOffsetDelta); the count has to be one more")
        }
        guard compression != nil else {
            throw StorageError(.invalidRecord, "there is no compression codec \(attributes & 0x07)")
        }
        guard !isControl else { throw StorageError(.invalidRecord, "clients may not write control batches") }
        guard !usesLogAppendTime else { throw StorageError(.invalidRecord, "producers may not use the timestamp type LogAppendTime") }
        if hasProducer {
            guard producerEpoch >= 0, baseSequence >= 0 else {
                throw StorageError(.invalidRecord, "producer \(producerID) sent epoch \(producerEpoch) and sequence \(baseSequence); both have to be 0 or more")
            }
        } else if isTransactional {
            throw StorageError(.invalidRecord, "a transactional batch has to have a producer id")
        }
    }
}

/// Goes over the batches in bytes, in order.
package struct RecordBatchIterator {
    private let bytes: UnsafeRawBufferPointer
    /// Start of the next batch.
    package private(set) var position = 0

    package init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// The next header, or nil at the end.
    /// - Throws: `corruptMessage` when what is left is no whole batch.
    package mutating func next() throws(StorageError) -> RecordBatchHeader? {
        guard position < bytes.count else { return nil }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
        let header = try RecordBatchHeader(rest)
        guard header.totalSize <= rest.count else {
            throw StorageError(.corruptMessage, "a record batch says that it has \(header.totalSize) bytes, \(rest.count) came")
        }
        position += header.totalSize
        return header
    }
}
