import Glibc

/// A remembered id: 96 bits of its hash and its bucket modulo 2^32. With the table that it lies in, 102 bits tell two ids apart.
struct IDEntry {
    /// The high half of the hash; `empty` is not among them.
    var key: UInt64
    /// The upper half of the low half.
    var tail: UInt32
    var bucket: UInt32

    static let empty = UInt64.max
}

/// One 64th of the remembered ids, by the top bits of the hash: open addressing with linear probing, the entries in the
/// order of their hashes.
///
/// An entry's slot grows with its hash, so keeping a run of occupied slots in order makes the whole table sorted: a search for what is not there
/// ends at the first larger hash, a table is rebuilt by one sequential pass, and what is spilled is sorted already. At most 80% of
/// the slots are used; growth is by 1.4: an id takes 20 to 28 bytes.
struct IDTable {
    /// Bits of the hash that say which table: few, so that a large set's tables are larger than the processor's huge pages (without those,
    /// every look-up waits for a page table), and many, so that rebuilding one is no long pause.
    static let numberBits: UInt64 = 6
    static let firstBitOfNumber: UInt64 = 64 - numberBits
    private static let hugePage = 2 << 20

    private(set) var slots: UnsafeMutablePointer<IDEntry>
    /// Slots that a hash maps to; after them are some more for those pushed beyond the end, and one that stays empty.
    private(set) var capacity: Int
    private var slotCount: Int
    private(set) var count: Int
    private var limit: Int

    init() {
        (slots, slotCount) = Self.allocate(capacity: 0)
        capacity = 0
        count = 0
        limit = 0
    }

    func deallocate() { free(slots) }

    /// Bytes.
    var memory: Int { (slotCount + 1) * MemoryLayout<IDEntry>.stride }

    static func key(of high: UInt64) -> UInt64 { high == IDEntry.empty ? IDEntry.empty - 1 : high }

    /// Where a search for `key` begins.
    @inline(__always)
    func home(of key: UInt64) -> UnsafeMutablePointer<IDEntry> { slots + Self.home(of: key, capacity) }

    /// The entry of an id, or where it has to be put.
    @inline(__always)
    func find(_ key: UInt64, _ tail: UInt32) -> (place: UnsafeMutablePointer<IDEntry>, isFound: Bool) {
        var place = home(of: key)
        // Ends at an empty slot too: its key is larger than all others.
        while place.pointee.key < key { place += 1 }
        while place.pointee.key == key {
            if place.pointee.tail == tail { return (place, true) }
            place += 1
        }
        return (place, false)
    }

    /// Puts an id that `find` did not find to the place that `find` gave.
    /// - Returns: false when there is no room: rebuild the table and find again.
    mutating func insert(_ entry: IDEntry, at place: UnsafeMutablePointer<IDEntry>) -> Bool {
        guard count < limit else { return false }
        var gap = place
        while gap.pointee.key != IDEntry.empty { gap += 1 }
        guard gap - slots < slotCount else { return false }
        (place + 1).update(from: place, count: gap - place)
        place.pointee = entry
        count += 1
        return true
    }

    /// Keeps the entries that `isKept` wants.
    /// - Parameter capacity: at least so many slots.
    mutating func rebuild(capacity least: Int = 0, _ isKept: (IDEntry) -> Bool) {
        var kept = 0
        forEach { if isKept($0) { kept += 1 } }
        var wanted = capacity
        if kept * 10 > capacity * 6 {
            wanted = max(capacity, kept) * 14 / 10
        } else if kept * 10 < capacity * 3 {
            wanted = kept * 17 / 10
        }
        wanted = max(wanted, least)
        while true {
            let (new, newSlotCount) = Self.allocate(capacity: wanted)
            var next = 0
            forEach { entry in
                guard isKept(entry) else { return }
                let place = max(next, Self.home(of: entry.key, wanted))
                if place < newSlotCount { new[place] = entry }
                next = place + 1
            }
            if next <= newSlotCount {
                free(slots)
                slots = new
                slotCount = newSlotCount
                capacity = wanted
                count = kept
                limit = wanted * 8 / 10
                return
            }
            // Hashes are not that uneven by chance; whatever the reason, more room helps.
            free(new)
            wanted = wanted * 14 / 10 + 1
        }
    }

    /// Ascending by hash.
    @inline(__always)
    func forEach(_ body: (IDEntry) -> Void) {
        for index in 0..<slotCount where slots[index].key != IDEntry.empty { body(slots[index]) }
    }

    @inline(__always)
    private static func home(of key: UInt64, _ capacity: Int) -> Int {
        Int(truncatingIfNeeded: (((key << IDTable.numberBits) >> 32) &* UInt64(truncatingIfNeeded: capacity)) >> 32)
    }

    private static func allocate(capacity: Int) -> (UnsafeMutablePointer<IDEntry>, Int) {
        let slotCount = capacity == 0 ? 0 : capacity + 24 + capacity / 64
        let byteCount = (slotCount + 1) * MemoryLayout<IDEntry>.stride
        var memory: UnsafeMutableRawPointer?
        let isLarge = byteCount >= hugePage
        guard posix_memalign(&memory, isLarge ? hugePage : 64, byteCount) == 0, let memory else {
            preconditionFailure("out of memory: \(byteCount) bytes for remembered ids")
        }
        // Advice only: without huge pages it is slower.
        if isLarge { _ = madvise(memory, byteCount, MADV_HUGEPAGE) }
        let slots = memory.bindMemory(to: IDEntry.self, capacity: slotCount + 1)
        slots.initialize(repeating: IDEntry(key: IDEntry.empty, tail: 0, bucket: 0), count: slotCount + 1)
        return (slots, slotCount)
    }
}
