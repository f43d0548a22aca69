import Batch
import State

/// How the open windows of a key stand in the persisted state and in scratch files. Stored: a change needs a new version.
///
/// The earliest end (8 bytes, big-endian: the home's timers read it), version (1), the number of windows, then the windows by ascending start:
///
/// - for all but the first the start, less the end of the window before; the length;
/// - the presence word and the uid, where the layout has them;
/// - the aggregates in order, those that need a presence only if they are present: counts; sums and numbers as signed varints, floats as
///   their 8 bytes, bools as one; a string's length and bytes; of `first` and `last` before the value the timed word less twice the
///   start, and no value when it is null; of a set 2 * count + (1 if its elements stand in chunks), else the elements follow.
///
/// Numbers are LEB128 varints, signed ones zigzag; elements are 16 bytes, the low word first. In scratch files (version 3) the
/// elements of all sets follow. Version 1, which is still read, is described at `WindowCodec`.
struct ChainWriter: ~Copyable {
    enum Content {
        /// Sets of more than `inlineMax` elements, and those that have chunks, are their chunks' business.
        case persisted
        case whole
    }

    static let version: UInt8 = 2
    static let wholeVersion: UInt8 = 3
    static let headBytes = 9
    /// Elements of a set that stand with their window. No more than are written anyway when a set in chunks changes.
    static let inlineMax = 16

    private var bytes = RawList<UInt8>(capacity: 1024)

    static func isInChunks(_ set: DistinctSet) -> Bool { set.persisted > 0 || set.count > inlineMax }

    /// The chain of `head`; good until the next call.
    mutating func encode(_ head: Record, _ lookup: RecordLookup, _ layout: AggregateLayout, _ content: Content) -> UnsafeRawBufferPointer {
        bytes.count = 0
        var count: UInt64 = 0
        var next = head
        while true {
            count += 1
            guard next.pointee.next != RecordHeader.none else { break }
            next = lookup.record(next.pointee.next)
        }
        bytes.reserve(Self.headBytes + 10)
        var place = ByteCursor(UnsafeMutableRawPointer(bytes.base))
        // Windows of a key do not overlap: the first to begin is the first to end.
        place.word(UInt64(bitPattern: head.pointee.end).bigEndian)
        place.byte(content == .whole ? Self.wholeVersion : Self.version)
        place.varint(count)
        bytes.count = place.place - UnsafeMutableRawPointer(bytes.base)

        var record = head
        var before = head.pointee.end
        while true {
            bytes.reserve(bytes.count + Self.bytesMax(record, layout))
            var place = ByteCursor(UnsafeMutableRawPointer(bytes.base) + bytes.count)
            let start = record.pointee.start
            if record != head { place.varint(UInt64(bitPattern: start &- before)) }
            place.varint(UInt64(bitPattern: record.pointee.end &- start))
            Self.writePayload(record, layout, content, &place)
            bytes.count = place.place - UnsafeMutableRawPointer(bytes.base)
            before = record.pointee.end
            guard record.pointee.next != RecordHeader.none else { break }
            record = lookup.record(record.pointee.next)
        }
        return UnsafeRawBufferPointer(start: bytes.base, count: bytes.count)
    }

    private static func bytesMax(_ record: Record, _ layout: AggregateLayout) -> Int {
        var bytes = 48 * (layout.slots.count + 1)
        for index in layout.strings { bytes += layout.string(record, index).count }
        for index in layout.distincts { bytes += layout.distinct(record, index).count * 16 }
        return bytes
    }

    private static func writePayload(_ record: Record, _ layout: AggregateLayout, _ content: Content, _ place: inout ByteCursor) {
        let payload = record.payload
        var presence: UInt64 = 0
        if layout.hasPresence {
            presence = payload.load(fromByteOffset: AggregateLayout.presenceOffset, as: UInt64.self)
            place.varint(presence)
        }
        if layout.uidOffset != nil { place.varint(layout.uid(record)) }
        layout.slots.withUnsafeBufferPointer { slots in
            for slot in slots {
                switch slot.function {
                case .count: place.varint(payload.load(fromByteOffset: slot.offset, as: UInt64.self))
                case .avg:
                    writeSum(payload, slot, &place)
                    place.varint(payload.load(fromByteOffset: slot.offset + (slot.storage == .double ? 8 : 16), as: UInt64.self))
                case .countDistinct: write(DistinctSet(payload + slot.offset), content, &place)
                case .sum where presence & slot.presence != 0: writeSum(payload, slot, &place)
                case .min where presence & slot.presence != 0, .max where presence & slot.presence != 0:
                    writeValue(payload, slot, slot.offset, &place)
                case .first where presence & slot.presence != 0, .last where presence & slot.presence != 0:
                    let word = payload.load(fromByteOffset: slot.offset, as: Int64.self)
                    place.signed(word &- record.pointee.start &<< 1)
                    if !TimedWord(bits: word).isNull { writeValue(payload, slot, slot.offset + 8, &place) }
                case .sum, .min, .max, .first, .last: break
                }
            }
        }
    }

    private static func writeSum(_ payload: UnsafeMutableRawPointer, _ slot: AggregateSlot, _ place: inout ByteCursor) {
        if slot.storage == .double {
            place.word(payload.load(fromByteOffset: slot.offset, as: UInt64.self))
        } else {
            place.signed(payload.loadUnaligned(fromByteOffset: slot.offset, as: Int128.self))
        }
    }

    private static func writeValue(
        _ payload: UnsafeMutableRawPointer, _ slot: AggregateSlot, _ offset: Int, _ place: inout ByteCursor
    ) {
        switch slot.storage {
        case .integer: place.signed(payload.load(fromByteOffset: offset, as: Int64.self))
        case .double: place.word(payload.load(fromByteOffset: offset, as: UInt64.self))
        case .decimal: place.signed(payload.loadUnaligned(fromByteOffset: offset, as: Int128.self))
        case .bool: place.byte(payload.load(fromByteOffset: offset, as: UInt8.self))
        case .string:
            let bytes = StringState(payload + offset).bytes
            place.varint(UInt64(bytes.count))
            place.bytes(bytes)
        case .none: break
        }
    }

    private static func write(_ set: DistinctSet, _ content: Content, _ place: inout ByteCursor) {
        let isInChunks = isInChunks(set)
        place.varint(UInt64(set.count) << 1 | (isInChunks ? 1 : 0))
        if !isInChunks || content == .whole { place.bytes(UnsafeRawBufferPointer(set.elements)) }
    }
}

/// Writes numbers one after the other; there is room for them.
struct ByteCursor {
    private(set) var place: UnsafeMutableRawPointer

    init(_ place: UnsafeMutableRawPointer) { self.place = place }

    @inline(__always)
    mutating func byte(_ value: UInt8) {
        place.storeBytes(of: value, as: UInt8.self)
        place += 1
    }

    @inline(__always)
    mutating func word(_ value: UInt64) {
        place.storeBytes(of: value, as: UInt64.self)
        place += 8
    }

    @inline(__always)
    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            byte(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        byte(UInt8(truncatingIfNeeded: rest))
    }

    @inline(__always)
    mutating func signed(_ value: Int64) { varint(UInt64(bitPattern: value &<< 1 ^ value &>> 63)) }

    @inline(__always)
    mutating func signed(_ value: Int128) {
        let folded = UInt128(bitPattern: value &<< 1 ^ value &>> 127)
        if folded <= UInt128(UInt64.max) { return varint(UInt64(truncatingIfNeeded: folded)) }
        var rest = folded
        while rest >= 0x80 {
            byte(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        byte(UInt8(truncatingIfNeeded: rest))
    }

    @inline(__always)
    mutating func bytes(_ bytes: UnsafeRawBufferPointer) {
        if let base = bytes.baseAddress { place.copyMemory(from: base, byteCount: bytes.count) }
        place += bytes.count
    }
}
