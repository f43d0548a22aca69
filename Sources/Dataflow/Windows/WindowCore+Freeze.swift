import State

// What changed leaves for the delta.
extension WindowCore {
    mutating func freeze(epoch: Int, _ windows: UInt16, _ sets: UInt16, into changes: inout ChangeSet) {
        precondition(closed.count == 0, "closed windows are put out before the epoch ends")
        let layout = layout
        let lookup = table.lookup
        let isKeyedByStart = isKeyedByStart
        let suffix = isKeyedByStart ? WindowCodec.startBytes : 0
        @inline(__always)
        func write(_ key: UnsafeRawBufferPointer, _ start: Int64, to place: UnsafeMutableRawBufferPointer) {
            place.copyMemory(from: key)
            if isKeyedByStart, let base = place.baseAddress { WindowCodec.writeStart(start, to: base + key.count) }
        }
        var chains = ChainWriter()
        var nextUid = nextUid
        table.freeze(
            epoch: epoch,
            prefetch: { record in
                for index in layout.distincts { layout.distinct(record, index).prefetchUnpersisted() }
                for index in layout.strings { layout.string(record, index).prefetch() }
            },
            put: { head in
                if !layout.distincts.isEmpty { Self.giveUids(head, lookup, layout, &nextUid) }
                let chain = chains.encode(head, lookup, layout, .persisted)
                changes.put(windows, keyCount: Int(head.pointee.keyLength) + suffix, valueCount: chain.count) { key, value in
                    write(head.key, head.pointee.start, to: key)
                    value.copyMemory(from: chain)
                }
                if !layout.distincts.isEmpty { Self.putSets(head, lookup, layout, sets, into: &changes) }
            },
            delete: { key, start in
                changes.delete(windows, keyCount: key.count + suffix) { write(key, start, to: $0) }
            })
        for position in 0..<deletedSets.count {
            WindowCodec.withSetPrefix(deletedSets[position]) { changes.deletePrefix(sets, prefix: $0) }
        }
        deletedSets.removeAll()
        if nextUid != self.nextUid {
            self.nextUid = nextUid
            WindowCodec.withSetPrefix(0) { key in
                withUnsafeBytes(of: nextUid) { changes.put(sets, key: key, value: $0) }
            }
        }
    }

    /// Gives a uid to the windows of a chain that have a set in chunks, and none yet.
    private static func giveUids(_ head: Record, _ lookup: RecordLookup, _ layout: AggregateLayout, _ nextUid: inout UInt64) {
        var record = head
        while true {
            if layout.uid(record) == 0, layout.distincts.contains(where: { ChainWriter.isInChunks(layout.distinct(record, $0)) }) {
                layout.setUid(record, nextUid)
                nextUid += 1
            }
            guard record.pointee.next != RecordHeader.none else { return }
            record = lookup.record(record.pointee.next)
        }
    }

    /// The chunks of a chain's sets that have something new.
    private static func putSets(
        _ head: Record, _ lookup: RecordLookup, _ layout: AggregateLayout, _ sets: UInt16, into changes: inout ChangeSet
    ) {
        var record = head
        while true {
            for index in layout.distincts {
                let set = layout.distinct(record, index)
                guard ChainWriter.isInChunks(set), set.count > set.persisted else { continue }
                let elements = UnsafeRawBufferPointer(set.elements)
                for chunk in set.persisted / DistinctSet.chunkElements...(set.count - 1) / DistinctSet.chunkElements {
                    let first = chunk * DistinctSet.chunkElements
                    let end = min(first + DistinctSet.chunkElements, set.count)
                    let bytes = UnsafeRawBufferPointer(rebasing: elements[first * 16..<end * 16])
                    changes.put(sets, keyCount: WindowCodec.setKeyBytes, valueCount: bytes.count) { key, value in
                        if let base = key.baseAddress { WindowCodec.writeSetKey(layout.uid(record), index, chunk, to: base) }
                        value.copyMemory(from: bytes)
                    }
                }
                set.persisted = set.count
            }
            guard record.pointee.next != RecordHeader.none else { return }
            record = lookup.record(record.pointee.next)
        }
    }
}
