/// The file of a `Journal`, all big-endian:
///
///     header   "MRJL" u32   version u32 (1)
///     frame    "MRJF" u32   payload length u32   CRC-32C u32 of payload length and payload   payload
///     payload  entries: key length u32, value length i32 (-1: the key is deleted), key, value
///
/// A frame is one append. A frame that is not whole or whose checksum is wrong is an append that was interrupted if no whole frame follows
/// it, else damage.
enum JournalFormat {
    private static let fileMagic: UInt32 = 0x4d52_4a4c
    private static let frameMagic: UInt32 = 0x4d52_4a46
    private static let version: UInt32 = 1
    private static let frameHeader = 12

    static let header: [UInt8] = {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: fileMagic)
        bytes.append(bigEndian: version)
        return bytes
    }()

    static func encode(_ entries: [JournalEntry]) -> [UInt8] {
        var checked: [UInt8] = [0, 0, 0, 0]
        for entry in entries {
            checked.append(bigEndian: UInt32(entry.key.count))
            checked.append(bigEndian: Int32(entry.value?.count ?? -1))
            checked += entry.key
            if let value = entry.value { checked += value }
        }
        let length = UInt32(checked.count - 4)
        checked.withUnsafeMutableBytes { $0.store(bigEndian: length, at: 0) }
        var frame: [UInt8] = []
        frame.reserveCapacity(checked.count + 8)
        frame.append(bigEndian: frameMagic)
        frame += checked[..<4]
        frame.append(bigEndian: CheckedFile.checksum(checked))
        frame += checked[4...]
        return frame
    }

    /// Hands all entries of whole frames to `body`, in order. Returns where the last whole frame ends.
    /// - Throws: `storageError` when this is no journal, a newer one, or damaged before its end.
    static func decode(_ bytes: [UInt8], path: String, _ body: (JournalEntry) -> Void) throws(StorageError) -> Int {
        guard bytes.count >= header.count, bytes.starts(with: header) else {
            throw StorageError(.storageError, "\(path) is no journal of version \(version): its first bytes are wrong")
        }
        var position = header.count
        while position < bytes.count {
            guard let frame = frame(in: bytes, at: position) else {
                if let next = (position + 1..<bytes.count).first(where: { self.frame(in: bytes, at: $0) != nil }) {
                    throw StorageError(
                        .storageError,
                        "\(path) is damaged at byte \(position): a whole entry follows at byte \(next); restore it from a backup")
                }
                return position
            }
            guard let entries = entries(bytes[frame]) else {
                throw StorageError(.storageError, "\(path) has a frame with a right checksum at byte \(position) that holds no entries")
            }
            entries.forEach(body)
            position = frame.upperBound
        }
        return position
    }

    /// The payload of the frame at `position`, if a whole one with a right checksum is there.
    private static func frame(in bytes: [UInt8], at position: Int) -> Range<Int>? {
        guard bytes.count - position >= frameHeader, bytes[position] == 0x4d else { return nil }
        var reader = ByteReader(bytes[position...])
        guard reader.integer(UInt32.self) == frameMagic, let length = reader.integer(UInt32.self),
            let checksum = reader.integer(UInt32.self), Int(length) <= reader.remaining
        else { return nil }
        let payload = position + frameHeader..<position + frameHeader + Int(length)
        guard CheckedFile.checksum([UInt8](bytes[position + 4..<position + 8]) + bytes[payload]) == checksum else { return nil }
        return payload
    }

    private static func entries(_ payload: ArraySlice<UInt8>) -> [JournalEntry]? {
        var reader = ByteReader(payload)
        var entries: [JournalEntry] = []
        while reader.remaining > 0 {
            guard let keyLength = reader.integer(UInt32.self), let valueLength = reader.integer(Int32.self), valueLength >= -1,
                let key = reader.take(Int(keyLength)), let value = reader.take(max(0, Int(valueLength)))
            else { return nil }
            entries.append(JournalEntry(key: [UInt8](key), value: valueLength < 0 ? nil : [UInt8](value)))
        }
        return entries
    }
}
