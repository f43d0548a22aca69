import Batch

// How memory is given back: what is forgotten is freed, and what is over the budget is spilled, a few tables a batch.
extension DedupeSet {
    /// Tables that a batch frees of what is forgotten.
    private static let tablesFreedPerBatch = 4
    /// A batch stops spilling after this many ids, wherever the memory stands.
    private static let spilledPerBatch = 1 << 16

    /// Once in a lifetime of an id, all tables are gone through, so that what is forgotten does not stay where nothing new comes.
    /// (Where something comes, growth frees it.)
    func freeSome() {
        if nextToFree == Self.tableCount {
            let (distance, overflow) = clock.oldest.subtractingReportingOverflow(roundBegan)
            guard overflow || distance > clock.within / clock.width else { return }
            roundBegan = clock.oldest
            nextToFree = 0
            if !strays.isEmpty { strays = strays.filter { $0.value >= clock.oldest } }
        }
        for _ in 0..<min(Self.tablesFreedPerBatch, Self.tableCount - nextToFree) {
            dropForgottenRuns(nextToFree, clock.oldest)
            var forgotten = 0
            tables[nextToFree].forEach { if numbers[$0.bucket] < clock.oldest { forgotten += 1 } }
            if forgotten * 4 > tables[nextToFree].count { keep(nextToFree) { numbers[$0.bucket] >= clock.oldest } }
            nextToFree += 1
        }
    }

    /// Tells an empty set that so many ids will come at most, and that they will hardly be frozen before they are all there.
    package func expect(_ count: Int) {
        guard tableMemory == Self.tableCount * IDEntry.stride, persisted.isEmpty, strays.isEmpty else { return }
        expectedCount = count
        notesNew = false
    }

    /// Puts together what was not noted as it came.
    func noteAll() {
        guard !notesNew else { return }
        notesNew = true
        for index in 0..<Self.tableCount {
            tables[index].forEach { pending.append(Hash128(low: UInt64($0.tail) << 32, high: $0.key), bucket: numbers[$0.bucket]) }
        }
        for (id, bucket) in strays { pending.append(Hash128(low: id.low << 32, high: id.high), bucket: bucket) }
    }

    /// Makes room for the ids that are expected, as far as half of the memory goes: nothing has to be moved until then, and all tables lie in
    /// huge pages, for which each is too small by itself.
    func makeRoom() {
        let each = min(expectedCount / Self.tableCount, memoryBudget / 2 / Self.tableCount / IDEntry.stride)
        expectedCount = 0
        // Hashes fill the tables alike, but for chance.
        let capacity = (each + 6 * Int(Double(each).squareRoot())) * 10 / 9
        guard let room = IDTable.allocateRoom(for: capacity, tables: Self.tableCount) else { return }
        tableMemory = 0
        for index in 0..<Self.tableCount {
            tables[index].move(to: room + index * IDTable.roomBytes(capacity), capacity)
            tableMemory += tables[index].memory
        }
    }

    /// Spills until the memory is within the budget, but not more at a time than a short pause allows.
    ///
    /// The filters of spilled ids, 1.5 bytes an id, stay in memory: the tables keep a quarter of the budget whatever those take.
    func relieve() throws(StateError) {
        var moved = 0
        var idle = 0
        let floor = max(memoryBudget / 4, leastTableMemory)
        while memory > memoryBudget, tableMemory > floor, moved < Self.spilledPerBatch {
            noteAll()
            let count = try spill(nextToSpill)
            nextToSpill = (nextToSpill + 1) % Self.tableCount
            moved += count
            idle = count > 0 ? 0 : idle + 1
            if idle == Self.tableCount {
                // Nothing worth it is left; not to be found out again for every batch.
                leastTableMemory = tableMemory + Self.tableCount * IDEntry.stride
                return
            }
        }
    }

    /// Moves the older half of a table's ids to the disk.
    /// - Returns: how many.
    private func spill(_ number: Int) throws(StateError) -> Int {
        dropForgottenRuns(number, clock.oldest)
        let oldest = clock.oldest
        var countByAge = [Int](repeating: 0, count: 64)
        var remembered = 0
        tables[number].forEach { entry in
            let bucket = numbers[entry.bucket]
            guard bucket >= oldest else { return }
            countByAge[Int(min(bucket - oldest, 63))] += 1
            remembered += 1
        }
        guard remembered >= 16 else { return 0 }
        var limit: Int64 = 0
        var below = countByAge[0]
        while below * 2 < remembered {
            limit += 1
            below += countByAge[Int(limit)]
        }
        if limit == 63 { limit = .max }
        var moving: [SpilledID] = []
        moving.reserveCapacity(below)
        var newest = oldest
        tables[number].forEach { entry in
            let bucket = numbers[entry.bucket]
            guard bucket >= oldest, bucket - oldest <= limit else { return }
            newest = max(newest, bucket)
            moving.append(SpilledID(key: entry.key, tail: entry.tail, bucket: UInt32(truncatingIfNeeded: bucket)))
        }
        try addRun(moving, newestBucket: newest, to: number)
        keep(number) { numbers[$0.bucket] >= oldest && numbers[$0.bucket] - oldest > limit }
        return moving.count
    }

    /// Runs of about one size are merged, so that a table has few of them and every id is merged a few times only.
    private func addRun(_ entries: [SpilledID], newestBucket: Int64, to number: Int) throws(StateError) {
        let file: SpillFile
        if let spillFile {
            file = spillFile
        } else {
            file = try SpillFile(directory: spillDirectory, name: "remembered-ids.spill")
            spillFile = file
        }
        var entries = entries
        var newestBucket = newestBucket
        var merged = 0
        let oldest = UInt32(truncatingIfNeeded: clock.oldest)
        for run in spilled[number].reversed() {
            guard run.count < entries.count * 2 else { break }
            entries = Self.merge(try run.read(), entries, oldest)
            newestBucket = max(newestBucket, run.newestBucket)
            merged += 1
        }
        let run = try entries.span.withUnsafeBufferPointer { (entries) throws(StateError) in
            try SpilledIDs(entries, newestBucket: newestBucket, file: file)
        }
        for old in spilled[number].suffix(merged) { spilledMemory -= old.memory }
        spilled[number].removeLast(merged)
        spilled[number].append(run)
        spilledMemory += run.memory
        spilledRunCount += 1 - merged
    }

    /// Both ascend by key, as does what comes out; what is forgotten in the first is left out.
    private static func merge(_ older: [SpilledID], _ newer: [SpilledID], _ oldest: UInt32) -> [SpilledID] {
        var merged: [SpilledID] = []
        merged.reserveCapacity(older.count + newer.count)
        var next = 0
        for entry in older where Int32(bitPattern: entry.bucket &- oldest) >= 0 {
            while next < newer.count, newer[next].key <= entry.key {
                merged.append(newer[next])
                next += 1
            }
            merged.append(entry)
        }
        merged.append(contentsOf: newer[next...])
        return merged
    }

    private func dropForgottenRuns(_ number: Int, _ oldest: Int64) {
        guard spilled[number].contains(where: { $0.newestBucket < oldest }) else { return }
        for run in spilled[number] where run.newestBucket < oldest {
            spilledMemory -= run.memory
            spilledRunCount -= 1
        }
        spilled[number].removeAll { $0.newestBucket < oldest }
    }

    /// Drops the ids of a table that `isKept` does not want.
    func keep(_ number: Int, _ isKept: (IDEntry) -> Bool) {
        let before = tables[number].memory
        tables[number].keep(isKept)
        tableMemory += tables[number].memory - before
    }

    /// Looks for a batch's ids on disk, so that the loop over its rows does not have to.
    func findSpilled(_ hashes: UnsafeBufferPointer<Hash128>, _ selection: UnsafeBufferPointer<Int32>) throws(StateError) {
        spilledHits.removeAll(keepingCapacity: true)
        guard spilledRunCount > 0 else { return }
        var start = 0
        while start < selection.count {
            let end = min(start + Self.lookAhead, selection.count)
            for position in start..<end {
                let hash = hashes[Int(selection[position])]
                for run in spilled[Int(truncatingIfNeeded: hash.high >> IDTable.firstBitOfNumber)] { run.prefetch(IDTable.key(of: hash.high)) }
            }
            for position in start..<end { try findSpilled(hashes[Int(selection[position])], position) }
            start = end
        }
    }

    private func findSpilled(_ hash: Hash128, _ position: Int) throws(StateError) {
        let key = IDTable.key(of: hash.high)
        let tail = UInt32(truncatingIfNeeded: hash.low >> 32)
        let number = Int(truncatingIfNeeded: hash.high >> IDTable.firstBitOfNumber)
        var newest: Int64?
        for run in spilled[number] where run.mayHold(key, tail) {
            // An id comes to memory again only when it was forgotten on disk.
            if tables[number].find(key, tail).isFound { return }
            guard let bucket = try run.bucket(key, tail) else { continue }
            newest = max(bucket, newest ?? bucket)
        }
        if let newest { spilledHits.append((position, newest)) }
    }
}
