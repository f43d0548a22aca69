import Batch
import CShims

/// The ids that a task remembers, so that a record whose id came before is known as a duplicate.
///
/// An id is remembered from the row that brings it first until its bucket of event time is forgotten (`BucketClock` has the rule), which
/// duplicates do not prolong. Whether a row is a duplicate follows from the rows before it alone, not from batches, epochs or recovery.
///
/// Ids are 128-bit hashes in 64 tables (`IDTable`), so that growth moves little at a time. Over the memory budget, the older ids of
/// one table after another are moved to a scratch file (`SpilledIDs`). What persists is in changes: see `freeze`.
///
/// Belongs to its task's worker: not for two threads at once.
package final class DedupeSet {
    static let tableCount = 1 << Int(IDTable.numberBits)
    /// Rows that the memory is asked for ahead of the one that is looked at.
    static let lookAhead = 24

    /// Bytes of ids in memory, above which they are spilled.
    package var memoryBudget: Int
    let namespace: UInt16
    let spillDirectory: String
    var clock: BucketClock
    let tables: UnsafeMutablePointer<IDTable>
    var tableMemory = 0
    var spilled: [[SpilledIDs]]
    var spilledMemory = 0
    var spilledRunCount = 0
    var spillFile: SpillFile?
    var nextToSpill = 0
    /// Below this the tables hold too little to be spilled.
    var leastTableMemory = 0
    /// The next table to free of what is forgotten; `tableCount` when the round is over.
    var nextToFree = DedupeSet.tableCount
    /// The oldest remembered bucket when the last such round began.
    var roundBegan = Int64.min
    /// No table holds a bucket before this one.
    var freedBefore = Int64.min
    /// What a batch's ids that are on disk have for a bucket, by position in the selection, ascending.
    var spilledHits: [(position: Int, bucket: Int64)] = []
    var pending = PendingIDs()
    /// Buckets that deltas or the home hold something of.
    var persisted: Set<Int64> = []

    /// - Parameters:
    ///   - within: how long an id is remembered at least, microseconds of event time.
    ///   - namespace: of its persisted entries.
    ///   - memoryBudget: bytes.
    ///   - spillDirectory: where the scratch file goes; made when it is needed.
    package init(within: Int64, namespace: UInt16, memoryBudget: Int, spillDirectory: String) {
        self.memoryBudget = memoryBudget
        self.namespace = namespace
        self.spillDirectory = spillDirectory
        clock = BucketClock(within: within)
        tables = .allocate(capacity: Self.tableCount)
        for index in 0..<Self.tableCount {
            (tables + index).initialize(to: IDTable())
            tableMemory += tables[index].memory
        }
        spilled = Array(repeating: [], count: Self.tableCount)
    }

    deinit {
        for index in 0..<Self.tableCount { tables[index].deallocate() }
        tables.deallocate()
    }

    /// The width of a bucket, microseconds: an id is remembered for up to this much longer than `within`.
    package var bucketWidth: Int64 { clock.width }

    /// Ids held, in memory and on disk; some of them may be forgotten already.
    package var count: Int {
        var count = 0
        for index in 0..<Self.tableCount { count += tables[index].count }
        return spilled.reduce(count) { $0 + $1.reduce(0) { $0 + $1.count } }
    }

    /// What it takes in memory, bytes.
    package var memory: Int { tableMemory + spilledMemory + pending.memory }

    /// What the next freeze takes out, bytes.
    package var changeBytes: Int { pending.memory }

    /// Ids on disk.
    package var spilledCount: Int { spilled.reduce(0) { $0 + $1.reduce(0) { $0 + $1.count } } }

    /// Flags rows whose id is remembered, also from an earlier row of this batch, and remembers the ids of the others.
    ///
    /// - Parameters:
    ///   - hashes: of the ids, by row; so are the event times and the watermarks.
    ///   - watermarks: at the row, that row included; never falls, also from batch to batch.
    ///   - selection: the rows to look at, ascending.
    ///   - isDuplicate: set to 1 or 0 at the selected rows.
    /// - Throws: when ids could not be moved to the disk, or read from there: then nothing has been remembered, and the call may be made again.
    package func insert(
        hashes: UnsafeBufferPointer<Hash128>, eventTimes: UnsafeBufferPointer<Int64>, watermarks: UnsafeBufferPointer<Int64>,
        selection: UnsafeBufferPointer<Int32>, isDuplicate: UnsafeMutableBufferPointer<UInt8>
    ) throws(StateError) {
        precondition(
            eventTimes.count == hashes.count && watermarks.count == hashes.count && isDuplicate.count == hashes.count
                && (selection.last.map { Int($0) < hashes.count } ?? true), "columns of one batch are of one length")
        guard !selection.isEmpty else { return }
        freeSome()
        try relieve()
        try findSpilled(hashes, selection)
        var hits = spilledHits.makeIterator()
        var hit = hits.next()

        let tables = self.tables
        // Taken out of the object: in the loop they are plain variables.
        var clock = self.clock
        var pending = self.pending
        self.pending = PendingIDs()
        defer {
            self.clock = clock
            self.pending = pending
        }
        var oldest = UInt32(truncatingIfNeeded: clock.oldest)
        for position in 0..<min(Self.lookAhead, selection.count) {
            Self.prefetch(hashes[Int(selection[position])], in: tables)
        }
        for position in selection.indices {
            if position + Self.lookAhead < selection.count {
                Self.prefetch(hashes[Int(selection[position + Self.lookAhead])], in: tables)
            }
            let row = Int(selection[position])
            if watermarks[row] >= clock.nextChange {
                let before = clock.oldest
                clock.advance(to: watermarks[row])
                freeIfFar(from: before, to: clock.oldest)
                oldest = UInt32(truncatingIfNeeded: clock.oldest)
            }
            let hash = hashes[row]
            let key = IDTable.key(of: hash.high)
            let tail = UInt32(truncatingIfNeeded: hash.low >> 32)
            let number = Int(truncatingIfNeeded: hash.high >> IDTable.firstBitOfNumber)
            let (place, isFound) = tables[number].find(key, tail)
            if isFound && Self.isRemembered(place.pointee.bucket, oldest) {
                isDuplicate[row] = 1
                continue
            }
            while let passed = hit, passed.position < position { hit = hits.next() }
            if let found = hit, found.position == position, found.bucket >= clock.oldest {
                isDuplicate[row] = 1
                continue
            }
            isDuplicate[row] = 0
            let bucket = clock.bucket(of: eventTimes[row])
            guard bucket >= clock.oldest else { continue }
            let entry = IDEntry(key: key, tail: tail, bucket: UInt32(truncatingIfNeeded: bucket))
            if isFound {
                place.pointee = entry
            } else if !tables[number].insert(entry, at: place) {
                insertAfterGrowth(entry, number, oldest)
            }
            pending.append(hash, bucket: bucket)
        }
    }

    /// Remembers ids again that a delta or the home holds.
    func remember(_ hashes: UnsafeBufferPointer<Hash128>, bucket: Int64) throws(StateError) {
        try relieve()
        // What a bucket could be put into says how far the watermark was.
        let before = clock.oldest
        clock.forget(before: bucket.subtractingReportingOverflow(BucketClock.furthestAhead).partialValue)
        freeIfFar(from: before, to: clock.oldest)
        guard bucket >= clock.oldest else { return }
        let oldest = UInt32(truncatingIfNeeded: clock.oldest)
        for position in hashes.indices {
            if position + Self.lookAhead < hashes.count { Self.prefetch(hashes[position + Self.lookAhead], in: tables) }
            let hash = hashes[position]
            let entry = IDEntry(
                key: IDTable.key(of: hash.high), tail: UInt32(truncatingIfNeeded: hash.low >> 32),
                bucket: UInt32(truncatingIfNeeded: bucket))
            let number = Int(truncatingIfNeeded: hash.high >> IDTable.firstBitOfNumber)
            let (place, isFound) = tables[number].find(entry.key, entry.tail)
            if isFound {
                if Int32(bitPattern: entry.bucket &- place.pointee.bucket) > 0 { place.pointee = entry }
            } else if !tables[number].insert(entry, at: place) {
                insertAfterGrowth(entry, number, oldest)
            }
        }
    }

    @inline(__always)
    private static func prefetch(_ hash: Hash128, in tables: UnsafeMutablePointer<IDTable>) {
        let place = tables[Int(truncatingIfNeeded: hash.high >> IDTable.firstBitOfNumber)].home(of: IDTable.key(of: hash.high))
        millrace_prefetch(place)
        // A search goes on for a few slots, often into the next line.
        millrace_prefetch(place + 4)
    }

    @inline(__always)
    static func isRemembered(_ bucket: UInt32, _ oldest: UInt32) -> Bool {
        Int32(bitPattern: bucket &- oldest) >= 0
    }

    @inline(never)
    private func insertAfterGrowth(_ entry: IDEntry, _ number: Int, _ oldest: UInt32) {
        let before = tables[number].memory
        // Tables begin with different sizes and grow by one factor: hashes fill all of them alike, and they should not all grow in one batch.
        var least = 32 + number * 13 / Self.tableCount
        repeat {
            tables[number].rebuild(capacity: least) { Self.isRemembered($0.bucket, oldest) }
            least = tables[number].capacity * 14 / 10
        } while !tables[number].insert(entry, at: tables[number].find(entry.key, entry.tail).place)
        tableMemory += tables[number].memory - before
    }
}
