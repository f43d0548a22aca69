import CShims

// What leaves the table at the end of an epoch, and what the home makes of it.
extension RecordTable {
    /// Gives every key that changed since the last freeze to `put` (its first record; the chain hangs from it) and every
    /// key that is gone and was taken out before to `delete`, then counts them as changed in `epoch`. `prefetch` is given most records
    /// somewhat earlier: to bring closer what their payloads point to.
    package mutating func freeze(
        epoch: Int, prefetch: (Record) -> Void = { _ in }, put: (Record) -> Void,
        delete: (_ key: UnsafeRawBufferPointer, _ start: Int64) -> Void
    ) {
        let stamp = epochs.stamp(epoch)
        for position in 0..<dirty.count {
            if position + 24 < dirty.count {
                let ahead = record(dirty[position + 24])
                millrace_prefetch(ahead)
                lookup.prefetchPayload(ahead)
            }
            if position + 12 < dirty.count {
                let ahead = record(dirty[position + 12])
                if ahead.pointee.flags & RecordHeader.isAlive != 0 { prefetch(ahead) }
            }
            let record = record(dirty[position])
            let wanted = RecordHeader.isAlive | RecordHeader.isDirty
            guard record.pointee.flags & wanted == wanted else { continue }
            let head = head(of: record)
            settle(head)
            put(head)
        }
        dirty.removeAll()
        examinedInVain = 0
        freezeDeletions(stamp, delete)
    }

    /// Marks a chain as taken out, or as come from outside.
    private func settle(_ head: Record) {
        var record = head
        while true {
            record.pointee.flags = (record.pointee.flags & ~RecordHeader.isDirty) | RecordHeader.isPersisted
            guard record.pointee.next != RecordHeader.none else { return }
            record = self.record(record.pointee.next)
        }
    }

    private mutating func freezeDeletions(_ stamp: UInt32, _ delete: (UnsafeRawBufferPointer, Int64) -> Void) {
        var deletions = Deletions()
        swap(&deletions, &self.deletions)
        deletions.drain(stamp: stamp, keyedByStart: lookup.isKeyedByStart) { hash, key, start in
            // A key that came back is in the table and was put, or will be.
            if find(hash, key, start: start) == nil { delete(key, start) }
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
            if record.pointee.flags & RecordHeader.isDirty != 0 || record.pointee.flags & RecordHeader.isPersisted == 0 { return false }
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
