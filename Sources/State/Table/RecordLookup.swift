import CShims

/// One of an index's 256 parts: `mask` + 1 slots, a power of two.
@usableFromInline
package struct IndexSubTable: BitwiseCopyable {
    @usableFromInline var slots: UnsafeMutablePointer<UInt64>
    @usableFromInline var mask: UInt32
    @usableFromInline var count: UInt32

    init(slots: UnsafeMutablePointer<UInt64>, mask: UInt32, count: UInt32) {
        self.slots = slots
        self.mask = mask
        self.count = count
    }
}

/// The reading side of a `RecordTable`, small enough to be held in registers by a loop: a copy of it sees what the
/// table does, as long as the table lives.
@usableFromInline
package struct RecordLookup: BitwiseCopyable {
    @usableFromInline let tables: UnsafeMutablePointer<IndexSubTable>
    @usableFromInline let chunks: UnsafeMutablePointer<UnsafeMutableRawPointer>
    /// Bytes from one record to the next.
    @usableFromInline let stride: Int
    @usableFromInline let chunkShift: UInt32
    @usableFromInline let chunkMask: UInt32
    @usableFromInline package let isKeyedByStart: Bool

    init(
        tables: UnsafeMutablePointer<IndexSubTable>, chunks: UnsafeMutablePointer<UnsafeMutableRawPointer>, stride: Int,
        chunkShift: UInt32, isKeyedByStart: Bool
    ) {
        self.tables = tables
        self.chunks = chunks
        self.stride = stride
        self.chunkShift = chunkShift
        self.chunkMask = (1 << chunkShift) - 1
        self.isKeyedByStart = isKeyedByStart
    }

    /// `number` must have been given out by the table; the record may be free.
    @inlinable @inline(__always)
    package func record(_ number: UInt32) -> Record {
        (chunks[Int(number >> chunkShift)] + Int(number & chunkMask) &* stride).assumingMemoryBound(to: RecordHeader.self)
    }

    /// The hash under which a window of the key with `hash` stands.
    @inlinable @inline(__always)
    package func hash(_ hash: UInt64, start: Int64) -> UInt64 {
        guard isKeyedByStart else { return hash }
        // A full multiplication, folded: starts are multiples of a round number, their low bits say little.
        let mixed = (UInt64(bitPattern: start) ^ 0x9E37_79B9_7F4A_7C15).multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
        return hash ^ mixed.high ^ mixed.low
    }

    /// Brings the slot closer where looking for `hash` begins.
    @inlinable @inline(__always)
    package func prefetchSlot(_ hash: UInt64) {
        let table = tables + Int(hash >> 56)
        millrace_prefetch(table.pointee.slots + Int(UInt32(truncatingIfNeeded: hash) & table.pointee.mask))
    }

    /// Brings a record's first cache line closer.
    @inlinable @inline(__always)
    package func prefetch(_ number: UInt32) { millrace_prefetch(record(number)) }

    /// Brings a record's further cache lines closer.
    @inlinable @inline(__always)
    package func prefetchPayload(_ record: Record) {
        millrace_prefetch(UnsafeRawPointer(record) + 64)
        if stride > 128 { millrace_prefetch(UnsafeRawPointer(record) + 128) }
    }

    /// The records that may have this hash, in probing order, until `isWanted` says yes.
    @inlinable @inline(__always)
    func first(_ hash: UInt64, where isWanted: (UInt32) -> Bool) -> UInt32? {
        let table = tables[Int(hash >> 56)]
        let tag = UInt32(truncatingIfNeeded: hash)
        var position = tag & table.mask
        while true {
            let slot = table.slots[Int(position)]
            if slot == 0 { return nil }
            if UInt32(truncatingIfNeeded: slot >> 32) == tag {
                let number = UInt32(truncatingIfNeeded: slot) &- 1
                if isWanted(number) { return number }
            }
            position = (position &+ 1) & table.mask
        }
    }

    /// The record that probably has this hash, brought closer without looking at it; `none` if there is none.
    @inlinable @inline(__always)
    package func candidate(_ hash: UInt64) -> UInt32 {
        guard let number = first(hash, where: { _ in true }) else { return RecordHeader.none }
        let record = record(number)
        millrace_prefetch(record)
        prefetchPayload(record)
        return number
    }

    @inlinable @inline(__always)
    func matches(_ record: Record, _ hash: UInt64, _ key: UnsafeRawBufferPointer, _ start: Int64) -> Bool {
        record.pointee.hash == hash && (!isKeyedByStart || record.pointee.start == start) && record.hasKey(key)
    }

    /// The first record of `key`. `hash` as from `hash(_:start:)`; `start` counts only in tables keyed by it.
    @inlinable
    package func find(_ hash: UInt64, _ key: UnsafeRawBufferPointer, start: Int64) -> Record? {
        guard let number = first(hash, where: { matches(record($0), hash, key, start) }) else { return nil }
        return record(number)
    }

    /// Like `find`, beginning with what `candidate` said, which may be out of date by now.
    @inlinable @inline(__always)
    package func find(_ hash: UInt64, _ key: UnsafeRawBufferPointer, start: Int64, candidate: UInt32) -> Record? {
        if candidate != RecordHeader.none {
            let guess = record(candidate)
            let wanted = RecordHeader.isAlive | RecordHeader.isHead
            if guess.pointee.flags & wanted == wanted, matches(guess, hash, key, start) { return guess }
        }
        return find(hash, key, start: start)
    }
}
