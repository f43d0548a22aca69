import Batch
import State

/// Reads what a `ChainWriter` wrote, in a value that is of one of its versions. Whatever the bytes are, nothing is read beyond them.
struct ChainReader {
    private var place: UnsafeRawPointer
    private let end: UnsafeRawPointer
    private let isWhole: Bool
    private var lastEnd: Int64
    private var isFirst = true
    /// The bytes are no chain. What has been read of it is to be forgotten.
    private(set) var isDamaged = false
    /// Windows that are still to be read.
    private(set) var count: UInt64 = 0

    /// - Returns: nil when it is of another version.
    init?(_ value: UnsafeRawBufferPointer) {
        guard value.count > ChainWriter.headBytes, let base = value.baseAddress,
            value[8] == ChainWriter.version || value[8] == ChainWriter.wholeVersion
        else { return nil }
        isWhole = value[8] == ChainWriter.wholeVersion
        lastEnd = Int64(bigEndian: base.loadUnaligned(as: Int64.self))
        place = base + ChainWriter.headBytes
        end = base + value.count
        count = varint()
        if count == 0 { isDamaged = true }
    }

    var isAtEnd: Bool { place == end }

    /// When the next window begins and ends; nil when there is none or the bytes are damaged.
    mutating func span() -> (start: Int64, end: Int64)? {
        guard count > 0, !isDamaged else { return nil }
        count -= 1
        if !isFirst {
            let (start, isBeyond) = lastEnd.addingReportingOverflow(Int64(bitPattern: varint()))
            let end = start &+ Int64(bitPattern: varint())
            if isBeyond || start < lastEnd || end <= start { isDamaged = true }
            lastEnd = end
            return isDamaged ? nil : (start, end)
        }
        // A length may be more than an Int64 can say: it wraps.
        let start = lastEnd &- Int64(bitPattern: varint())
        if start >= lastEnd { isDamaged = true }
        isFirst = false
        return isDamaged ? nil : (start, lastEnd)
    }

    /// Fills the payload of a record whose start is set and whose payload is zero. Sets in chunks get their count only, but in scratch files.
    mutating func fill(_ record: Record, _ layout: AggregateLayout, _ pieces: inout ByteArena) {
        let payload = record.payload
        var presence: UInt64 = 0
        if layout.hasPresence {
            presence = varint()
            payload.storeBytes(of: presence, toByteOffset: AggregateLayout.presenceOffset, as: UInt64.self)
        }
        if layout.uidOffset != nil { layout.setUid(record, varint()) }
        layout.slots.withUnsafeBufferPointer { slots in
            for slot in slots {
                switch slot.function {
                case .count: payload.storeBytes(of: varint(), toByteOffset: slot.offset, as: UInt64.self)
                case .avg:
                    readSum(payload, slot)
                    payload.storeBytes(of: varint(), toByteOffset: slot.offset + (slot.storage == .double ? 8 : 16), as: UInt64.self)
                case .countDistinct: readSet(payload + slot.offset, &pieces)
                case .sum where presence & slot.presence != 0: readSum(payload, slot)
                case .min where presence & slot.presence != 0, .max where presence & slot.presence != 0:
                    readValue(payload, slot, slot.offset, &pieces)
                case .first where presence & slot.presence != 0, .last where presence & slot.presence != 0:
                    let word = signed() &+ record.pointee.start &<< 1
                    payload.storeBytes(of: word, toByteOffset: slot.offset, as: Int64.self)
                    if !TimedWord(bits: word).isNull { readValue(payload, slot, slot.offset + 8, &pieces) }
                case .sum, .min, .max, .first, .last: break
                }
            }
        }
    }

    private mutating func readSum(_ payload: UnsafeMutableRawPointer, _ slot: AggregateSlot) {
        if slot.storage == .double {
            payload.storeBytes(of: word(), toByteOffset: slot.offset, as: UInt64.self)
        } else {
            payload.storeBytes(of: signed128(), toByteOffset: slot.offset, as: Int128.self)
        }
    }

    private mutating func readValue(_ payload: UnsafeMutableRawPointer, _ slot: AggregateSlot, _ offset: Int, _ pieces: inout ByteArena) {
        switch slot.storage {
        case .integer: payload.storeBytes(of: signed(), toByteOffset: offset, as: Int64.self)
        case .double: payload.storeBytes(of: word(), toByteOffset: offset, as: UInt64.self)
        case .decimal: payload.storeBytes(of: signed128(), toByteOffset: offset, as: Int128.self)
        case .bool: payload.storeBytes(of: take(1)?.load(as: UInt8.self) ?? 0, toByteOffset: offset, as: UInt8.self)
        case .string:
            let length = varint()
            guard let start = take(length) else { return }
            StringState(payload + offset).set(UnsafeRawBufferPointer(start: start, count: Int(length)), &pieces)
        case .none: break
        }
    }

    private mutating func readSet(_ state: UnsafeMutableRawPointer, _ pieces: inout ByteArena) {
        let word = varint()
        let count = word >> 1
        let isInChunks = word & 1 != 0
        guard count < UInt64(UInt32.max) else {
            isDamaged = true
            return
        }
        if isInChunks && !isWhole { return DistinctSet.writeCount(Int(count), to: state) }
        guard let elements = take(count * 16) else { return }
        DistinctSet(state).restore(elements, count: Int(count), persisted: isInChunks ? Int(count) : 0, &pieces)
    }

    // MARK: Numbers

    @inline(__always)
    private mutating func take(_ count: UInt64) -> UnsafeRawPointer? {
        guard UInt64(end - place) >= count else {
            isDamaged = true
            place = end
            return nil
        }
        defer { place += Int(count) }
        return place
    }

    @inline(__always)
    private mutating func word() -> UInt64 { take(8)?.loadUnaligned(as: UInt64.self) ?? 0 }

    @inline(__always)
    private mutating func varint() -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while place < end, shift < 70 {
            let byte = place.load(as: UInt8.self)
            place += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        isDamaged = true
        return 0
    }

    @inline(__always)
    private mutating func signed() -> Int64 {
        let folded = varint()
        return Int64(bitPattern: folded >> 1) ^ -Int64(bitPattern: folded & 1)
    }

    @inline(__always)
    private mutating func signed128() -> Int128 {
        var folded: UInt128 = 0
        var shift: UInt128 = 0
        while place < end, shift < 133 {
            let byte = place.load(as: UInt8.self)
            place += 1
            folded |= UInt128(byte & 0x7F) << shift
            if byte < 0x80 { return Int128(bitPattern: folded >> 1) ^ -Int128(bitPattern: folded & 1) }
            shift += 7
        }
        isDamaged = true
        return 0
    }
}
