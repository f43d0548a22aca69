import Batch

/// The keys that went since the last freeze, and those that are gone while the home may still have them.
struct Deletions: ~Copyable {
    /// hash, start, key length, key: one after the other.
    private var gone = RawList<UInt8>(capacity: 256)
    /// Those of the epoch that is being frozen, and how far that is.
    private var frozen = RawList<UInt8>(capacity: 256)
    private var frozenOffset = 0
    /// What a read of the home must not bring back, with the stamp of the freeze that took the deletion out (`open` until there was
    /// one, `open` of the time before during the freeze). Keys stand here as their 128-bit hashes.
    private var retained: [Hash128: UInt32] = [:]
    /// Whether deletions are retained: not needed while every miss is known to be an absent key.
    private(set) var isRetaining = false
    private var open = UInt32.max
    private static let marks = UInt32.max ^ (UInt32.max - 1)

    var bytes: Int { gone.bytes + frozen.bytes + retained.capacity * 24 }

    mutating func beginRetaining() { isRetaining = true }

    mutating func note(_ record: Record, keyedByStart: Bool) {
        note(record.pointee.hash, record.key, start: record.pointee.start)
        if isRetaining { retain(record.key, start: keyedByStart ? record.pointee.start : 0, stamp: open) }
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

    /// Keys were noted since the last `beginFreeze`.
    var hasOpen: Bool { gone.count > 0 }

    /// Keys that are noted from now on belong to the next epoch.
    mutating func beginFreeze() {
        swap(&gone, &frozen)
        frozenOffset = 0
        open ^= Self.marks
    }

    /// Keys of the epoch that is being frozen are left.
    var isFreezing: Bool { frozenOffset < frozen.count }

    /// Gives keys noted before `beginFreeze` to `body` (perhaps more than once), as many as `budget` allows.
    mutating func continueFreeze(
        stamp: UInt32, keyedByStart: Bool, budget: inout Int, _ body: (UInt64, UnsafeRawBufferPointer, Int64) -> Void
    ) {
        let frozenOpen = open ^ Self.marks
        while frozenOffset < frozen.count, budget > 0 {
            let entry = UnsafeRawPointer(frozen.base) + frozenOffset
            let hash = entry.loadUnaligned(as: UInt64.self)
            let start = (entry + 8).loadUnaligned(as: Int64.self)
            let count = Int((entry + 16).loadUnaligned(as: UInt64.self))
            let key = UnsafeRawBufferPointer(start: entry + 24, count: count)
            if isRetaining { settle(key, start: keyedByStart ? start : 0, frozenOpen, stamp) }
            body(hash, key, start)
            frozenOffset += 24 + count
            budget -= 1
        }
        if !isFreezing {
            frozen.removeAll()
            frozenOffset = 0
        }
    }

    /// A key that has gone again since stays as it is.
    private mutating func settle(_ key: UnsafeRawBufferPointer, start: Int64, _ frozenOpen: UInt32, _ stamp: UInt32) {
        let name = name(key, start)
        if let found = retained[name], found == frozenOpen { retained[name] = stamp }
    }

    mutating func noteFlushed(_ stamp: UInt32) {
        if !retained.isEmpty { retained = retained.filter { $0.value > stamp } }
    }
}
