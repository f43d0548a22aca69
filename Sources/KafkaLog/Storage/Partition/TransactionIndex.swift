/// An aborted transaction as the index keeps it.
struct AbortedRange: Sendable, Hashable {
    let producerID: Int64
    let firstOffset: Int64
    /// Of the abort marker.
    let lastOffset: Int64
    /// The last stable offset once it was aborted: no later entry begins before it.
    let lastStableOffset: Int64
}

/// The transactions whose abort marker is in one segment, as a file `<base offset>.txnindex`, all big-endian:
///
///     magic u32 "MRTX"   version u16 (1)   count u32
///     per entry, by last offset: producer id i64, first offset i64, last offset i64, last stable offset i64, CRC-32C u32 of these
enum TransactionIndex {
    private static let magic: UInt32 = 0x4d52_5458
    private static let version: UInt16 = 1

    static func encode(_ entries: some Collection<AbortedRange>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: magic)
        bytes.append(bigEndian: version)
        bytes.append(bigEndian: UInt32(entries.count))
        for entry in entries {
            let fields = encode(entry)
            bytes += fields
            bytes.append(bigEndian: CheckedFile.checksum(fields))
        }
        return bytes
    }

    private static func encode(_ entry: AbortedRange) -> [UInt8] {
        var fields: [UInt8] = []
        fields.append(bigEndian: entry.producerID)
        fields.append(bigEndian: entry.firstOffset)
        fields.append(bigEndian: entry.lastOffset)
        fields.append(bigEndian: entry.lastStableOffset)
        return fields
    }

    /// nil when the bytes are no such index: it can be rebuilt from the log.
    static func decode(_ bytes: [UInt8]) -> [AbortedRange]? {
        var reader = ByteReader(bytes[...])
        guard reader.integer(UInt32.self) == magic, reader.integer(UInt16.self) == version, let count = reader.integer(UInt32.self),
            Int(count) * 36 == reader.remaining
        else { return nil }
        var entries: [AbortedRange] = []
        for _ in 0..<count {
            guard let producerID = reader.integer(Int64.self), let firstOffset = reader.integer(Int64.self),
                let lastOffset = reader.integer(Int64.self), let lastStableOffset = reader.integer(Int64.self)
            else { return nil }
            let entry = AbortedRange(
                producerID: producerID, firstOffset: firstOffset, lastOffset: lastOffset, lastStableOffset: lastStableOffset)
            guard reader.integer(UInt32.self) == CheckedFile.checksum(encode(entry)), lastOffset > entries.last?.lastOffset ?? -1
            else { return nil }
            entries.append(entry)
        }
        return entries
    }
}
