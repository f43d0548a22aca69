import Batch
import State

/// What a recovery has read of a set and not yet given to its window: chunks by number, by aggregate.
typealias LoadedSets = [UInt64: [Int: [Int: [UInt8]]]]

// State comes back: from deltas at a recovery, from the home when a cold key is needed.
extension WindowCore {
    var isKeyedByStart: Bool { table.isKeyedByStart }

    static func damaged(_ problem: String) -> StateError {
        StateError(
            .damaged, "state of a window transform", problem,
            remedy: "remove the task's local state, so that it is restored from snapshot and deltas")
    }

    /// Puts a stored chain into memory; of sets in chunks there are no elements yet. The key has no record.
    /// - Parameter closing: windows that end at or before this are going to be closed at once: they have no timer.
    /// - Returns: the first record of the chain.
    mutating func insertChain(
        _ hash: UInt64, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, closing: Int64 = .min
    ) throws(StateError) -> Record {
        guard var reader = ChainReader(value) else { return try insertFirstVersion(hash, key, value, closing: closing) }
        var head: Record?
        while let (start, end) = reader.span() {
            let record: Record
            if let head {
                record = table.insert(besides: head, start: start, end: end)
            } else {
                record = table.insert(hash, key, start: start, end: end)
                head = record
            }
            reader.fill(record, layout, &table.pieces)
            settle(record, closing)
        }
        guard let head, reader.isAtEnd, !reader.isDamaged else {
            if let head { forget(head) }
            throw Self.damaged("a window's value of \(value.count) bytes does not decode")
        }
        return head
    }

    private mutating func insertFirstVersion(
        _ hash: UInt64, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, closing: Int64
    ) throws(StateError) -> Record {
        var head: Record?
        let problem = WindowCodec.read(value, layout) { window in
            let record: Record
            if let head {
                record = table.insert(besides: head, start: window.start, end: window.end)
            } else {
                record = table.insert(hash, key, start: window.start, end: window.end)
                head = record
            }
            window.fill(record, layout, &table.pieces)
            for index in layout.distincts {
                DistinctSet.writeCount(window.distinctCount(layout, index), to: record.payload + layout.slots[index].offset)
            }
            settle(record, closing)
        }
        if let problem {
            if let head { forget(head) }
            throw Self.damaged(problem)
        }
        guard let head else { throw Self.damaged("a window's value without windows") }
        return head
    }

    private mutating func settle(_ record: Record, _ closing: Int64) {
        nextUid = max(nextUid, layout.uid(record) &+ 1)
        if record.pointee.end > closing { register(record) }
    }

    mutating func forget(_ head: Record) {
        let layout = layout
        table.forget(head) { table, record in layout.release(record, &table.pieces) }
    }

    // MARK: Recovery

    private mutating func forget(_ hash: UInt64, _ key: UnsafeRawBufferPointer, start: Int64) throws(StateError) {
        if let old = table.find(hash, key, start: start) { forget(old) }
        if spilled.candidate(hash) != nil, let old = try spilled.find(hash, storedKey(key, start: start)) { spilled.remove(old) }
    }

    mutating func loadPut(
        _ hash: UInt64, _ key: UnsafeRawBufferPointer, start: Int64, _ value: UnsafeRawBufferPointer
    ) throws(StateError) {
        try forget(hash, key, start: start)
        table.noteLoaded(try insertChain(hash, key, value))
    }

    mutating func loadDelete(_ hash: UInt64, _ key: UnsafeRawBufferPointer, start: Int64, epoch: Int) throws(StateError) {
        try forget(hash, key, start: start)
        table.noteLoadedDeletion(key, start: start, epoch: epoch)
    }

    /// Gives the sets of all windows in memory their elements: from `loaded`, and what is not there from the home.
    mutating func attachSets(_ loaded: LoadedSets, _ sets: UInt16, _ home: (any ColdState)?) throws(StateError) {
        guard !layout.distincts.isEmpty else { return }
        var records = RawList<Record>()
        table.forEachKey { table, head in
            var record = head
            records.append(record)
            while record.pointee.next != RecordHeader.none {
                record = table.record(record.pointee.next)
                records.append(record)
            }
        }
        for position in 0..<records.count { try attachSets(records[position], loaded, sets, home) }
    }

    /// As above, for one record.
    mutating func attachSets(
        _ record: Record, _ loaded: LoadedSets, _ sets: UInt16, _ home: (any ColdState)?
    ) throws(StateError) {
        let wanted = layout.distincts.reduce(0) { $0 + (layout.distinct(record, $1).isResident ? 0 : 1) }
        guard wanted > 0 else { return }
        let uid = layout.uid(record)
        var chunks = loaded[uid] ?? [:]
        let isComplete = layout.distincts.allSatisfy { index in
            let count = layout.distinct(record, index).count
            return (chunks[index]?.count ?? 0) * DistinctSet.chunkElements >= count
        }
        if !isComplete, let home {
            try WindowCodec.withSetPrefix(uid) { prefix throws(StateError) in
                try home.scan(sets, prefix: prefix) { key, value in
                    if let (_, index, chunk) = WindowCodec.readSetKey(key), chunks[index]?[chunk] == nil {
                        chunks[index, default: [:]][chunk] = [UInt8](value)
                    }
                    return true
                }
            }
        }
        for index in layout.distincts where !layout.distinct(record, index).isResident {
            try fill(layout.distinct(record, index), record.payload + layout.slots[index].offset, chunks[index] ?? [:])
        }
    }

    private mutating func fill(
        _ set: DistinctSet, _ state: UnsafeMutableRawPointer, _ chunks: [Int: [UInt8]]
    ) throws(StateError) {
        let count = set.count
        set.release(&table.pieces)
        for (_, bytes) in chunks.sorted(by: { $0.key < $1.key }) {
            bytes.withUnsafeBytes { bytes in
                for offset in stride(from: 0, to: bytes.count - 15, by: 16) {
                    let low = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                    let high = bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
                    set.insert(Hash128(low: low, high: high), &table.pieces)
                }
            }
        }
        guard set.count == count else {
            throw Self.damaged("a set of distinct values has \(set.count) elements, its window says \(count)")
        }
        set.persisted = count
    }
}
