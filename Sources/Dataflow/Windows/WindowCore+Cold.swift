import Batch
import State

/// A chain that rows of a batch need, and where it probably is.
struct WantedChain: BitwiseCopyable {
    var number: UInt32
    /// Position among what needs it.
    var position: Int32
    var hash: UInt64
}

// Keys that are not in memory.
extension WindowCore {
    /// Some keys may be elsewhere.
    var hasColdKeys: Bool { spilled.count > 0 || table.asksHome }

    /// Brings the windows of all selected rows into memory that are elsewhere: those in the scratch file in its order, those that only the
    /// home has in one read of sorted keys. After this, what is not in memory does not exist.
    mutating func fetchMissing(_ input: RowInput, _ windows: UInt16, _ sets: UInt16, _ home: (any ColdState)?) throws(StateError) {
        var missing = MissingKeys()
        wanted.removeAll()
        var begin = 0
        while begin < input.selection.count {
            let count = min(Self.blockRows, input.selection.count - begin)
            let rows = UnsafeBufferPointer(rebasing: input.selection[begin..<begin + count])
            for position in 0..<count {
                let row = Int(rows[position])
                starts[position] = Self.start(of: input.eventTimes[row], kind)
                hashes[position] = table.lookup.hash(input.keyHashes[row], start: starts[position])
                table.lookup.prefetchSlot(hashes[position])
                spilled.prefetch(hashes[position])
            }
            for position in 0..<count { candidates[position] = table.lookup.candidate(hashes[position]) }
            for position in 0..<count {
                let key = input.key(Int(rows[position]))
                let hash = hashes[position]
                let start = starts[position]
                if table.lookup.find(hash, key, start: start, candidate: candidates[position]) != nil { continue }
                if let number = spilled.candidate(hash) {
                    wanted.append(WantedChain(number: number, position: rows[position], hash: hash))
                } else if table.asksHome {
                    noteMissing(key, hash, start, in: &missing)
                }
            }
            begin += count
        }
        let kind = kind
        try fetchSpilled(&missing) { position in (input.key(position), Self.start(of: input.eventTimes[position], kind)) }
        try fetchWhole(&missing, windows, sets, home)
    }

    /// As above, for the keys of windows that other tasks have sent.
    mutating func fetchMissing(
        _ entries: [PartialWindow], _ windows: UInt16, _ sets: UInt16, _ home: (any ColdState)?
    ) throws(StateError) {
        var missing = MissingKeys()
        wanted.removeAll()
        let isKeyedByStart = isKeyedByStart
        func window(_ position: Int) -> (key: UnsafeRawBufferPointer, start: Int64) {
            (entries[position].key, isKeyedByStart ? entries[position].window.start : 0)
        }
        for position in entries.indices {
            let (key, start) = window(position)
            let hash = table.lookup.hash(hash64(key), start: start)
            if table.find(hash, key, start: start) != nil { continue }
            if let number = spilled.candidate(hash) {
                wanted.append(WantedChain(number: number, position: Int32(position), hash: hash))
            } else {
                noteMissing(key, hash, start, in: &missing)
            }
        }
        try fetchSpilled(&missing, window)
        try fetchWhole(&missing, windows, sets, home)
    }

    /// - Parameter key: of what stands at a position.
    private mutating func fetchSpilled(
        _ missing: inout MissingKeys, _ key: (Int) -> (key: UnsafeRawBufferPointer, start: Int64)
    ) throws(StateError) {
        guard wanted.count > 0 else { return }
        var order = UnsafeMutableBufferPointer(start: wanted.base, count: wanted.count)
        order.sort { $0.number < $1.number }
        for place in order {
            let (key, start) = key(Int(place.position))
            // Several may need the same.
            if table.find(place.hash, key, start: start) != nil { continue }
            if let found = try spilled.find(place.hash, storedKey(key, start: start)) {
                table.noteLoaded(try insertChain(place.hash, key, found.value))
                spilled.remove(found)
            } else {
                noteMissing(key, place.hash, start, in: &missing)
            }
        }
    }

    private mutating func fetchWhole(
        _ missing: inout MissingKeys, _ windows: UInt16, _ sets: UInt16, _ home: (any ColdState)?
    ) throws(StateError) {
        try fetch(&missing, windows, home) { core, key, hash, value throws(StateError) in
            let head = try core.insertChain(hash, key, value)
            core.table.noteLoaded(head)
            try core.attachChain(head, sets, home)
        }
    }

    /// The key as it is stored; good until the next call.
    mutating func storedKey(_ key: UnsafeRawBufferPointer, start: Int64) -> UnsafeRawBufferPointer {
        guard isKeyedByStart else { return key }
        keyScratch.count = 0
        if let base = key.baseAddress { keyScratch.append(base.assumingMemoryBound(to: UInt8.self), count: key.count) }
        keyScratch.reserve(key.count + WindowCodec.startBytes)
        WindowCodec.writeStart(start, to: UnsafeMutableRawPointer(keyScratch.base) + key.count)
        return UnsafeRawBufferPointer(start: keyScratch.base, count: key.count + WindowCodec.startBytes)
    }

    // MARK: Eviction

    /// Moves chains to the scratch file that the last freeze took and that were not used lately, until about `wanted` bytes are free.
    /// - Returns: whether nothing more can be freed before the next freeze.
    mutating func evict(atLeast wanted: Int) throws(StateError) -> Bool {
        guard canSpill else { return false }
        let layout = layout
        let before = table.bytes
        var examined = 0
        while before - table.bytes < wanted, let head = table.nextEvictable(&examined) {
            guard isResident(head) else { continue }
            let chain = chains.encode(head, table.lookup, layout, .whole)
            var suffix: UInt64 = 0
            WindowCodec.writeStart(head.pointee.start, to: &suffix)
            let suffixBytes = isKeyedByStart ? WindowCodec.startBytes : 0
            let end = head.pointee.end
            let result: Result<Void, StateError> = withUnsafeBytes(of: suffix) { suffix in
                do throws(StateError) {
                    return .success(
                        try spilled.append(
                            head.pointee.hash, head.key, suffix: UnsafeRawBufferPointer(rebasing: suffix[..<suffixBytes]), end: end, chain))
                } catch {
                    return .failure(error)
                }
            }
            try result.get()
            forget(head)
        }
        dropVoidTimers()
        return table.isUnevictable
    }

    /// Between a recovery's deltas, sets in chunks may have no elements yet.
    private func isResident(_ head: Record) -> Bool {
        guard !layout.distincts.isEmpty else { return true }
        var next: Record? = head
        while let record = next {
            if !layout.distincts.allSatisfy({ layout.distinct(record, $0).isResident }) { return false }
            next = after(record)
        }
        return true
    }

    /// A window that comes back has a new timer, and the old one stays until it is due: not when they are many.
    private mutating func dropVoidTimers() {
        guard timers.count > 2 * table.recordCount + 4_096 else { return }
        let lookup = table.lookup
        timers.removeAll { entry in
            let record = lookup.record(entry.record)
            return record.pointee.flags & RecordHeader.isAlive == 0 || record.pointee.timerEnd != entry.end
        }
    }

    // MARK: Closing

    /// Closes the windows in the scratch file that end at or before `watermark`.
    mutating func closeSpilled(_ watermark: Int64) throws(StateError) {
        guard spilled.count > 0 else { return }
        spilledDue.removeAll()
        try spilled.takeDue(upTo: watermark, into: &spilledDue)
        for position in 0..<spilledDue.count {
            guard let found = try spilled.due(spilledDue[position]),
                let (key, _) = WindowCodec.split(found.key, isKeyedByStart: isKeyedByStart)
            else { continue }
            let head = try insertChain(found.hash, key, found.value, closing: watermark)
            table.noteLoaded(head)
            spilled.remove(found)
            var next: Record? = head
            while let record = next {
                next = after(record)
                if record.pointee.end <= watermark { close(record) }
            }
        }
    }

    /// Closes the windows of keys that only the home has and that end at or before `watermark`.
    mutating func closeCold(_ watermark: Int64, _ windows: UInt16, _ sets: UInt16, _ home: any ColdState) throws(StateError) {
        if coldNext == nil { coldNext = try home.firstTimer(windows, after: coldCursor) ?? .max }
        guard let next = coldNext, next <= watermark else {
            coldCursor = max(coldCursor, watermark)
            return
        }
        var missing = MissingKeys()
        let isKeyedByStart = isKeyedByStart
        try home.scanTimers(windows, after: coldCursor, upTo: watermark) { (_, entry) throws(StateError) in
            guard let (key, start) = WindowCodec.split(entry, isKeyedByStart: isKeyedByStart) else { return true }
            let hash = table.lookup.hash(hash64(key), start: start)
            if table.find(hash, key, start: start) == nil, try spilled.find(hash, entry) == nil {
                noteMissing(key, hash, start, in: &missing)
            }
            return true
        }
        coldCursor = max(coldCursor, watermark)
        coldNext = nil
        try fetch(&missing, windows, home) { core, key, hash, value throws(StateError) in
            // A later end: the timer is stale, another one is further on.
            guard let end = WindowCodec.earliestEnd(value), end <= watermark else { return }
            let head = try core.insertChain(hash, key, value, closing: watermark)
            core.table.noteLoaded(head)
            try core.closeEndedCold(head, watermark, sets, home)
        }
    }

    /// Those that stay open are in use from now on and need their sets; those that close only put their counts out.
    private mutating func closeEndedCold(
        _ head: Record, _ watermark: Int64, _ sets: UInt16, _ home: any ColdState
    ) throws(StateError) {
        var next: Record? = head
        while let record = next {
            next = after(record)
            if record.pointee.end <= watermark {
                close(record)
            } else {
                try attachSets(record, [:], sets, home)
            }
        }
    }

    private mutating func attachChain(_ head: Record, _ sets: UInt16, _ home: (any ColdState)?) throws(StateError) {
        guard !layout.distincts.isEmpty else { return }
        var record = head
        while true {
            try attachSets(record, [:], sets, home)
            guard record.pointee.next != RecordHeader.none else { return }
            record = table.record(record.pointee.next)
        }
    }

    private static func start(of time: Int64, _ kind: WindowDefinition.Kind) -> Int64 {
        guard case .tumbling(let size) = kind else { return 0 }
        return window(of: time, size).start
    }

    /// Of a key that is neither in memory nor in the scratch file.
    private func noteMissing(_ key: UnsafeRawBufferPointer, _ hash: UInt64, _ start: Int64, in missing: inout MissingKeys) {
        guard table.asksHome, !table.isGone(key, start: start) else { return }
        missing.append(key, hash, start: isKeyedByStart ? start : nil)
    }

    /// Reads the keys, each once and sorted, and calls `body` with those that the home has.
    private mutating func fetch(
        _ missing: inout MissingKeys, _ windows: UInt16, _ home: (any ColdState)?,
        _ body: (inout WindowCore, UnsafeRawBufferPointer, UInt64, UnsafeRawBufferPointer) throws(StateError) -> Void
    ) throws(StateError) {
        guard !missing.places.isEmpty, let home else { return }
        missing.sort()
        var failure: StateError?
        try home.multiGet(windows, missing.places.map { missing.storedKey($0) }, areSorted: true) { position, value in
            guard let value, failure == nil else { return }
            let place = missing.places[position]
            do throws(StateError) { try body(&self, missing.key(place), place.hash, value) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}

/// Keys to be looked up in the home, as they are stored there.
private struct MissingKeys: ~Copyable {
    struct Place {
        var hash: UInt64
        /// In `stored`; `count` without the window's start.
        var offset: Int
        var count: Int
        var suffix: Int
    }

    private(set) var places: [Place] = []
    private var stored = RawList<UInt8>(capacity: 4096)

    /// `start`: of the window, where it is part of the stored key.
    mutating func append(_ key: UnsafeRawBufferPointer, _ hash: UInt64, start: Int64?) {
        places.append(
            Place(hash: hash, offset: stored.count, count: key.count, suffix: start == nil ? 0 : WindowCodec.startBytes))
        if let base = key.baseAddress { stored.append(base.assumingMemoryBound(to: UInt8.self), count: key.count) }
        guard let start else { return }
        var word: UInt64 = 0
        WindowCodec.writeStart(start, to: &word)
        withUnsafeBytes(of: word) { stored.append($0.baseAddress!.assumingMemoryBound(to: UInt8.self), count: 8) }
    }

    func key(_ place: Place) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: stored.base + place.offset, count: place.count)
    }

    func storedKey(_ place: Place) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: stored.base + place.offset, count: place.count + place.suffix)
    }

    /// Each key once, in order.
    mutating func sort() {
        var distinct: [Place] = []
        for place in places.sorted(by: { compareBytes(storedKey($0), storedKey($1)) < 0 }) {
            if let last = distinct.last, compareBytes(storedKey(last), storedKey(place)) == 0 { continue }
            distinct.append(place)
        }
        places = distinct
    }
}
