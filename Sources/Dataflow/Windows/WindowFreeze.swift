import State

/// An epoch of a window transform on its way to the delta.
///
/// The windows stay where they are: a key is taken out when its turn comes, or before it changes, so that what is taken out is what the
/// epoch ended with.
final class WindowFreeze {
    private let epoch: EpochChanges
    private let lookup: RecordLookup
    private let layout: AggregateLayout
    private let namespaces: WindowOperator.Namespaces
    /// Windows that are gone and whose sets the persisted state has.
    private var deletedSets = RawList<UInt64>()
    private var deletedSetsDone = 0
    /// Keys that are gone are still being written. One of them may have come back: what it has now has to stand behind that.
    private var isDeleting: Bool
    private var behindDeletions = ChangeSet()
    private var chains = ChainWriter()
    /// The uid of the next window whose sets go into chunks.
    private(set) var nextUid: UInt64
    private let firstUid: UInt64
    /// Of what has been appended.
    private(set) var bytes = 0

    /// - Parameter deletedSets: is empty afterwards.
    init(
        into epoch: EpochChanges, _ lookup: RecordLookup, _ layout: AggregateLayout, _ namespaces: WindowOperator.Namespaces,
        _ deletedSets: inout RawList<UInt64>, nextUid: UInt64, hasDeletions: Bool
    ) {
        self.nextUid = nextUid
        firstUid = nextUid
        self.epoch = epoch
        self.lookup = lookup
        self.layout = layout
        self.namespaces = namespaces
        isDeleting = hasDeletions
        swap(&self.deletedSets, &deletedSets)
    }

    /// A key is about to change before its turn.
    func takeOutEarly(_ head: Record) {
        if isDeleting {
            Self.put(head, lookup, layout, namespaces, &chains, &nextUid, into: &behindDeletions)
        } else {
            let before = epoch.changes.byteCount
            Self.put(head, lookup, layout, namespaces, &chains, &nextUid, into: &epoch.changes)
            bytes += epoch.changes.byteCount - before
        }
    }

    /// - Returns: false when something is left.
    func `continue`(_ table: inout RecordTable, budget: inout Int) -> Bool {
        // Taken out of the object: in the loop over entries they are plain variables. Nothing is taken out early meanwhile.
        let (lookup, layout, namespaces) = (lookup, layout, namespaces)
        let isKeyedByStart = lookup.isKeyedByStart
        var changes = epoch.changes
        epoch.changes = ChangeSet()
        var isDeleting = isDeleting
        var chains = ChainWriter()
        var nextUid = nextUid
        let before = changes.byteCount
        defer {
            bytes += changes.byteCount - before
            epoch.changes = changes
            self.isDeleting = isDeleting
            self.nextUid = nextUid
        }
        while deletedSetsDone < deletedSets.count {
            guard budget > 0 else { return false }
            WindowCodec.withSetPrefix(deletedSets[deletedSetsDone]) { changes.deletePrefix(namespaces.sets, prefix: $0) }
            deletedSetsDone += 1
            budget -= 1
        }
        table.continueFreeze(
            budget: &budget,
            prefetch: { record in
                for index in layout.distincts { layout.distinct(record, index).prefetchUnpersisted() }
                for index in layout.strings { layout.string(record, index).prefetch() }
            },
            put: { head in
                if isDeleting {
                    isDeleting = false
                    appendWhatCameBack(to: &changes)
                }
                let before = changes.byteCount
                Self.put(head, lookup, layout, namespaces, &chains, &nextUid, into: &changes)
                return (changes.byteCount - before) / Self.bytesPerUnit
            },
            delete: { key, start in
                changes.delete(namespaces.windows, keyCount: key.count + (isKeyedByStart ? WindowCodec.startBytes : 0)) {
                    Self.write(key, start, isKeyedByStart, to: $0)
                }
            })
        if isDeleting, !table.isFreezingDeletions {
            isDeleting = false
            appendWhatCameBack(to: &changes)
        }
        guard !table.isFreezing else { return false }
        if nextUid != firstUid {
            WindowCodec.withSetPrefix(0) { key in
                withUnsafeBytes(of: nextUid) { changes.put(namespaces.sets, key: key, value: $0) }
            }
        }
        return true
    }

    /// So many bytes count as much as an entry.
    private static let bytesPerUnit = 256

    private func appendWhatCameBack(to changes: inout ChangeSet) {
        changes.append(behindDeletions)
        behindDeletions = ChangeSet()
    }

    @inline(__always)
    private static func write(_ key: UnsafeRawBufferPointer, _ start: Int64, _ isKeyedByStart: Bool, to place: UnsafeMutableRawBufferPointer) {
        place.copyMemory(from: key)
        if isKeyedByStart, let base = place.baseAddress { WindowCodec.writeStart(start, to: base + key.count) }
    }

    @inline(__always)
    private static func put(
        _ head: Record, _ lookup: RecordLookup, _ layout: AggregateLayout, _ namespaces: WindowOperator.Namespaces,
        _ chains: inout ChainWriter, _ nextUid: inout UInt64, into changes: inout ChangeSet
    ) {
        if !layout.distincts.isEmpty { giveUids(head, lookup, layout, &nextUid) }
        let chain = chains.encode(head, lookup, layout, .persisted)
        let isKeyedByStart = lookup.isKeyedByStart
        let suffix = isKeyedByStart ? WindowCodec.startBytes : 0
        changes.put(namespaces.windows, keyCount: Int(head.pointee.keyLength) + suffix, valueCount: chain.count) { key, value in
            write(head.key, head.pointee.start, isKeyedByStart, to: key)
            value.copyMemory(from: chain)
        }
        if !layout.distincts.isEmpty { putSets(head, lookup, layout, namespaces.sets, into: &changes) }
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
