import Batch

/// The keys that went since the last freeze, and those that are gone while the home may still have them.
struct Deletions: ~Copyable {
    /// hash, start, key length, key: one after the other.
    private var gone = RawList<UInt8>(capacity: 256)
    /// What a read of the home must not bring back, with the stamp of the freeze that took the deletion out
    /// (`open` until there was one). Keys stand here as their 128-bit hashes.
    private var retained: [Hash128: UInt32] = [:]
    /// Whether deletions are retained: not needed while every miss is known to be an absent key.
    private(set) var isRetaining = false
    private static let open = UInt32.max

    var bytes: Int { gone.bytes + retained.capacity * 24 }

    mutating func beginRetaining() { isRetaining = true }

    mutating func note(_ record: Record, keyedByStart: Bool) {
        note(record.pointee.hash, record.key, start: record.pointee.start)
        if isRetaining { retain(record.key, start: keyedByStart ? record.pointee.start : 0, stamp: Self.open) }
    }

    private mutating func note(_ hash: UInt64, _ key: UnsafeRawBufferPointer, start: Int64) {
        withUnsafeBytes(of: (hash, start, UInt64(key.count))) { head in
            gone.append(head.baseAddress!.assumingMemoryBound(to: UInt8.self), count: 24)
        }
        if let base = key.baseAddress { gone.append(base.assumingMemoryBound(to: UInt8.self), count: key.count) }
    }

    /// `start`: 0 in tables that are not keyed by it.
    private func name(_ key: UnsafeRawBufferPointer, _ start: Int64) -> Hash128 {
        var hash = hash128(key)
        hash.low ^= UInt64(bitPattern: start) &* 0x9E37_79B9_7F4A_7C15
        return hash
    }

    mutating func retain(_ key: UnsafeRawBufferPointer, start: Int64, stamp: UInt32) {
        retained[name(key, start)] = stamp
    }

    func isRetained(_ key: UnsafeRawBufferPointer, start: Int64) -> Bool {
        !retained.isEmpty && retained[name(key, start)] != nil
    }

    /// Gives every key noted since the last time to `body` (perhaps more than once) and forgets the list.
    mutating func drain(stamp: UInt32, keyedByStart: Bool, _ body: (UInt64, UnsafeRawBufferPointer, Int64) -> Void) {
        var offset = 0
        while offset < gone.count {
            let entry = UnsafeRawPointer(gone.base) + offset
            let hash = entry.loadUnaligned(as: UInt64.self)
            let start = (entry + 8).loadUnaligned(as: Int64.self)
            let count = Int((entry + 16).loadUnaligned(as: UInt64.self))
            let key = UnsafeRawBufferPointer(start: entry + 24, count: count)
            if isRetaining { retain(key, start: keyedByStart ? start : 0, stamp: stamp) }
            body(hash, key, start)
            offset += 24 + count
        }
        gone.removeAll()
    }

    mutating func noteFlushed(_ stamp: UInt32) {
        if !retained.isEmpty { retained = retained.filter { $0.value > stamp } }
    }
}
