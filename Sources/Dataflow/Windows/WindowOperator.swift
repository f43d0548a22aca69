import Batch
import State

/// A session or tumbling window of one task. Not thread-safe: its task's worker owns it.
///
/// A batch goes through `process`, then `advance` closes what its watermark has reached. Windows come out sorted by
/// (end, key bytes); over the batches of a run that is one order, which does not depend on where batches begin and end.
/// An output row's event time and watermark are `window_end` - 1 us, so that a window further down sees an ordered stream.
package final class WindowOperator {
    package let definition: WindowDefinition
    /// Of the output batches.
    package let output: Schema
    package var fingerprint: String { definition.fingerprint }

    let codec: KeyCodec
    let namespaces: Namespaces
    let home: (any ColdState)?
    private var keys = KeyColumn()
    private var late = RawList<LateFinding>()
    private var loadedSets: LoadedSets = [:]
    var core: WindowCore
    /// Rows that went into a window since the partial windows were taken.
    var foldedRows = 0
    /// What says of partial windows that they are of this definition.
    let definitionHash: UInt64

    /// The numbers of the operator's tables in its task's state.
    package struct Namespaces: Hashable, Sendable {
        /// Open windows: a timed namespace of the home.
        package var windows: UInt16
        /// Distinct values.
        package var sets: UInt16

        package init(windows: UInt16, sets: UInt16) {
            self.windows = windows
            self.sets = sets
        }
    }

    /// - Parameters:
    ///   - home: what was persisted before, and is read key by key.
    ///   - spillDirectory: of scratch files, for what is evicted from memory; without it nothing is.
    /// - Returns: nil when an aggregate does not take its argument's type (`WindowDefinition.output` is nil).
    package init?(_ definition: WindowDefinition, _ namespaces: Namespaces, home: (any ColdState)? = nil, spillDirectory: String? = nil) {
        guard let output = definition.output else { return nil }
        self.definition = definition
        self.output = output
        self.namespaces = namespaces
        self.home = home
        codec = KeyCodec(schema: definition.input, positions: definition.groupBy)
        core = WindowCore(definition, spillDirectory: spillDirectory)
        definitionHash = PartialCodec.hash(definition)
    }

    /// Keys with open windows (for tumbling windows: open windows), but for those that only the home has.
    package var keyCount: Int { core.table.keyCount + core.spilled.count }
    /// Those of them that have been evicted from memory.
    package var spilledKeyCount: Int { core.spilled.count }
    /// Bytes of state in memory.
    package var memory: Int { hotMemory + core.timers.bytes + core.spilled.bytes }
    /// Those of windows that are in use.
    package var hotMemory: Int { core.table.bytes }
    /// Bytes that it has from the system: what windows leave is used again, but not given back.
    package var allocatedMemory: Int { core.table.allocatedBytes + core.timers.bytes + core.spilled.bytes }
    /// What the next freeze takes out, bytes, about.
    private var changeBytes: Int { core.table.changedCount * changeBytesEach }
    private var changeBytesEach = 128
    private var changedAtFreeze = 0
    /// Sums and averages so far that did not fit their type and came out as null.
    package var overflows: Int { core.overflows }
    /// After `advance(to: w)`: everything that is still to come out ends after this. What operators that take the
    /// output have to be advanced to.
    package var outputWatermark: Int64 { core.watermark }

    /// Folds the selected rows of `batch` into their windows. `fates` gets aggregated or late for each of them.
    package func process(_ batch: Batch, fates: inout RowFates) throws(StateError) {
        guard !batch.selection.isEmpty else { return }
        codec.encode(batch, into: &keys)
        late.removeAll()
        var failure: StateError?
        batch.selection.withUnsafeBufferPointer { selection in
            batch.eventTimes.withUnsafeBufferPointer { times in
                batch.watermarks.withUnsafeBufferPointer { watermarks in
                    keys.views.withUnsafeBufferPointer { views in
                        keys.bytes.withUnsafeBytes { bytes in
                            keys.hashes.withUnsafeBufferPointer { hashes in
                                fates.fates.withUnsafeMutableBufferPointer { fates in
                                    let input = RowInput(
                                        selection: selection, eventTimes: times.baseAddress!,
                                        watermarks: watermarks.baseAddress!, keyViews: views.baseAddress!,
                                        keyBytes: bytes.baseAddress ?? UnsafeRawPointer(views.baseAddress!),
                                        keyHashes: hashes.baseAddress!, fates: fates.baseAddress!)
                                    do throws(StateError) { try process(batch, input) } catch { failure = error }
                                }
                            }
                        }
                    }
                }
            }
        }
        if let failure { throw failure }
        foldedRows += batch.selection.count - late.count
        for position in 0..<late.count {
            let found = late[position]
            fates.late.append(
                LateRow(row: found.row, transform: definition.name, windowEnd: found.windowEnd, watermark: found.watermark))
        }
    }

    private func process(_ batch: Batch, _ input: RowInput) throws(StateError) {
        if core.hasColdKeys { try core.fetchMissing(input, namespaces.windows, namespaces.sets, home) }
        switch definition.kind {
        case .session(let gap, let max): core.processSessions(batch, input, gap: gap, max: max, late: &late)
        case .tumbling(let size): core.processTumbling(batch, input, size: size, late: &late)
        }
    }

    /// Appends to `output` (of the schema `output`) every window that has ended by `watermark`, a task's watermark: the
    /// last of the batch just processed, or a later one. It never falls.
    package func advance(to watermark: Int64, into output: inout Batch) throws(StateError) {
        core.watermark = max(core.watermark, core.effective(watermark))
        core.closeDue(core.watermark)
        try closeCold(upTo: core.watermark)
        try putOut(max: .max, into: &output)
    }

    /// Appends open windows to `output`: the input has ended, and so has time. Partial windows are taken instead.
    /// - Parameter max: of them, in one call.
    /// - Returns: whether there are more. Nothing else is to be done with the operator before all are out.
    @discardableResult
    package func flush(into output: inout Batch, max: Int = .max) throws(StateError) -> Bool {
        guard !definition.isPartial else { return false }
        if core.closed.count == 0 {
            core.closeAll()
            try closeCold(upTo: .max)
            core.watermark = .max
        }
        try putOut(max: max, into: &output)
        return core.closed.count > 0
    }

    /// Closes what is not in memory, and sorts what is closed.
    private func closeCold(upTo watermark: Int64) throws(StateError) {
        try core.closeSpilled(watermark)
        if core.table.asksHome, let home { try core.closeCold(watermark, namespaces.windows, namespaces.sets, home) }
        core.sortClosed()
    }

    private func putOut(max: Int, into output: inout Batch) throws(StateError) {
        guard core.putOut(codec, max: max, into: &output) else { throw WindowCore.damaged("a key is none of \(definition.name)'s") }
    }

    // MARK: Epochs

    /// Ends the open epoch: what changed since the last belongs to `epoch`, which is larger, and `continueFreeze` appends it to `changes`.
    /// Costs the same whatever changed. Partial windows are no state: they have been taken.
    package func beginFreeze(epoch: Int, into changes: EpochChanges) {
        guard !definition.isPartial else {
            precondition(keyCount == 0, "partial windows are taken before the epoch ends")
            return
        }
        changedAtFreeze = core.table.changedCount
        core.beginFreeze(epoch: epoch, namespaces, into: changes)
    }

    /// Appends some of what belongs to the epoch that has ended, as it was then, whatever has been processed since.
    /// - Parameter budget: how much: an entry costs 1, and 1 for every 256 bytes of it. What that takes is taken off.
    /// - Returns: false when something is left for the next call, between two other batches.
    package func continueFreeze(budget: inout Int) -> Bool {
        guard let freeze = core.freeze else { return true }
        guard core.continueFreeze(budget: &budget) else { return false }
        if changedAtFreeze > 1_000 { changeBytesEach = max(16, freeze.bytes / changedAtFreeze) }
        return true
    }

    /// The home is complete to `epoch`.
    package func flushed(upTo epoch: Int) {
        core.table.flushed(upTo: epoch)
        core.coldNext = nil
    }

    /// Keeps what is in use at about `hotMax` bytes by moving windows to the disk that the last freeze took; between batches only. Finding them there needs
    /// some memory besides. Looks at a bounded number of windows a call: call again after the next batch.
    /// - Returns: whether there is more in memory, and nothing more can be freed before the next freeze.
    package func evict(hotMax: Int) throws(StateError) -> Bool {
        let bytes = core.table.bytes
        guard bytes > hotMax else { return false }
        return try core.evict(atLeast: bytes - hotMax)
    }

    /// Of what may be in use, what an epoch may change once windows are moved out.
    private static let changedMax = 0.375

    /// How much the open epoch has changed, where 1 is all that it may: the next freeze's bytes, and what cannot be moved out before it, of which
    /// there should be other things in memory.
    /// - Parameter changesMax: bytes.
    package func changeShare(hotMax: Int, changesMax: Int) -> Double {
        let share = Double(changeBytes) / Double(max(changesMax, 1))
        // While nothing had to be moved out, nothing is short of memory.
        guard core.spilled.count > 0 || core.canSpill && core.table.bytes > hotMax else { return share }
        let records = Double(core.table.changedCount) / Double(max(core.table.recordCount, 1))
        return max(share, records * Double(core.table.bytes) / Double(max(hotMax, 1)) / Self.changedMax)
    }

    // MARK: Recovery

    /// To be called first when the home holds something.
    package func noteHomeIsNotEmpty() throws(StateError) {
        core.table.noteHomeHoldsKeys()
        guard let home else { return }
        var uid: UInt64 = 0
        try WindowCodec.withSetPrefix(0) { key throws(StateError) in
            try home.multiGet(namespaces.sets, [key], areSorted: true) { _, value in
                if let value, value.count == 8 { uid = value.loadUnaligned(as: UInt64.self) }
            }
        }
        core.nextUid = max(core.nextUid, uid)
    }

    /// Takes an entry of `epoch`'s delta; deltas oldest first. Entries of other namespaces are left alone.
    /// - Returns: whether the entry was this operator's.
    @discardableResult
    package func load(_ change: Change, epoch: Int) throws(StateError) -> Bool {
        if change.namespace == namespaces.sets {
            loadSet(change)
            return true
        }
        guard change.namespace == namespaces.windows else { return false }
        guard change.kind != .deletePrefix,
            let (key, start) = WindowCodec.split(change.key, isKeyedByStart: core.isKeyedByStart)
        else { throw WindowCore.damaged("an entry that no window transform writes") }
        let hash = core.table.lookup.hash(hash64(key), start: start)
        if change.kind == .put {
            try core.loadPut(hash, key, start: start, change.value)
        } else {
            try core.loadDelete(hash, key, start: start, epoch: epoch)
        }
        return true
    }

    private func loadSet(_ change: Change) {
        guard change.key.count >= 8 else { return }
        let uid = UInt64(bigEndian: change.key.loadUnaligned(as: UInt64.self))
        if change.kind == .deletePrefix {
            loadedSets[uid] = nil
        } else if uid == 0 {
            if change.value.count == 8 { core.nextUid = max(core.nextUid, change.value.loadUnaligned(as: UInt64.self)) }
        } else if let (uid, aggregate, chunk) = WindowCodec.readSetKey(change.key) {
            loadedSets[uid, default: [:]][aggregate, default: [:]][chunk] = [UInt8](change.value)
        }
    }

    /// To be called after the last delta, before the first batch.
    package func finishLoading() throws(StateError) {
        defer { loadedSets = [:] }
        try core.attachSets(loadedSets, namespaces.sets, core.table.asksHome ? home : nil)
    }
}
