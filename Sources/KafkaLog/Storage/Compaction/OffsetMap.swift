/// The newest offset of every key, in a fixed amount of memory: 24 bytes a slot, whatever the keys' lengths.
///
/// Keys are told apart by 128 bits of a hash that is seeded anew in each process, so that nobody can choose keys that collide.
struct OffsetMap {
    private struct Slot {
        var high: UInt64 = 0
        var low: UInt64 = 0
        /// -1: free.
        var offset: Int64 = -1
    }

    private var slots: [Slot]
    private(set) var count = 0
    /// The most keys that it takes: probes stay short while a quarter of the slots is free.
    let capacity: Int

    /// - Parameters:
    ///   - memory: the most bytes that it may take.
    ///   - keys: how many keys there can be, so that small logs take little.
    init(memory: Int, keys: Int) {
        let limit = max(4, memory / MemoryLayout<Slot>.stride)
        let wanted = keys < limit ? keys + keys / 3 + 4 : limit
        slots = [Slot](repeating: Slot(), count: min(limit, wanted))
        capacity = slots.count * 3 / 4
    }

    /// Takes note of a key at an offset that is above all offsets before. False, and nothing is noted, when there is no room for a new key.
    mutating func put(_ key: UnsafeRawBufferPointer, _ offset: Int64) -> Bool {
        let hash = Self.hash(key)
        let index = index(of: hash)
        if slots[index].offset < 0 {
            guard count < capacity else { return false }
            count += 1
        }
        slots[index] = Slot(high: hash.high, low: hash.low, offset: offset)
        return true
    }

    /// The newest offset of a key; nil when it was never put.
    func offset(of key: UnsafeRawBufferPointer) -> Int64? {
        let slot = slots[index(of: Self.hash(key))]
        return slot.offset < 0 ? nil : slot.offset
    }

    /// Where a key is, or the free slot that it would take.
    private func index(of hash: (high: UInt64, low: UInt64)) -> Int {
        var index = Int(hash.high.multipliedFullWidth(by: UInt64(slots.count)).high)
        while slots[index].offset >= 0 && (slots[index].high != hash.high || slots[index].low != hash.low) {
            index += 1
            if index == slots.count { index = 0 }
        }
        return index
    }

    private static func hash(_ key: UnsafeRawBufferPointer) -> (high: UInt64, low: UInt64) {
        var first = Hasher()
        first.combine(bytes: key)
        var second = Hasher()
        // Another message to the same keyed function: the two halves say nothing about each other.
        second.combine(UInt64.max)
        second.combine(bytes: key)
        return (UInt64(bitPattern: Int64(first.finalize())), UInt64(bitPattern: Int64(second.finalize())))
    }
}
