import Batch
import State

// Keys that are not in memory.
extension WindowCore {
    /// Brings the windows of all selected rows into memory that the home has, in one read of sorted keys. After this, what
    /// is not in memory does not exist.
    mutating func fetchMissing(_ input: RowInput, _ windows: UInt16, _ sets: UInt16, _ home: any ColdState) throws(StateError) {
        var stored = RawList<UInt8>(capacity: 4096)
        var missing: [MissingKey] = []
        for row in input.selection {
            let key = input.key(Int(row))
            let start = self.start(of: input.eventTimes[Int(row)])
            let hash = table.lookup.hash(input.keyHashes[Int(row)], start: start)
            guard table.find(hash, key, start: start) == nil, !table.isGone(key, start: start) else { continue }
            missing.append(MissingKey(hash: hash, offset: stored.count, count: key.count))
            append(key, start, to: &stored)
        }
        try fetch(&missing, stored, windows, home) { core, key, hash, value throws(StateError) in
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
        var stored = RawList<UInt8>(capacity: 4096)
        var missing: [MissingKey] = []
        let isKeyedByStart = isKeyedByStart
        try home.scanTimers(windows, after: coldCursor, upTo: watermark) { _, entry in
            guard let (key, start) = WindowCodec.split(entry, isKeyedByStart: isKeyedByStart) else { return true }
            let hash = table.lookup.hash(hash64(key), start: start)
            guard table.find(hash, key, start: start) == nil, !table.isGone(key, start: start) else { return true }
            missing.append(MissingKey(hash: hash, offset: stored.count, count: key.count))
            append(key, start, to: &stored)
            return true
        }
        coldCursor = max(coldCursor, watermark)
        coldNext = nil
        try fetch(&missing, stored, windows, home) { core, key, hash, value throws(StateError) in
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

    private struct MissingKey {
        var hash: UInt64
        /// In the stored keys; `count` without the window's start.
        var offset: Int
        var count: Int
    }

    private func start(of time: Int64) -> Int64 {
        guard case .tumbling(let size) = kind else { return 0 }
        return Self.window(of: time, size).start
    }

    private func append(_ key: UnsafeRawBufferPointer, _ start: Int64, to stored: inout RawList<UInt8>) {
        if let base = key.baseAddress { stored.append(base.assumingMemoryBound(to: UInt8.self), count: key.count) }
        guard isKeyedByStart else { return }
        var word: UInt64 = 0
        WindowCodec.writeStart(start, to: &word)
        withUnsafeBytes(of: word) { stored.append($0.baseAddress!.assumingMemoryBound(to: UInt8.self), count: 8) }
    }

    /// Reads the keys, each once and sorted, and calls `body` with those that the home has.
    private mutating func fetch(
        _ missing: inout [MissingKey], _ stored: borrowing RawList<UInt8>, _ windows: UInt16, _ home: any ColdState,
        _ body: (inout WindowCore, UnsafeRawBufferPointer, UInt64, UnsafeRawBufferPointer) throws(StateError) -> Void
    ) throws(StateError) {
        guard !missing.isEmpty else { return }
        let suffix = isKeyedByStart ? WindowCodec.startBytes : 0
        let base = UnsafeRawPointer(stored.base)
        func storedKey(_ key: MissingKey) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(start: base + key.offset, count: key.count + suffix)
        }
        missing.sort { compareBytes(storedKey($0), storedKey($1)) < 0 }
        var distinct: [MissingKey] = []
        for key in missing {
            if let last = distinct.last, compareBytes(storedKey(last), storedKey(key)) == 0 { continue }
            distinct.append(key)
        }
        var failure: StateError?
        try home.multiGet(windows, distinct.map(storedKey), areSorted: true) { position, value in
            guard let value, failure == nil else { return }
            let key = UnsafeRawBufferPointer(start: base + distinct[position].offset, count: distinct[position].count)
            do throws(StateError) { try body(&self, key, distinct[position].hash, value) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
