/// A delta file as read back: its header, and its changes, which stay compressed until they are looked at.
///
/// Format (little-endian; golden bytes in the tests). The preamble has this shape in every version, so that an older program can
/// say "newer" instead of "damaged":
///
///     0   8 bytes  "mr-delta"
///     8   u32      format version, 1
///     12  u32      length of the header
///     16  u64      length of the file
///     24  u32      number of blocks
///     28  u32      CRC-32C of bytes 0..<28
///
/// then the header (`DeltaHeaderCodec`), then the blocks, each
///
///     u32 length of its changes as encoded, u32 length compressed, u32 number of changes, the compressed bytes (one zstd frame)
///
/// and at last the CRC-32C of everything before it. A block holds whole changes (`ChangeSet` has their encoding) and ends with
/// the one that brings it to 1 MiB, so reading needs little more memory than that, however large the delta.
package struct DeltaFile: Sendable {
    package static let formatVersion: UInt32 = 1
    static let magic: [UInt8] = Array("mr-delta".utf8)
    static let preambleLength = 32
    static let blockHeadLength = 12
    static let blockTarget = 1 << 20

    struct Block: Sendable {
        var start: Int
        var compressedCount: Int
        var byteCount: Int
        var changeCount: Int
    }

    package private(set) var header: DeltaHeader
    /// Entries in all blocks.
    package let changeCount: Int
    /// Of all changes as encoded, bytes.
    package let changeByteCount: Int
    let name: String
    /// The file as it is stored.
    package let bytes: [UInt8]
    let blocks: [Block]

    /// Checks lengths and checksums of the whole file before anything else is believed.
    /// - Parameter name: of the object, for errors.
    package init(decoding bytes: [UInt8], name: String) throws(StateError) {
        let layout = try Self.layout(of: bytes, name: name)
        self.header = layout.header
        self.blocks = layout.blocks
        self.changeCount = layout.blocks.reduce(0) { $0 + $1.changeCount }
        self.changeByteCount = layout.blocks.reduce(0) { $0 + $1.byteCount }
        self.name = name
        self.bytes = bytes
    }

    /// Refuses a delta of another job or task, or another one than `reference`.
    package func check(job: String, task: String, reference: DeltaReference?) throws(StateError) {
        guard header.job == job, header.task == task else {
            throw StateError(
                .foreign, name, "a delta of job \(header.job), task \(header.task), where job \(job), task \(task) was expected",
                remedy: "look whether two jobs share one checkpoint directory, or files were moved; put the right file back")
        }
        guard let reference, header.reference != reference else { return }
        throw StateError(
            .foreign, name, "the delta \(header.reference) where \(reference) was expected",
            remedy: "a file was renamed or replaced: put back the one that was committed")
    }

    /// The same changes as those of another job's task, for a job that starts from what this one kept. `bytes` stay the old ones.
    package func belonging(toJob job: String) -> DeltaFile {
        var copy = self
        copy.header.job = job
        return copy
    }

    /// Every change, in order. Decompresses one block after the other.
    package func forEach(_ body: (Change) throws(StateError) -> Void) throws(StateError) {
        let decompressor = Decompressor()
        for block in blocks {
            let intact = try bytes.span.bytes.withUnsafeBytes { (file) throws(StateError) -> Bool in
                let compressed = UnsafeRawBufferPointer(rebasing: file[block.start..<block.start + block.compressedCount])
                guard let changes = decompressor.decompress(compressed, count: block.byteCount) else { return false }
                var reader = ChangeReader(changes)
                var count = 0
                while let change = reader.next() {
                    try body(change)
                    count += 1
                }
                return !reader.isDamaged && count == block.changeCount
            }
            guard intact else { throw Self.damaged(name, "epoch \(header.reference.epoch): a block of changes does not decode") }
        }
    }

    /// - Parameter level: of zstd; negative ones are faster and larger.
    package static func encode(_ header: DeltaHeader, _ changes: ChangeSet, level: Int32 = 1) -> [UInt8] {
        var bytes: [UInt8] = []
        encode(header, changes, level: level, into: &bytes)
        return bytes
    }

    /// The same into `bytes`, whose content is replaced and whose memory is used again.
    package static func encode(_ header: DeltaHeader, _ changes: ChangeSet, level: Int32, into bytes: inout [UInt8]) {
        let headerBytes = DeltaHeaderCodec.encode(header)
        var file = ByteWriter()
        swap(&file.bytes, &bytes)
        defer { swap(&file.bytes, &bytes) }
        file.bytes.removeAll(keepingCapacity: true)
        file.bytes.reserveCapacity(preambleLength + headerBytes.count + changes.byteCount / 2 + 64)
        file.bytes.append(contentsOf: repeatElement(0, count: preambleLength))
        file.bytes.append(contentsOf: headerBytes)
        var blockCount: UInt32 = 0
        let compressor = Compressor(level: level)
        changes.withBytes { all in
            var start = ChangeSet.Cut(byteCount: 0, count: 0)
            let end = ChangeSet.Cut(byteCount: changes.byteCount, count: changes.count)
            for cut in changes.cuts + [end] where cut.byteCount > start.byteCount {
                let block = UnsafeRawBufferPointer(rebasing: all[start.byteCount..<cut.byteCount])
                let compressed = compressor.compress(block)
                file.integer(UInt32(block.count))
                file.integer(UInt32(compressed.count))
                file.integer(UInt32(cut.count - start.count))
                file.bytes.append(contentsOf: compressed)
                blockCount += 1
                start = cut
            }
        }
        var preamble = ByteWriter()
        preamble.bytes.append(contentsOf: magic)
        preamble.integer(formatVersion)
        preamble.integer(UInt32(headerBytes.count))
        preamble.integer(UInt64(file.bytes.count + 4))
        preamble.integer(blockCount)
        preamble.integer(crc32c(preamble.bytes[...]))
        file.bytes.replaceSubrange(0..<preambleLength, with: preamble.bytes)
        file.integer(crc32c(file.bytes[...]))
    }

    private static func layout(of bytes: [UInt8], name: String) throws(StateError) -> (header: DeltaHeader, blocks: [Block]) {
        guard bytes.prefix(magic.count).elementsEqual(magic.prefix(bytes.count)) else {
            throw damaged(name, "not a delta file: it does not begin with \"mr-delta\"")
        }
        guard bytes.count >= preambleLength + 4 else { throw cut(name, "\(bytes.count) bytes are less than a preamble") }
        var preamble = ByteReader(bytes[magic.count..<preambleLength])
        guard let version = preamble.integer(UInt32.self), let headerLength = preamble.integer(UInt32.self),
            let fileLength = preamble.integer(UInt64.self), let blockCount = preamble.integer(UInt32.self),
            let preambleCRC = preamble.integer(UInt32.self)
        else { throw cut(name, "no whole preamble") }
        guard preambleCRC == crc32c(bytes[..<(preambleLength - 4)]) else { throw damaged(name, "the checksum of its preamble is wrong") }
        guard version <= formatVersion else {
            throw StateError(
                .newerFormat, name, "format version \(version), and this Millrace reads up to \(formatVersion)",
                remedy: "start the newer Millrace that wrote it, or restore a checkpoint from before the upgrade")
        }
        guard version > 0 else { throw damaged(name, "format version 0") }
        guard fileLength <= UInt64(bytes.count) else { throw cut(name, "\(bytes.count) bytes of \(fileLength)") }
        guard fileLength == UInt64(bytes.count) else { throw damaged(name, "\(bytes.count) bytes where \(fileLength) were written") }
        var trailer = ByteReader(bytes[(bytes.count - 4)...])
        guard trailer.integer(UInt32.self) == crc32c(bytes[..<(bytes.count - 4)]) else { throw damaged(name, "its checksum is wrong") }

        var rest = ByteReader(bytes[preambleLength..<(bytes.count - 4)])
        guard let headerBytes = rest.take(Int(headerLength)), let header = DeltaHeaderCodec.decode(headerBytes) else {
            throw damaged(name, "its header does not decode")
        }
        var blocks: [Block] = []
        for _ in 0..<blockCount {
            guard let byteCount = rest.integer(UInt32.self), let compressedCount = rest.integer(UInt32.self),
                let changeCount = rest.integer(UInt32.self), let compressed = rest.take(Int(compressedCount))
            else { throw damaged(name, "epoch \(header.reference.epoch): a block reaches past the end") }
            blocks.append(
                Block(
                    start: compressed.startIndex, compressedCount: compressed.count, byteCount: Int(byteCount),
                    changeCount: Int(changeCount)))
        }
        guard rest.isAtEnd else { throw damaged(name, "epoch \(header.reference.epoch): bytes after the last block") }
        return (header, blocks)
    }

    private static func cut(_ name: String, _ problem: String) -> StateError {
        StateError(.cut, name, "the file is cut: \(problem)", remedy: remedy)
    }

    private static func damaged(_ name: String, _ problem: String) -> StateError {
        StateError(.damaged, name, problem, remedy: remedy)
    }

    private static let remedy =
        "restore this file from a copy of the checkpoint storage, or delete the job's checkpoints and its consumer group's offsets to start over"
}
