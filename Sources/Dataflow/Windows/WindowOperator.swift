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

    private let codec: KeyCodec
    private var keys = KeyColumn()
    private var late = RawList<LateFinding>()
    private var core: WindowCore

    /// - Returns: nil when an aggregate does not take its argument's type (`WindowDefinition.output` is nil).
    package init?(_ definition: WindowDefinition) {
        guard let output = definition.output else { return nil }
        self.definition = definition
        self.output = output
        codec = KeyCodec(schema: definition.input, positions: definition.groupBy)
        core = WindowCore(definition)
    }

    /// Keys with open windows in memory (for tumbling windows: open windows).
    package var keyCount: Int { core.table.keyCount }
    /// Bytes of state in memory.
    package var memory: Int { core.table.bytes + core.timers.bytes }
    /// Sums and averages so far that did not fit their type and came out as null.
    package var overflows: Int { core.overflows }
    /// After `advance(to: w)`: everything that is still to come out ends after this. What operators that take the
    /// output have to be advanced to.
    package var outputWatermark: Int64 { core.watermark }

    /// Folds the selected rows of `batch` into their windows. `fates` gets aggregated or late for each of them.
    package func process(_ batch: Batch, fates: inout RowFates) {
        guard !batch.selection.isEmpty else { return }
        codec.encode(batch, into: &keys)
        late.removeAll()
        let kind = definition.kind
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
                                    switch kind {
                                    case .session(let gap, let max):
                                        core.processSessions(batch, input, gap: gap, max: max, late: &late)
                                    case .tumbling(let size):
                                        core.processTumbling(batch, input, size: size, late: &late)
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        for position in 0..<late.count {
            let found = late[position]
            fates.late.append(
                LateRow(row: found.row, transform: definition.name, windowEnd: found.windowEnd, watermark: found.watermark))
        }
    }

    /// Appends to `output` (of the schema `output`) every window that has ended by `watermark`, a task's watermark: the
    /// last of the batch just processed, or a later one. It never falls.
    package func advance(to watermark: Int64, into output: inout Batch) {
        core.watermark = max(core.watermark, core.effective(watermark))
        core.closeDue(core.watermark)
        precondition(core.putOut(codec, into: &output), "keys decode as they were encoded")
    }

    /// Appends every open window to `output`: the input has ended, and so has time.
    package func flush(into output: inout Batch) {
        core.closeAll()
        precondition(core.putOut(codec, into: &output), "keys decode as they were encoded")
        core.watermark = .max
    }
}
