import Batch
import CShims

/// The ids that a task remembers, so that a record whose id came before is known as a duplicate.
///
/// An id is remembered from the row that brings it first until its bucket of event time is forgotten (`BucketClock` has the rule), which
/// duplicates do not prolong. Whether a row is a duplicate follows from the rows before it alone, not from batches, epochs or recovery.
///
/// Ids are 128-bit hashes in 64 tables (`IDTable`), so that growth moves little at a time. Over the memory budget, the older ids of
/// one table after another are moved to a scratch file (`SpilledIDs`). What persists is in changes: see `beginFreeze`.
///
/// Belongs to its task's worker: not for two threads at once.
package final class DedupeSet {
    static let tableCount = 1 << Int(IDTable.numberBits)
    /// Rows that the memory is asked for ahead of the one that is looked at.
    static let lookAhead = 24

    /// Bytes of ids in memory, above which they are spilled.
    package var memoryBudget: Int
    /// Room for so many ids is to be made before the next.
    var expectedCount = 0
    /// Whether `pending` has the ids first seen since the last freeze. Otherwise there has been none, and all ids are that.
    var notesNew = true
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
    /// What the tables' entries have in place of their buckets.
    var numbers = BucketNumbers()
    /// The oldest remembered bucket when a table was last freed of what is forgotten, to make room.
    private var freedBefore = [Int64](repeating: .min, count: DedupeSet.tableCount)
    /// The oldest remembered bucket when the tables were last freed for their numbers.
    private var numbersFreedAt = Int64.min
    /// Ids of buckets for which there was no number, by what a table would have of them: none, where times are not in greater disorder than ids
    /// are remembered for.
    var strays: [Hash128: Int64] = [:]
    /// What a batch's ids that are on disk have for a bucket, by position in the selection, ascending.
    var spilledHits: [(position: Int, bucket: Int64)] = []
    var pending = PendingIDs()
    /// What is left of the epoch that is being frozen, if one is.
    var frozen: FrozenIDs?
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
            (tables + index).initialize(to: IDTable(number: index))
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
        count += strays.count
        return spilled.reduce(count) { $0 + $1.reduce(0) { $0 + $1.count } }
    }

    /// What it takes in memory, bytes.
    package var memory: Int { tableMemory + strays.capacity * 32 + spilledMemory + pending.memory + (frozen?.memory ?? 0) }

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
        if expectedCount > 0 { makeRoom() }
        let notesNew = self.notesNew
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
        var numbers = self.numbers
        self.numbers = BucketNumbers()
        defer {
            self.clock = clock
            self.pending = pending
            self.numbers = numbers
        }
        for position in 0..<min(Self.lookAhead, selection.count) {
            Self.prefetch(hashes[Int(selection[position])], in: tables)
        }
        for position in selection.indices {
            if position + Self.lookAhead < selection.count {
                Self.prefetch(hashes[Int(selection[position + Self.lookAhead])], in: tables)
            }
            let row = Int(selection[position])
            if watermarks[row] >= clock.nextChange { clock.advance(to: watermarks[row]) }
            let hash = hashes[row]
            let key = IDTable.key(of: hash.high)
            let tail = UInt32(truncatingIfNeeded: hash.low >> 32)
            let number = Int(truncatingIfNeeded: hash.high >> IDTable.firstBitOfNumber)
            let (place, isFound) = tables[number].find(key, tail)
            if isFound && numbers[IDEntry.bucket(at: place)] >= clock.oldest {
                isDuplicate[row] = 1
                continue
            }
            if !strays.isEmpty, let bucket = strays[Hash128(low: UInt64(tail), high: key)], bucket >= clock.oldest {
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
            if notesNew { pending.append(hash, bucket: bucket) }
            guard let bucketNumber = numbers.number(of: bucket) else {
                putAside(hash, bucket, clock.oldest, &numbers)
                continue
            }
            let entry = IDEntry(key: key, tail: tail, bucket: bucketNumber)
            if isFound {
                entry.store(at: place)
            } else if !tables[number].insert(entry, at: place) {
                insertAfterGrowth(entry, number, clock.oldest, numbers)
            }
        }
    }

    /// Remembers ids again that a delta or the home holds.
    func remember(_ hashes: UnsafeBufferPointer<Hash128>, bucket: Int64) throws(StateError) {
        try relieve()
        // What a bucket could be put into says how far the watermark was.
        clock.forget(before: bucket.subtractingReportingOverflow(BucketClock.furthestAhead).partialValue)
        guard bucket >= clock.oldest else { return }
        for position in hashes.indices {
            if position + Self.lookAhead < hashes.count { Self.prefetch(hashes[position + Self.lookAhead], in: tables) }
            let hash = hashes[position]
            guard let bucketNumber = numbers.number(of: bucket) else {
                putAside(hash, bucket, clock.oldest, &numbers)
                continue
            }
            let entry = IDEntry(key: IDTable.key(of: hash.high), tail: UInt32(truncatingIfNeeded: hash.low >> 32), bucket: bucketNumber)
            let number = Int(truncatingIfNeeded: hash.high >> IDTable.firstBitOfNumber)
            let (place, isFound) = tables[number].find(entry.key, entry.tail)
            if isFound {
                if bucket > numbers[IDEntry.bucket(at: place)] { entry.store(at: place) }
            } else if !tables[number].insert(entry, at: place) {
                insertAfterGrowth(entry, number, clock.oldest, numbers)
            }
        }
    }

    @inline(__always)
    private static func prefetch(_ hash: Hash128, in tables: UnsafeMutablePointer<IDTable>) {
        let place = tables[Int(truncatingIfNeeded: hash.high >> IDTable.firstBitOfNumber)].home(of: IDTable.key(of: hash.high))
        millrace_prefetch(place)
        // A search goes on for a few slots, often into the next lines.
        millrace_prefetch(place + 64)
    }

    @inline(never)
    private func insertAfterGrowth(_ entry: IDEntry, _ number: Int, _ oldest: Int64, _ numbers: BucketNumbers) {
        let before = tables[number].memory
        if freedBefore[number] < oldest {
            tables[number].keep { numbers[$0.bucket] >= oldest }
            freedBefore[number] = oldest
        }
        // What was won has to last for a while.
        if tables[number].count > tables[number].capacity * 4 / 5 { tables[number].grow() }
        while !tables[number].insert(entry, at: tables[number].find(entry.key, entry.tail).place) { tables[number].grow() }
        tableMemory += tables[number].memory - before
    }

    /// Remembers an id for whose bucket there is no number: makes sure of that first.
    @inline(never)
    private func putAside(_ hash: Hash128, _ bucket: Int64, _ oldest: Int64, _ numbers: inout BucketNumbers) {
        let key = IDTable.key(of: hash.high)
        let tail = UInt32(truncatingIfNeeded: hash.low >> 32)
        let number = Int(truncatingIfNeeded: hash.high >> IDTable.firstBitOfNumber)
        if numbersMayBeFree(oldest) {
            for index in 0..<Self.tableCount { keep(index) { numbers[$0.bucket] >= oldest } }
            numbers.release(before: oldest)
        }
        guard let bucketNumber = numbers.number(of: bucket) else {
            let id = Hash128(low: UInt64(tail), high: key)
            strays[id] = max(bucket, strays[id] ?? bucket)
            return
        }
        let entry = IDEntry(key: key, tail: tail, bucket: bucketNumber)
        let (place, isFound) = tables[number].find(key, tail)
        if isFound {
            entry.store(at: place)
        } else if !tables[number].insert(entry, at: place) {
            insertAfterGrowth(entry, number, oldest, numbers)
        }
    }

    /// Whether so many buckets were forgotten since the tables were last freed for their numbers that it is worth it.
    private func numbersMayBeFree(_ oldest: Int64) -> Bool {
        let (distance, overflow) = oldest.subtractingReportingOverflow(numbersFreedAt)
        guard overflow || distance >= 4_096 else { return false }
        numbersFreedAt = oldest
        return true
    }
}
