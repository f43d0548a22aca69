import Batch
import JobFile

/// One record of a shuffle's internal topic: what one task sends to one partition in one epoch, or a piece of it.
///
/// Little-endian: `MRSB`, version (1), content (1), upstream partition (4), number of upstream partitions (4), rows (4), watermark (8),
/// fingerprint (8); then the content. The transaction and the record batch's checksum protect it; a record that is none is somebody else's.
package struct ShuffleBlock {
    package enum Content: UInt8 {
        /// Nothing but the watermark.
        case none = 0
        /// Rows in columns (Dataflow's `RowBlocks`).
        case rows = 1
        /// Windows as far as the upstream task has folded them in the epoch (Dataflow's `takePartials`).
        case partialWindows = 2
    }

    /// What sent it: a partition of the source above the shuffle, and how many of them there were.
    package var upstream: Int32
    package var upstreams: Int32
    package var content: Content
    /// Rows in the content; of partial windows, the rows folded into them.
    package var rows: Int
    /// Of the upstream task, behind this block.
    package var watermark: Int64
    /// Of what the content is like: columns, or keys and aggregates.
    package var fingerprint: UInt64

    package static let headerBytes = 34
    private static let magic: UInt32 = 0x4253_524D
    private static let version: UInt8 = 1
    /// More partitions than a Kafka topic has anywhere; also a limit on what a stranger's record can make a task remember.
    package static let upstreamsMax: Int32 = 100_000

    package init(upstream: Int32, upstreams: Int32, content: Content, rows: Int, watermark: Int64, fingerprint: UInt64) {
        self.upstream = upstream
        self.upstreams = upstreams
        self.content = content
        self.rows = rows
        self.watermark = watermark
        self.fingerprint = fingerprint
    }

    /// - Returns: nil when `bytes` do not begin as a block of this version does.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.headerBytes, Self.load(bytes, 0, UInt32.self) == Self.magic, bytes[4] == Self.version,
            let content = Content(rawValue: bytes[5])
        else { return nil }
        self.content = content
        upstream = Self.load(bytes, 6, Int32.self)
        upstreams = Self.load(bytes, 10, Int32.self)
        rows = Int(Self.load(bytes, 14, Int32.self))
        watermark = Self.load(bytes, 18, Int64.self)
        fingerprint = Self.load(bytes, 26, UInt64.self)
        guard upstream >= 0, upstream < upstreams, upstreams <= Self.upstreamsMax, rows >= 0 else { return nil }
    }

    package func append(to bytes: inout [UInt8]) {
        func put<Value: FixedWidthInteger>(_ value: Value) {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
        put(Self.magic)
        put(Self.version)
        put(content.rawValue)
        put(upstream)
        put(upstreams)
        put(Int32(rows))
        put(watermark)
        put(fingerprint)
    }

    private static func load<Value: FixedWidthInteger>(_ bytes: UnsafeRawBufferPointer, _ offset: Int, _ type: Value.Type) -> Value {
        Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
    }
}

extension JobPlan {
    /// Stands for what the content of a shuffle's blocks is like: whoever computes the same understands them.
    func blockFingerprint(of shuffle: Int) -> UInt64 {
        var text = shuffles[shuffle].input.fields.map(\.description).joined(separator: ", ")
        if case .partialWindows(let index) = shuffles[shuffle].content, case .window(let window) = transforms[index].operation {
            text += " by \(window.groupBy) \(window.kind) \(window.aggregates.map { $0.call.text }.joined(separator: "; "))"
        }
        return text.withUTF8 { hash64(UnsafeRawBufferPointer($0)) }
    }
}
