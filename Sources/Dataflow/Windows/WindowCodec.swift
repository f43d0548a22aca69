import Batch
import State

/// How open windows stand in the persisted state. Stored: a change needs a new version.
///
/// Key: the group key; for tumbling windows followed by the window's start, 8 bytes big-endian with the sign bit flipped.
/// Value: earliest end in the chain (8, big-endian: the home's timers read it), version (1), number of windows (4), then
/// per window, by ascending start: start (8), end (8), the aggregates as `AggregateLayout` lays them out, with 0 for
/// addresses, then the strings in the order of their aggregates. Little-endian but for the first.
/// Sets: key uid (8), aggregate (2), chunk (4), big-endian; value up to 64 hashes of 16 bytes, low word first. The next
/// uid stands under eight zero bytes.
enum WindowCodec {
    static let version: UInt8 = 1
    static let headBytes = 13
    static let startBytes = 8
    private static let spanBytes = 16

    // MARK: Keys

    static func writeStart(_ start: Int64, to place: UnsafeMutableRawPointer) {
        place.storeBytes(of: (UInt64(bitPattern: start) ^ (1 << 63)).bigEndian, as: UInt64.self)
    }

    /// Group key and window start of a stored key; nil when it is too short.
    static func split(_ key: UnsafeRawBufferPointer, isKeyedByStart: Bool) -> (key: UnsafeRawBufferPointer, start: Int64)? {
        guard isKeyedByStart else { return (key, 0) }
        guard key.count >= startBytes else { return nil }
        let word = UInt64(bigEndian: key.loadUnaligned(fromByteOffset: key.count - startBytes, as: UInt64.self))
        return (UnsafeRawBufferPointer(rebasing: key[..<(key.count - startBytes)]), Int64(bitPattern: word ^ (1 << 63)))
    }

    static func withSetPrefix<Result, Failure: Error>(
        _ uid: UInt64, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var word = uid.bigEndian
        // A typed throw does not pass withUnsafeBytes.
        return try withUnsafePointer(to: &word) { pointer throws(Failure) in
            try body(UnsafeRawBufferPointer(start: pointer, count: 8))
        }
    }

    static let setKeyBytes = 14

    static func writeSetKey(_ uid: UInt64, _ aggregate: Int, _ chunk: Int, to place: UnsafeMutableRawPointer) {
        place.storeBytes(of: uid.bigEndian, as: UInt64.self)
        place.storeBytes(of: UInt16(aggregate).bigEndian, toByteOffset: 8, as: UInt16.self)
        place.storeBytes(of: UInt32(chunk).bigEndian, toByteOffset: 10, as: UInt32.self)
    }

    static func readSetKey(_ key: UnsafeRawBufferPointer) -> (uid: UInt64, aggregate: Int, chunk: Int)? {
        guard key.count == setKeyBytes else { return nil }
        return (
            UInt64(bigEndian: key.loadUnaligned(as: UInt64.self)),
            Int(UInt16(bigEndian: key.loadUnaligned(fromByteOffset: 8, as: UInt16.self))),
            Int(UInt32(bigEndian: key.loadUnaligned(fromByteOffset: 10, as: UInt32.self)))
        )
    }

    // MARK: Chains

    static func valueBytes(_ head: Record, _ lookup: RecordLookup, _ layout: AggregateLayout) -> Int {
        var bytes = headBytes
        var record = head
        while true {
            bytes += spanBytes + layout.payloadBytes
            for index in layout.strings { bytes += layout.string(record, index).count }
            guard record.pointee.next != RecordHeader.none else { return bytes }
            record = lookup.record(record.pointee.next)
        }
    }

    /// Fills `value`, which has the size that `valueBytes` says.
    static func write(_ head: Record, _ lookup: RecordLookup, _ layout: AggregateLayout, to value: UnsafeMutableRawBufferPointer) {
        guard let base = value.baseAddress else { return }
        // Windows of a key do not overlap: the first to begin is the first to end.
        base.storeBytes(of: head.pointee.end.bigEndian, as: Int64.self)
        base.storeBytes(of: version, toByteOffset: 8, as: UInt8.self)
        var count: UInt32 = 0
        var place = base + headBytes
        var record = head
        while true {
            place.storeBytes(of: record.pointee.start, as: Int64.self)
            place.storeBytes(of: record.pointee.end, toByteOffset: 8, as: Int64.self)
            let payload = place + spanBytes
            payload.copyMemory(from: record.payload, byteCount: layout.payloadBytes)
            place = payload + layout.payloadBytes
            for index in layout.distincts {
                payload.storeBytes(of: 0, toByteOffset: layout.slots[index].offset, as: UInt64.self)
                let count = UInt32(layout.distinct(record, index).count)
                payload.storeBytes(of: count, toByteOffset: layout.slots[index].offset + 12, as: UInt32.self)
            }
            for index in layout.strings {
                payload.storeBytes(of: 0, toByteOffset: layout.slots[index].stringOffset ?? 0, as: UInt64.self)
                let string = layout.string(record, index).bytes
                if let bytes = string.baseAddress { place.copyMemory(from: bytes, byteCount: string.count) }
                place += string.count
            }
            count += 1
            guard record.pointee.next != RecordHeader.none else { break }
            record = lookup.record(record.pointee.next)
        }
        base.storeBytes(of: count, toByteOffset: 9, as: UInt32.self)
    }

    /// The earliest end of a stored chain.
    static func earliestEnd(_ value: UnsafeRawBufferPointer) -> Int64? {
        value.count >= headBytes ? Int64(bigEndian: value.loadUnaligned(as: Int64.self)) : nil
    }

    /// Calls `body` with each window of a stored chain: start, end, the payload as stored, and its strings by aggregate.
    /// - Returns: what is wrong with the bytes, if something is.
    static func read(
        _ value: UnsafeRawBufferPointer, _ layout: AggregateLayout,
        _ body: (Int64, Int64, UnsafeRawPointer, (Int) -> UnsafeRawBufferPointer) -> Void
    ) -> String? {
        guard value.count >= headBytes, let base = value.baseAddress else { return "a window's value of \(value.count) bytes" }
        guard value[8] == version else { return "a window's value of version \(value[8]), this is version \(version)" }
        let count = base.loadUnaligned(fromByteOffset: 9, as: UInt32.self)
        var offset = headBytes
        var lastEnd = Int64.min
        for _ in 0..<count {
            guard value.count - offset >= spanBytes + layout.payloadBytes else { return "a window's value is cut" }
            let start = base.loadUnaligned(fromByteOffset: offset, as: Int64.self)
            let end = base.loadUnaligned(fromByteOffset: offset + 8, as: Int64.self)
            guard start < end, start >= lastEnd else { return "windows of a key are out of order" }
            lastEnd = end
            let payload = base + offset + spanBytes
            offset += spanBytes + layout.payloadBytes
            let strings = offset
            for index in layout.strings {
                let length = Int((payload + (layout.slots[index].stringOffset ?? 0) + 8).loadUnaligned(as: UInt32.self))
                guard value.count - offset >= length else { return "a window's value is cut" }
                offset += length
            }
            body(start, end, payload) { wanted in
                var place = strings
                for index in layout.strings {
                    let length = Int((payload + (layout.slots[index].stringOffset ?? 0) + 8).loadUnaligned(as: UInt32.self))
                    if index == wanted { return UnsafeRawBufferPointer(rebasing: value[place..<place + length]) }
                    place += length
                }
                return UnsafeRawBufferPointer(start: nil, count: 0)
            }
        }
        return offset == value.count && count > 0 ? nil : "a window's value has \(value.count) bytes, \(offset) were expected"
    }
}
