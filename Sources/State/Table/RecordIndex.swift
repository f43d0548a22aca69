/// Hash -> record number: open addressing in 256 sub-tables by the hash's top byte, so that growth moves a 256th of
/// the entries at a time (20,000 at five million keys: a fraction of a millisecond).
///
/// A slot holds the low 32 bits of the hash, which alone place it, and the record's number plus one; 0 is empty.
/// Neither growing nor removing looks at a record. Whether a key is equal is for the table to say.
/// `RecordLookup` is what reads it.
struct RecordIndex: ~Copyable {
    private static let subTables = 256
    private static let slotsMin = 8

    let tables: UnsafeMutablePointer<IndexSubTable>
    /// What sub-tables without entries look at: one empty slot (mask 0) that is never written.
    private let empty: UnsafeMutablePointer<UInt64>
    private(set) var bytes: Int
    private let fullness: UInt32

    /// - Parameter fullness: tenths of a sub-table's slots that may be in use.
    init(fullness: UInt32 = 7) {
        self.fullness = fullness
        tables = .allocate(capacity: Self.subTables)
        empty = .allocate(capacity: 1)
        empty.initialize(to: 0)
        tables.initialize(repeating: IndexSubTable(slots: empty, mask: 0, count: 0), count: Self.subTables)
        bytes = Self.subTables * MemoryLayout<IndexSubTable>.stride
    }

    deinit {
        for index in 0..<Self.subTables where tables[index].mask != 0 { tables[index].slots.deallocate() }
        tables.deallocate()
        empty.deallocate()
    }

    mutating func insert(_ hash: UInt64, _ number: UInt32) {
        let index = Int(hash >> 56)
        let (count, mask) = (tables[index].count, tables[index].mask)
        // A search ends at an empty slot: there is always one.
        if mask == 0 || count &* 10 >= (mask &+ 1) &* fullness || count == mask { grow(index) }
        let table = tables[index]
        let tag = UInt32(truncatingIfNeeded: hash)
        var position = tag & table.mask
        while table.slots[Int(position)] != 0 { position = (position &+ 1) & table.mask }
        table.slots[Int(position)] = UInt64(tag) << 32 | UInt64(number &+ 1)
        tables[index].count = table.count &+ 1
    }

    /// `old` must be in the index.
    mutating func replace(_ hash: UInt64, _ old: UInt32, by new: UInt32) {
        let table = tables[Int(hash >> 56)]
        table.slots[Int(position(hash, old))] = UInt64(UInt32(truncatingIfNeeded: hash)) << 32 | UInt64(new &+ 1)
    }

    /// `number` must be in the index. Shifts what follows back, so that there are no markers to skip.
    mutating func remove(_ hash: UInt64, _ number: UInt32) {
        let index = Int(hash >> 56)
        let table = tables[index]
        var hole = position(hash, number)
        var next = hole
        while true {
            next = (next &+ 1) & table.mask
            let slot = table.slots[Int(next)]
            if slot == 0 { break }
            let home = UInt32(truncatingIfNeeded: slot >> 32) & table.mask
            if (next &- home) & table.mask >= (next &- hole) & table.mask {
                table.slots[Int(hole)] = slot
                hole = next
            }
        }
        table.slots[Int(hole)] = 0
        tables[index].count -= 1
    }

    private func position(_ hash: UInt64, _ number: UInt32) -> UInt32 {
        let table = tables[Int(hash >> 56)]
        let wanted = UInt64(UInt32(truncatingIfNeeded: hash)) << 32 | UInt64(number &+ 1)
        var position = UInt32(truncatingIfNeeded: hash) & table.mask
        while table.slots[Int(position)] != wanted {
            precondition(table.slots[Int(position)] != 0, "the record is not in the index")
            position = (position &+ 1) & table.mask
        }
        return position
    }

    private mutating func grow(_ index: Int) {
        let old = tables[index]
        let count = max((Int(old.mask) + 1) * 2, Self.slotsMin)
        let slots = UnsafeMutablePointer<UInt64>.allocate(capacity: count)
        slots.initialize(repeating: 0, count: count)
        let mask = UInt32(count - 1)
        for position in 0...Int(old.mask) where old.slots[position] != 0 {
            var target = UInt32(truncatingIfNeeded: old.slots[position] >> 32) & mask
            while slots[Int(target)] != 0 { target = (target &+ 1) & mask }
            slots[Int(target)] = old.slots[position]
        }
        if old.mask != 0 {
            old.slots.deallocate()
            bytes -= (Int(old.mask) + 1) * 8
        }
        tables[index] = IndexSubTable(slots: slots, mask: mask, count: old.count)
        bytes += count * 8
    }
}
