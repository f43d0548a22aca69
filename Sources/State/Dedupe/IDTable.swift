import CShims
import Glibc

/// What a table has of an id: 96 bits of its hash, and the number that `BucketNumbers` has given to its bucket.
struct IDEntry {
    /// The high half of the hash; `empty` is not among them.
    var key: UInt64
    /// The upper half of the low half.
    var tail: UInt32
    var bucket: UInt16

    static let empty = UInt64.max

    /// An entry lies packed in memory: key, tail, bucket.
    static let stride = 14

    init(key: UInt64, tail: UInt32, bucket: UInt16) {
        self.key = key
        self.tail = tail
        self.bucket = bucket
    }

    @inline(__always)
    init(at place: UnsafeMutableRawPointer) {
        key = Self.key(at: place)
        tail = Self.tail(at: place)
        bucket = Self.bucket(at: place)
    }

    @inline(__always)
    static func key(at place: UnsafeMutableRawPointer) -> UInt64 { place.loadUnaligned(as: UInt64.self) }
    @inline(__always)
    static func tail(at place: UnsafeMutableRawPointer) -> UInt32 { place.loadUnaligned(fromByteOffset: 8, as: UInt32.self) }
    @inline(__always)
    static func bucket(at place: UnsafeMutableRawPointer) -> UInt16 { place.loadUnaligned(fromByteOffset: 12, as: UInt16.self) }

    @inline(__always)
    func store(at place: UnsafeMutableRawPointer) {
        place.storeBytes(of: key, as: UInt64.self)
        place.storeBytes(of: tail, toByteOffset: 8, as: UInt32.self)
        place.storeBytes(of: bucket, toByteOffset: 12, as: UInt16.self)
    }
}

/// One 64th of the remembered ids, by the top bits of the hash: open addressing with linear probing, the entries in the
/// order of their hashes.
///
/// An entry's slot grows with its hash, so keeping a run of occupied slots in order makes the whole table sorted: a search for what is not there
/// ends at the first larger hash, and what is spilled is sorted already. When a table grows every entry moves up or stays, and when entries
/// go every other moves down or stays: both are done where the table lies, so that no memory is there twice or left behind. At most 90% of
/// the slots are used; growth is by a tenth: an id takes 16 to 17 bytes.
struct IDTable {
    /// Bits of the hash that say which table: many, so that moving the entries of one is no long pause.
    static let numberBits: UInt64 = 6
    static let firstBitOfNumber: UInt64 = 64 - numberBits
    /// Slots whose entries move at a time.
    private static let slotsPerMove = 1_024

    private(set) var slots: UnsafeMutableRawPointer
    /// Slots that a hash maps to; after them are some more for those pushed beyond the end, and one that stays empty.
    private(set) var capacity = 0
    private var slotCount = 0
    private(set) var count = 0
    /// A table that is no longer small begins with this capacity.
    private let seed: Int

    /// - Parameter number: 0 to 63. Hashes fill all tables alike: so that they do not all grow in one batch, each has other sizes.
    init(number: Int) {
        seed = 4_096 + number * 6
        slots = PageMemory.resize(nil, from: 0, to: Self.bytes(0))
        IDEntry(key: IDEntry.empty, tail: 0, bucket: 0).store(at: slots)
    }

    func deallocate() { PageMemory.free(slots, memory) }

    /// Bytes of one table's room for `capacity` ids among the rooms of several.
    static func roomBytes(_ capacity: Int) -> Int { PageMemory.wholePages(bytes(slotCount(capacity))) }

    /// Rooms for `capacity` ids each, one behind the other; nil when they are too small for that to be worth it.
    static func allocateRoom(for capacity: Int, tables: Int) -> UnsafeMutableRawPointer? {
        guard bytes(slotCount(capacity)) >= PageMemory.pagesFrom else { return nil }
        return PageMemory.allocateHuge(roomBytes(capacity) * tables)
    }

    /// Has this room from now on, an empty table's; it is the table's to give back.
    mutating func move(to room: UnsafeMutableRawPointer, _ capacity: Int) {
        precondition(count == 0, "what is in a table stays where it is")
        deallocate()
        slots = room
        slotCount = Self.slotCount(capacity)
        self.capacity = capacity
        memset(slots, 0xFF, memory)
    }

    /// Bytes.
    var memory: Int { Self.bytes(slotCount) }

    static func key(of high: UInt64) -> UInt64 { high == IDEntry.empty ? IDEntry.empty - 1 : high }

    /// Where a search for `key` begins.
    @inline(__always)
    func home(of key: UInt64) -> UnsafeMutableRawPointer { slots + Self.home(of: key, capacity) &* IDEntry.stride }

    /// The entry of an id, or where it has to be put.
    @inline(__always)
    func find(_ key: UInt64, _ tail: UInt32) -> (place: UnsafeMutableRawPointer, isFound: Bool) {
        var place = home(of: key)
        // Ends at an empty slot too: its key is larger than all others.
        while IDEntry.key(at: place) < key { place += IDEntry.stride }
        while IDEntry.key(at: place) == key {
            if IDEntry.tail(at: place) == tail { return (place, true) }
            place += IDEntry.stride
        }
        return (place, false)
    }

    /// Puts an id that `find` did not find to the place that `find` gave.
    /// - Returns: false when there is no room: make some and find again.
    mutating func insert(_ entry: IDEntry, at place: UnsafeMutableRawPointer) -> Bool {
        guard count < capacity * 9 / 10 else { return false }
        var gap = place
        while IDEntry.key(at: gap) != IDEntry.empty { gap += IDEntry.stride }
        guard gap < slots + slotCount * IDEntry.stride else { return false }
        memmove(place + IDEntry.stride, place, gap - place)
        entry.store(at: place)
        count += 1
        return true
    }

    /// Drops the entries that `isKept` does not want, and gives memory back if most are gone.
    mutating func keep(_ isKept: (IDEntry) -> Bool) {
        var kept = 0
        forEach { if isKept($0) { kept += 1 } }
        let isSparse = kept * 10 < capacity * 3
        guard kept < count || isSparse else { return }
        let capacity = isSparse ? kept * 5 / 4 : capacity
        var next = 0
        let empty = IDEntry(key: IDEntry.empty, tail: 0, bucket: 0)
        for slot in 0..<slotCount {
            let place = slots + slot * IDEntry.stride
            guard IDEntry.key(at: place) != IDEntry.empty else { continue }
            let entry = IDEntry(at: place)
            empty.store(at: place)
            guard isKept(entry) else { continue }
            let target = max(next, Self.home(of: entry.key, capacity))
            entry.store(at: slots + target * IDEntry.stride)
            next = target + 1
        }
        count = kept
        if isSparse {
            self.capacity = capacity
            resize(max(Self.slotCount(capacity), next))
        }
    }

    /// Makes room.
    mutating func grow() {
        let small = max(capacity * 3 / 2, 32)
        var wanted = small < seed ? small : max(capacity * 11 / 10, seed)
        var starts = starts(wanted)
        // Hashes are not that uneven by chance; whatever the reason, more room helps.
        while starts[starts.count - 1] > Self.slotCount(wanted) {
            wanted = wanted * 14 / 10 + 1
            starts = self.starts(wanted)
        }
        let before = slotCount
        resize(max(before, Self.slotCount(wanted)))
        // From the last to the first, all of them move up.
        withUnsafeTemporaryAllocation(byteCount: Self.slotsPerMove * IDEntry.stride, alignment: 16) { moving in
            for block in stride(from: starts.count - 2, through: 0, by: -1) {
                let first = block * Self.slotsPerMove
                move(first..<min(first + Self.slotsPerMove, before), to: starts[block], wanted, moving.baseAddress.unsafelyUnwrapped)
            }
        }
        capacity = wanted
    }

    /// For a capacity: the first slot that is free for the entries of each `slotsPerMove` slots, and at last the one behind them all.
    private func starts(_ capacity: Int) -> [Int] {
        var starts: [Int] = []
        var next = 0
        for slot in 0..<slotCount {
            if slot % Self.slotsPerMove == 0 { starts.append(next) }
            let key = IDEntry.key(at: slots + slot * IDEntry.stride)
            if key != IDEntry.empty { next = max(next, Self.home(of: key, capacity)) + 1 }
        }
        return starts + [next]
    }

    /// Moves the entries of a block of slots, via `buffer`, to where they belong with another capacity.
    private func move(_ block: Range<Int>, to start: Int, _ capacity: Int, _ buffer: UnsafeMutableRawPointer) {
        let from = slots + block.lowerBound * IDEntry.stride
        buffer.copyMemory(from: from, byteCount: block.count * IDEntry.stride)
        memset(from, 0xFF, block.count * IDEntry.stride)
        var next = start
        for index in 0..<block.count {
            let entry = IDEntry(at: buffer + index * IDEntry.stride)
            guard entry.key != IDEntry.empty else { continue }
            let target = max(next, Self.home(of: entry.key, capacity))
            entry.store(at: slots + target * IDEntry.stride)
            next = target + 1
        }
    }

    /// Ascending by hash.
    @inline(__always)
    func forEach(_ body: (IDEntry) -> Void) {
        for slot in 0..<slotCount {
            let place = slots + slot * IDEntry.stride
            if IDEntry.key(at: place) != IDEntry.empty { body(IDEntry(at: place)) }
        }
    }

    /// What is new is empty, and so is the slot behind the last.
    private mutating func resize(_ slotCount: Int) {
        slots = PageMemory.resize(slots, from: memory, to: Self.bytes(slotCount))
        if slotCount > self.slotCount {
            memset(slots + self.slotCount * IDEntry.stride, 0xFF, (slotCount + 1 - self.slotCount) * IDEntry.stride)
        } else {
            memset(slots + slotCount * IDEntry.stride, 0xFF, IDEntry.stride)
        }
        self.slotCount = slotCount
        // Advice only: without huge pages every look-up waits for a page table.
        if memory >= 2 * PageMemory.hugePage { _ = madvise(slots, memory, MADV_HUGEPAGE) }
    }

    @inline(__always)
    private static func home(of key: UInt64, _ capacity: Int) -> Int {
        Int(truncatingIfNeeded: (((key << IDTable.numberBits) >> 32) &* UInt64(truncatingIfNeeded: capacity)) >> 32)
    }

    static func slotCount(_ capacity: Int) -> Int { capacity == 0 ? 0 : capacity + 24 + capacity / 64 }

    private static func bytes(_ slotCount: Int) -> Int { (slotCount + 1) * IDEntry.stride }
}
