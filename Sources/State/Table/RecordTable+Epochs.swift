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
            settle(head, stamp)
            put(head)
        }
        dirty.removeAll()
        freezeDeletions(stamp, delete)
    }

    /// Marks a chain as taken out, or as come from outside, with `stamp`.
    private func settle(_ head: Record, _ stamp: UInt32) {
        var record = head
        while true {
            record.pointee.flags = (record.pointee.flags & ~RecordHeader.isDirty) | RecordHeader.isPersisted
            record.pointee.lastChanged = stamp
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

    /// Notes that `head` and its chain are what the state of `epoch` says, as read from its delta.
    package mutating func noteLoaded(_ head: Record, epoch: Int) { settle(head, epochs.stamp(epoch)) }

    /// Notes that `head` and its chain are what the home says.
    package mutating func noteCold(_ head: Record) { settle(head, 0) }

    /// Notes that a delta of `epoch` deletes `key`: the home may still have it.
    package mutating func noteLoadedDeletion(_ key: UnsafeRawBufferPointer, start: Int64, epoch: Int) {
        let stamp = epochs.stamp(epoch)
        if deletions.isRetaining { deletions.retain(key, start: lookup.isKeyedByStart ? start : 0, stamp: stamp) }
    }

    /// To be called at the start, before anything is loaded: the home holds keys of this table.
    package mutating func noteHomeHoldsKeys() {
        isAllHot = false
        deletions.beginRetaining()
    }

    /// The home is complete to `epoch`.
    package mutating func flushed(upTo epoch: Int) {
        epochs.noteFlushed(upTo: epoch)
        deletions.noteFlushed(epochs.flushed)
        examinedInVain = 0
    }

    /// Whether the home may not be asked for `key` because what it says is out of date: the key is gone.
    package func isGone(_ key: UnsafeRawBufferPointer, start: Int64) -> Bool {
        deletions.isRetained(key, start: lookup.isKeyedByStart ? start : 0)
    }

    /// Frees about `wanted` bytes by forgetting chains that the home has and that were not used since the hand last
    /// came by. Looks at no more than 64 Ki records a call, so that it does not hold a batch up.
    ///
    /// `release` is given each record that goes, to free what its payload points to.
    /// - Returns: the bytes freed, and whether nothing can be freed before the home is complete to a later epoch.
    package mutating func evict(
        atLeast wanted: Int, release: (inout RecordTable, Record) -> Void
    ) -> (freed: Int, needsFlush: Bool) {
        if !deletions.isRetaining {
            deletions.beginRetaining()
            retainingSince = epochs.newest + 1
        }
        // Deletions before that were not retained: a miss might find them in the home until it knows them.
        guard epochs.flushed >= retainingSince else { return (0, true) }
        let before = bytes
        var examined = 0
        while before - bytes < wanted, examined < 1 << 16, examinedInVain <= 2 * Int(nextNumber), recordCount > 0 {
            let record = record(hand)
            hand = hand + 1 == nextNumber ? 0 : hand + 1
            examined += 1
            examinedInVain += 1
            let wanted = RecordHeader.isAlive | RecordHeader.isHead
            guard record.pointee.flags & wanted == wanted else { continue }
            if record.pointee.flags & RecordHeader.isTouched != 0 {
                record.pointee.flags &= ~RecordHeader.isTouched
            } else if isClean(record) {
                forget(record, release)
                isAllHot = false
                examinedInVain = 0
            }
        }
        return (before - bytes, examinedInVain > 2 * Int(nextNumber))
    }

    private func isClean(_ head: Record) -> Bool {
        var record = head
        while true {
            if record.pointee.flags & RecordHeader.isDirty != 0 || record.pointee.lastChanged > epochs.flushed
                || record.pointee.flags & RecordHeader.isPersisted == 0
            {
                return false
            }
            guard record.pointee.next != RecordHeader.none else { return true }
            record = self.record(record.pointee.next)
        }
    }

    /// Drops a chain from memory without a deletion. `release` as in `evict`.
    package mutating func forget(_ head: Record, _ release: (inout RecordTable, Record) -> Void) {
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
