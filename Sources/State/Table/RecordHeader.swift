/// What stands before the payload of every record of a `RecordTable`. 72 bytes; never moves while the record lives.
@usableFromInline
package struct RecordHeader: BitwiseCopyable {
    // The first cache line has what looking a key up and looking at a timer need.

    /// Of the key (and, in tables keyed by start, the start).
    @usableFromInline package var hash: UInt64
    /// First microsecond of the window.
    @usableFromInline package var start: Int64
    /// The microsecond after the window's last.
    @usableFromInline package var end: Int64
    /// The end under which the record is registered with the timers: never after `end`.
    @usableFromInline package var timerEnd: Int64
    /// The record's own number: what indexes and timers hold.
    @usableFromInline package var number: UInt32
    /// The next record of the same key, by ascending start; `none` at the end.
    @usableFromInline package var next: UInt32
    @usableFromInline var unused: UInt32
    @usableFromInline package var keyLength: UInt32
    @usableFromInline package var flags: UInt32
    /// The key itself when it fits, else its address in the byte arena in `key1`.
    @usableFromInline var key0: UInt32
    @usableFromInline var key1: UInt64
    @usableFromInline var key2: UInt64

    /// No record.
    @inlinable package static var none: UInt32 { .max }
    /// Keys up to this length lie in the record.
    @inlinable package static var inlineKeyMax: Int { 20 }
    @inlinable static var keyOffset: Int { 52 }
    @inlinable static var longKeyOffset: Int { 56 }

    /// In use.
    @inlinable package static var isAlive: UInt32 { 1 }
    /// The index points here: first of its key.
    @inlinable package static var isHead: UInt32 { 2 }
    /// Of a key's first record: something of the key changed in the epoch that has this mark (`RecordTable.openMark`), and the epoch's list
    /// has it. Epochs take turns with the two marks; no record has both.
    @inlinable package static var changedInOne: UInt32 { 4 }
    @inlinable package static var changedInOther: UInt32 { 32 }
    @inlinable package static var changed: UInt32 { changedInOne | changedInOther }
    /// Used since the eviction hand last passed.
    @inlinable package static var isTouched: UInt32 { 8 }
    /// Its key has been taken out by a freeze, or came from the home: leaving needs a delete.
    @inlinable package static var isPersisted: UInt32 { 16 }
    /// First of a chain so long that the table keeps a directory of it.
    @inlinable static var hasDirectory: UInt32 { 64 }
}

/// A live record: its header, and behind that its payload.
@usableFromInline
package typealias Record = UnsafeMutablePointer<RecordHeader>

extension UnsafeMutablePointer where Pointee == RecordHeader {
    /// The bytes that belong to the table's user, 8-byte aligned.
    @inlinable @inline(__always)
    package var payload: UnsafeMutableRawPointer {
        UnsafeMutableRawPointer(self) + MemoryLayout<RecordHeader>.size
    }

    /// The record's key; valid while the record lives.
    @inlinable @inline(__always)
    package var key: UnsafeRawBufferPointer {
        let length = Int(pointee.keyLength)
        let bytes = UnsafeRawPointer(self)
        if length <= RecordHeader.inlineKeyMax {
            return UnsafeRawBufferPointer(start: bytes + RecordHeader.keyOffset, count: length)
        }
        return UnsafeRawBufferPointer(
            start: (bytes + RecordHeader.longKeyOffset).load(as: UnsafeRawPointer.self), count: length)
    }

    /// Whether it has all of these marks. Of a key's records only the first has any that say that it changed.
    @inlinable @inline(__always)
    package func isMarked(_ marks: UInt32) -> Bool { pointee.flags & marks == marks }

    @inlinable @inline(__always)
    func hasKey(_ other: UnsafeRawBufferPointer) -> Bool {
        guard Int(pointee.keyLength) == other.count else { return false }
        return equal(key.baseAddress, other.baseAddress, other.count)
    }
}

/// Compares as words: keys are short, and a call to memcmp would cost more than they do.
@inlinable @inline(__always)
func equal(_ one: UnsafeRawPointer?, _ other: UnsafeRawPointer?, _ count: Int) -> Bool {
    guard count > 0, let one, let other else { return true }
    if count >= 8 {
        var offset = 0
        while offset + 8 < count {
            if (one + offset).loadUnaligned(as: UInt64.self) != (other + offset).loadUnaligned(as: UInt64.self) {
                return false
            }
            offset += 8
        }
        return (one + count - 8).loadUnaligned(as: UInt64.self) == (other + count - 8).loadUnaligned(as: UInt64.self)
    }
    if count >= 4 {
        return one.loadUnaligned(as: UInt32.self) == other.loadUnaligned(as: UInt32.self)
            && (one + count - 4).loadUnaligned(as: UInt32.self) == (other + count - 4).loadUnaligned(as: UInt32.self)
    }
    for offset in 0..<count where one.load(fromByteOffset: offset, as: UInt8.self) != other.load(fromByteOffset: offset, as: UInt8.self) {
        return false
    }
    return true
}
