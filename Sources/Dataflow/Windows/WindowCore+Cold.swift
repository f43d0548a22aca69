import Batch
import State

// Keys that are not in memory.
extension WindowCore {
    /// Brings the windows of all selected rows into memory that the home has, in one read of sorted keys. After this, what
    /// is not in memory does not exist.
    mutating func fetchMissing(_ input: RowInput, _ windows: UInt16, _ sets: UInt16, _ home: any ColdState) throws(StateError) {
        var missing = MissingKeys()
        for row in input.selection {
            noteIfMissing(
                input.key(Int(row)), input.keyHashes[Int(row)], start: start(of: input.eventTimes[Int(row)]), in: &missing)
        }
        try fetchWhole(&missing, windows, sets, home)
    }

    /// As above, for the keys of windows that other tasks have sent.
    mutating func fetchMissing(
        _ entries: [PartialWindow], _ windows: UInt16, _ sets: UInt16, _ home: any ColdState
    ) throws(StateError) {
        var missing = MissingKeys()
        for entry in entries {
            noteIfMissing(entry.key, hash64(entry.key), start: isKeyedByStart ? entry.window.start : 0, in: &missing)
        }
        try fetchWhole(&missing, windows, sets, home)
    }

    private mutating func fetchWhole(
        _ missing: inout MissingKeys, _ windows: UInt16, _ sets: UInt16, _ home: any ColdState
    ) throws(StateError) {
        try fetch(&missing, windows, home) { core, key, hash, value throws(StateError) in
            let head = try core.insertChain(hash, key, value)
            core.table.noteCold(head)
            try core.attachChain(head, sets, home)
        }
    }

    /// Closes the windows of cold keys that end at or before `watermark`.
    mutating func closeCold(_ watermark: Int64, _ windows: UInt16, _ sets: UInt16, _ home: any ColdState) throws(StateError) {
        if coldNext == nil { coldNext = try home.firstTimer(windows, after: coldCursor) ?? .max }
        guard let next = coldNext, next <= watermark else {
            coldCursor = max(coldCursor, watermark)
            return
        }
        var missing = MissingKeys()
        let isKeyedByStart = isKeyedByStart
        try home.scanTimers(windows, after: coldCursor, upTo: watermark) { _, entry in
            guard let (key, start) = WindowCodec.split(entry, isKeyedByStart: isKeyedByStart) else { return true }
            noteIfMissing(key, hash64(key), start: start, in: &missing)
            return true
        }
        coldCursor = max(coldCursor, watermark)
        coldNext = nil
        try fetch(&missing, windows, home) { core, key, hash, value throws(StateError) in
            // A later end: the timer is stale, another one is further on.
            guard let end = WindowCodec.earliestEnd(value), end <= watermark else { return }
            let head = try core.insertChain(hash, key, value)
            core.table.noteCold(head)
            try core.closeEndedCold(head, watermark, sets, home)
        }
    }

    /// Those that stay open are in use from now on and need their sets; those that close only put their counts out.
    private mutating func closeEndedCold(
        _ head: Record, _ watermark: Int64, _ sets: UInt16, _ home: any ColdState
    ) throws(StateError) {
        var next: Record? = head
        while let record = next {
            next = record.pointee.next == RecordHeader.none ? nil : table.record(record.pointee.next)
            if record.pointee.end <= watermark {
                close(record)
            } else {
                try attachSets(record, [:], sets, home)
            }
        }
    }

    private mutating func attachChain(_ head: Record, _ sets: UInt16, _ home: any ColdState) throws(StateError) {
        guard !layout.distincts.isEmpty else { return }
        var record = head
        while true {
            try attachSets(record, [:], sets, home)
            guard record.pointee.next != RecordHeader.none else { return }
            record = table.record(record.pointee.next)
        }
    }

    private func start(of time: Int64) -> Int64 {
        guard case .tumbling(let size) = kind else { return 0 }
        return Self.window(of: time, size).start
    }

    private func noteIfMissing(
        _ key: UnsafeRawBufferPointer, _ keyHash: UInt64, start: Int64, in missing: inout MissingKeys
    ) {
        let hash = table.lookup.hash(keyHash, start: start)
        guard table.find(hash, key, start: start) == nil, !table.isGone(key, start: start) else { return }
        missing.append(key, hash, start: isKeyedByStart ? start : nil)
    }

    /// Reads the keys, each once and sorted, and calls `body` with those that the home has.
    private mutating func fetch(
        _ missing: inout MissingKeys, _ windows: UInt16, _ home: any ColdState,
        _ body: (inout WindowCore, UnsafeRawBufferPointer, UInt64, UnsafeRawBufferPointer) throws(StateError) -> Void
    ) throws(StateError) {
        guard !missing.places.isEmpty else { return }
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
