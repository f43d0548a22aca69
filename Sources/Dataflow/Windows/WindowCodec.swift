import Batch
import State

/// The keys of persisted windows and their sets, single windows as they travel, and values of version 1, which nobody writes any more
/// (`ChainWriter` has what is written). Stored: a change needs a new version.
///
/// Key: the group key; for tumbling windows followed by the window's start, 8 bytes big-endian with the sign bit flipped.
/// Value of version 1: earliest end in the chain (8, big-endian: the home's timers read it), version (1), number of windows (4), then
/// per window, by ascending start: start (8), end (8), the aggregates as `AggregateLayout` lays them out, with 0 for
/// addresses, then the strings in the order of their aggregates. Little-endian but for the first.
/// Sets: key uid (8), aggregate (2), chunk (4), big-endian; value up to 64 hashes of 16 bytes, low word first. The next
/// uid stands under eight zero bytes.
enum WindowCodec {
    static let version: UInt8 = 1
    static let headBytes = 13
    static let startBytes = 8
    static let spanBytes = 16

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

    // MARK: Windows

    static func windowBytes(_ record: Record, _ layout: AggregateLayout) -> Int {
        layout.strings.reduce(spanBytes + layout.payloadBytes) { $0 + layout.string(record, $1).count }
    }

    static func writeSpan(_ record: Record, to place: UnsafeMutableRawPointer) {
        place.storeBytes(of: record.pointee.start, as: Int64.self)
        place.storeBytes(of: record.pointee.end, toByteOffset: 8, as: Int64.self)
    }

    /// Writes one window: span, payload, strings.
    /// - Returns: the place behind it.
    static func writeWindow(
        _ record: Record, _ layout: AggregateLayout, to place: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        writeSpan(record, to: place)
        let payload = place + spanBytes
        payload.copyMemory(from: record.payload, byteCount: layout.payloadBytes)
        for index in layout.distincts {
            payload.storeBytes(of: 0, toByteOffset: layout.slots[index].offset, as: UInt64.self)
            let count = UInt32(layout.distinct(record, index).count)
            payload.storeBytes(of: count, toByteOffset: layout.slots[index].offset + 12, as: UInt32.self)
        }
        var place = payload + layout.payloadBytes
        for index in layout.strings {
            payload.storeBytes(of: 0, toByteOffset: layout.slots[index].stringOffset ?? 0, as: UInt64.self)
            let string = layout.string(record, index).bytes
            if let bytes = string.baseAddress { place.copyMemory(from: bytes, byteCount: string.count) }
            place += string.count
        }
        return place
    }

    /// Reads one window at `offset`, and moves that behind it. nil when there is less than a window.
    static func readWindow(_ value: UnsafeRawBufferPointer, at offset: inout Int, _ layout: AggregateLayout) -> StoredWindow? {
        guard value.count - offset >= spanBytes + layout.payloadBytes, let base = value.baseAddress else { return nil }
        let place = base + offset
        offset += spanBytes + layout.payloadBytes
        let strings = offset
        for index in layout.strings {
            let length = Int((place + spanBytes + (layout.slots[index].stringOffset ?? 0) + 8).loadUnaligned(as: UInt32.self))
            guard value.count - offset >= length else { return nil }
            offset += length
        }
        return StoredWindow(
            start: place.loadUnaligned(as: Int64.self), end: place.loadUnaligned(fromByteOffset: 8, as: Int64.self),
            payload: place + spanBytes, strings: UnsafeRawBufferPointer(rebasing: value[strings..<offset]))
    }

    // MARK: Chains

    /// The earliest end of a stored chain.
    static func earliestEnd(_ value: UnsafeRawBufferPointer) -> Int64? {
        value.count >= 8 ? Int64(bigEndian: value.loadUnaligned(as: Int64.self)) : nil
    }

    /// Calls `body` with each window of a stored chain of version 1.
    /// - Returns: what is wrong with the bytes, if something is.
    static func read(_ value: UnsafeRawBufferPointer, _ layout: AggregateLayout, _ body: (StoredWindow) -> Void) -> String? {
        guard value.count >= headBytes, let base = value.baseAddress else { return "a window's value of \(value.count) bytes" }
        guard value[8] == version else { return "a window's value of version \(value[8]), this reads up to version \(ChainWriter.version)" }
        let count = base.loadUnaligned(fromByteOffset: 9, as: UInt32.self)
        var offset = headBytes
        var lastEnd = Int64.min
        for _ in 0..<count {
            guard let window = readWindow(value, at: &offset, layout) else { return "a window's value is cut" }
            guard window.start < window.end, window.start >= lastEnd else { return "windows of a key are out of order" }
            lastEnd = window.end
            body(window)
        }
        return offset == value.count && count > 0 ? nil : "a window's value has \(value.count) bytes, \(offset) were expected"
    }
}

/// A window as it was written. Points into the bytes that it was read from.
struct StoredWindow {
    var start: Int64
    var end: Int64
    /// As `AggregateLayout` says, with nothing behind the addresses; unaligned.
    var payload: UnsafeRawPointer
    /// One after the other, in the order of their aggregates; their lengths stand in the payload.
    var strings: UnsafeRawBufferPointer

    /// The elements that a set had.
    func distinctCount(_ layout: AggregateLayout, _ index: Int) -> Int {
        Int((payload + layout.slots[index].offset + 8).loadUnaligned(as: UInt32.self))
    }

    /// Fills the payload of `record`; its sets are empty, and its uid is the one that was written.
    func fill(_ record: Record, _ layout: AggregateLayout, _ pieces: inout ByteArena) {
        record.payload.copyMemory(from: payload, byteCount: layout.payloadBytes)
        for index in layout.distincts { DistinctSet.writeCount(0, to: record.payload + layout.slots[index].offset) }
        var place = 0
        for index in layout.strings {
            let state = layout.string(record, index)
            let length = state.count
            state.forget()
            state.set(UnsafeRawBufferPointer(rebasing: strings[place..<place + length]), &pieces)
            place += length
        }
    }
}
