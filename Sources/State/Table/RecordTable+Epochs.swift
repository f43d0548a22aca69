import CShims

// What leaves the table at the end of an epoch, and what the home makes of it.
extension RecordTable {
    /// Ends the open epoch: what has changed since the last freeze belongs to `epoch`, and `continueFreeze` takes it out in pieces. Costs
    /// the same whatever that is.
    /// - Parameter takeOut: given a key of the epoch (its first record) that is about to change before its turn has come. Until the freeze is over.
    package mutating func beginFreeze(epoch: Int, takeOut: @escaping (Record) -> Void) {
        precondition(!isFreezing, "one epoch is frozen before the next ends")
        freezing.begin(stamp: epochs.stamp(epoch), takeOut, &dirty)
        openMark ^= RecordHeader.changed
        deletions.beginFreeze()
    }

    /// Whether something is left for `continueFreeze`.
    package var isFreezing: Bool { freezing.takeOut != nil }

    /// Whether keys went since the last freeze that it, or one before, had taken out.
    package var hasOpenDeletions: Bool { deletions.hasOpen }

    /// Whether keys are left that are gone: they come first.
    package var isFreezingDeletions: Bool { deletions.isFreezing }

    /// Takes out what `budget` allows: first gives keys that are gone to `delete`, some of which may be put later, then those that changed
    /// (their first records; the chains hang from them) to `put`. `prefetch` is given most records somewhat earlier: to bring closer what
    /// their payloads point to.
    /// - Parameter budget: what looking at an entry costs is 1, what putting one costs is what `put` says. Ends below zero by at most one entry's.
    package mutating func continueFreeze(
        budget: inout Int, prefetch: (Record) -> Void = { _ in }, put: (Record) -> Int,
        delete: (_ key: UnsafeRawBufferPointer, _ start: Int64) -> Void
    ) {
        guard isFreezing else { return }
        freezeDeletions(&budget, delete)
        guard !deletions.isFreezing else { return }
        let mark = openMark ^ RecordHeader.changed
        let wanted = RecordHeader.isAlive | mark
        let count = freezing.dirty.count
        var position = freezing.position
        while position < count, budget > 0 {
            if position + 24 < count {
                let ahead = record(freezing.dirty[position + 24])
                millrace_prefetch(ahead)
                lookup.prefetchPayload(ahead)
            }
            if position + 12 < count {
                let ahead = record(freezing.dirty[position + 12])
                if ahead.pointee.flags & RecordHeader.isAlive != 0 { prefetch(ahead) }
            }
            let head = record(freezing.dirty[position])
            position += 1
            budget -= 1
            guard head.pointee.flags & wanted == wanted else { continue }
            budget -= put(head)
            settle(head)
        }
        freezing.position = position
        examinedInVain = 0
        if position == count { freezing.end() }
    }

    /// A chain is taken out as it is before anything of it changes.
    @inline(__always)
    mutating func takeOutIfFrozen(_ head: Record) {
        if head.pointee.flags & (RecordHeader.changed ^ openMark) != 0 { takeOut(head) }
    }

    @inline(never)
    private mutating func takeOut(_ head: Record) {
        guard let takeOut = freezing.takeOut else { preconditionFailure("only an epoch that is being frozen has the other mark") }
        takeOut(head)
        settle(head)
    }

    /// Marks a chain as taken out, or as come from outside.
    private func settle(_ head: Record) {
        var record = head
        while true {
            record.pointee.flags = (record.pointee.flags & ~RecordHeader.changed) | RecordHeader.isPersisted
            guard record.pointee.next != RecordHeader.none else { return }
            record = self.record(record.pointee.next)
        }
    }

    private mutating func freezeDeletions(_ budget: inout Int, _ delete: (UnsafeRawBufferPointer, Int64) -> Void) {
        guard deletions.isFreezing else { return }
        let mark = openMark ^ RecordHeader.changed
        var deletions = Deletions()
        swap(&deletions, &self.deletions)
        deletions.continueFreeze(stamp: freezing.stamp, keyedByStart: lookup.isKeyedByStart, budget: &budget) { hash, key, start in
            // A key that is here with the mark came back in the same epoch and is still to be put.
            if let head = find(hash, key, start: start), head.pointee.flags & mark != 0 { return }
            delete(key, start)
        }
        swap(&deletions, &self.deletions)
    }

    /// Notes that `head` and its chain are what a delta, the home or a scratch file says.
    package mutating func noteLoaded(_ head: Record) { settle(head) }

    /// Notes that a delta of `epoch` deletes `key`: the home may still have it.
    package mutating func noteLoadedDeletion(_ key: UnsafeRawBufferPointer, start: Int64, epoch: Int) {
        let stamp = epochs.stamp(epoch)
        if deletions.isRetaining { deletions.retain(key, start: lookup.isKeyedByStart ? start : 0, stamp: stamp) }
    }

    /// To be called at the start, before anything is loaded: the home holds keys of this table.
    package mutating func noteHomeHoldsKeys() {
        asksHome = true
        deletions.beginRetaining()
    }

    /// The home is complete to `epoch`.
    package mutating func flushed(upTo epoch: Int) {
        epochs.noteFlushed(upTo: epoch)
        deletions.noteFlushed(epochs.flushed)
    }

    /// Whether the home may not be asked for `key` because what it says is out of date: the key is gone.
    package func isGone(_ key: UnsafeRawBufferPointer, start: Int64) -> Bool {
        deletions.isRetained(key, start: lookup.isKeyedByStart ? start : 0)
    }

    /// The first record of the next chain that may leave memory: the last freeze took it, and it was not used since the hand last came by.
    /// Whoever gets it keeps its content elsewhere and calls `forget`.
    /// - Parameter examined: counts the records that were looked at. Nil at `examineMax` too, so that a batch is not held up.
    package mutating func nextEvictable(_ examined: inout Int) -> Record? {
        while examined < Self.examineMax, !isUnevictable {
            let record = record(hand)
            hand = hand + 1 == nextNumber ? 0 : hand + 1
            examined += 1
            examinedInVain += 1
            let wanted = RecordHeader.isAlive | RecordHeader.isHead
            guard record.pointee.flags & wanted == wanted else { continue }
            if record.pointee.flags & RecordHeader.isTouched != 0 {
                record.pointee.flags &= ~RecordHeader.isTouched
            } else if isClean(record) {
                examinedInVain = 0
                return record
            }
        }
        return nil
    }

    /// Nothing may leave memory before the next freeze.
    package var isUnevictable: Bool { recordCount == 0 || examinedInVain > 2 * Int(nextNumber) }

    /// Records that an eviction looks at between two batches.
    private static let examineMax = 1 << 16

    private func isClean(_ head: Record) -> Bool {
        var record = head
        while true {
            if record.pointee.flags & RecordHeader.changed != 0 || record.pointee.flags & RecordHeader.isPersisted == 0 { return false }
            guard record.pointee.next != RecordHeader.none else { return true }
            record = self.record(record.pointee.next)
        }
    }

    /// Drops a chain from memory without a deletion. `release` as in `evict`.
    package mutating func forget(_ head: Record, _ release: (inout RecordTable, Record) -> Void) {
        dropDirectory(head)
        index.remove(head.pointee.hash, head.pointee.number)
        keyCount -= 1
        var record = head
        while true {
            let next = record.pointee.next
            release(&self, record)
            free(record)
            guard next != RecordHeader.none else { return }
            record = self.record(next)
        }
    }
}
