extension Home {
    /// Looks up many keys of a namespace in one call. `body` is called once for every key, in the order of `keys`, with its position and
    /// its value, nil when there is none. The value is good during the call.
    /// - Parameter areSorted: `keys` ascend; else RocksDB sorts them.
    package func multiGet(
        _ namespace: UInt16, _ keys: [UnsafeRawBufferPointer], areSorted: Bool = false,
        _ body: (_ position: Int, _ value: UnsafeRawBufferPointer?) -> Void
    ) throws(StateError) {
        guard let database = try examine().database else {
            for position in keys.indices { body(position, nil) }
            return
        }
        let total = keys.reduce(0) { $0 + $1.count + 2 }
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: max(total, 1), alignment: 8)
        defer { bytes.deallocate() }
        let places = UnsafeMutableBufferPointer<UnsafePointer<CChar>?>.allocate(capacity: keys.count)
        defer { places.deallocate() }
        let lengths = UnsafeMutableBufferPointer<Int>.allocate(capacity: keys.count)
        defer { lengths.deallocate() }
        var end = 0
        for (position, key) in keys.enumerated() {
            bytes[end] = UInt8(truncatingIfNeeded: namespace >> 8)
            bytes[end + 1] = UInt8(truncatingIfNeeded: namespace)
            UnsafeMutableRawBufferPointer(rebasing: bytes[(end + 2)...]).copyMemory(from: key)
            places.initializeElement(
                at: position, to: UnsafePointer((bytes.baseAddress.unsafelyUnwrapped + end).assumingMemoryBound(to: CChar.self)))
            lengths.initializeElement(at: position, to: key.count + 2)
            end += key.count + 2
        }
        try database.multiGet(UnsafeBufferPointer(places), UnsafeBufferPointer(lengths), areSorted: areSorted, body)
    }

    /// Every entry of a namespace whose key begins with `prefix`, by key. `body` returns whether to go on; key (without the
    /// namespace) and value are good during the call.
    package func scan(
        _ namespace: UInt16, prefix: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(StateError) -> Bool
    ) throws(StateError) {
        guard let database = try examine().database else { return }
        let lower = HomeKeys.key(namespace, prefix)
        // A scan passes through: it should not push out of the cache what look-ups need.
        let cursor = database.cursor(from: lower, below: HomeKeys.successor(of: lower), fillsCache: false)
        while cursor.isValid {
            guard try body(UnsafeRawBufferPointer(rebasing: cursor.key[2...]), cursor.value) else { return }
            cursor.next()
        }
        try cursor.checkEnd()
    }

    /// The keys of a timed namespace that have an entry for an end in `(after, upTo]`, by (end, key). Entries may be stale (the window
    /// was closed, or ends later by now): the key's value says what holds. `body` returns whether to go on; the key is good during the call.
    /// - Parameter after: where the last scan ended: spares walking over what has been deleted since.
    package func scanTimers(
        _ namespace: UInt16, after: Int64 = .min, upTo last: Int64,
        _ body: (_ end: Int64, _ key: UnsafeRawBufferPointer) throws(StateError) -> Bool
    ) throws(StateError) {
        guard after < last, let database = try examine().database else { return }
        // No window ends at `Int64.min`.
        let cursor = database.cursor(
            from: HomeKeys.timer(namespace, after + 1), below: HomeKeys.timersEnd(namespace, last), fillsCache: true)
        while cursor.isValid {
            let key = cursor.key
            guard let end = HomeKeys.end(ofTimer: key) else { break }
            guard try body(end, UnsafeRawBufferPointer(rebasing: key[HomeKeys.timerHeadCount...])) else { return }
            cursor.next()
        }
        try cursor.checkEnd()
    }

    /// The smallest end above `after` that a namespace has an entry for, which may be stale; nil when there is none.
    package func firstTimer(_ namespace: UInt16, after: Int64 = .min) throws(StateError) -> Int64? {
        var first: Int64?
        try scanTimers(namespace, after: after, upTo: .max) { end, _ in
            first = end
            return false
        }
        return first
    }

    /// What the entries of a namespace take on disk, bytes, about.
    package func byteCount(of namespace: UInt16) throws(StateError) -> Int {
        guard let database = try examine().database else { return 0 }
        let lower = HomeKeys.key(namespace, UnsafeRawBufferPointer(start: nil, count: 0))
        return database.approximateSize(from: lower, to: HomeKeys.successor(of: lower) ?? [])
    }
}
