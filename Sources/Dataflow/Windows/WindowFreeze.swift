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

    /// - Parameter deletedSets: is empty afterwards.
    init(
        into epoch: EpochChanges, _ lookup: RecordLookup, _ layout: AggregateLayout, _ namespaces: WindowOperator.Namespaces,
        _ deletedSets: inout RawList<UInt64>, hasDeletions: Bool
    ) {
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
            Self.put(head, lookup, layout, namespaces, into: &behindDeletions)
        } else {
            Self.put(head, lookup, layout, namespaces, into: &epoch.changes)
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
        defer {
            epoch.changes = changes
            self.isDeleting = isDeleting
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
                Self.put(head, lookup, layout, namespaces, into: &changes)
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
        return !table.isFreezing
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
        into changes: inout ChangeSet
    ) {
        let bytes = WindowCodec.valueBytes(head, lookup, layout)
        let isKeyedByStart = lookup.isKeyedByStart
        let suffix = isKeyedByStart ? WindowCodec.startBytes : 0
        changes.put(namespaces.windows, keyCount: Int(head.pointee.keyLength) + suffix, valueCount: bytes) { key, value in
            write(head.key, head.pointee.start, isKeyedByStart, to: key)
            WindowCodec.write(head, lookup, layout, to: value)
        }
        if !layout.distincts.isEmpty { putSets(head, lookup, layout, namespaces.sets, into: &changes) }
    }

    /// The chunks of a chain's sets that have something new.
    private static func putSets(
        _ head: Record, _ lookup: RecordLookup, _ layout: AggregateLayout, _ sets: UInt16, into changes: inout ChangeSet
    ) {
        var record = head
        while true {
            for index in layout.distincts {
                let set = layout.distinct(record, index)
                guard set.count > set.persisted else { continue }
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
