import Batch
import State

/// Keeps the first of the rows that agree in some columns, for a time of event time. Not thread-safe: its task's worker owns it.
package final class DedupeOperator {
    package let name: String
    /// What stored state has to agree with.
    package let fingerprint: String

    private let namespace: UInt16
    private let codec: KeyCodec
    private let ids: DedupeSet
    private var keys = KeyColumn()
    private var hashes: [Hash128] = []
    private var isDuplicate: [UInt8] = []

    /// - Parameters:
    ///   - columns: positions in `input`.
    ///   - within: microseconds: a row is remembered at least that long after its event time.
    package init(name: String, input: Schema, columns: [Int], within: Int64, namespace: UInt16, set: DedupeSet) {
        self.name = name
        self.namespace = namespace
        codec = KeyCodec(schema: input, positions: columns)
        let types = columns.map { "\(input.fields[$0])" }.joined(separator: ", ")
        fingerprint = "dedupe/1 by \(types) within \(within)us"
        ids = set
    }

    /// Takes out of the selection what has been seen before, and says so in `fates`; remembers the rest.
    package func process(_ batch: inout Batch, fates: inout RowFates) throws(StateError) {
        guard !batch.selection.isEmpty else { return }
        codec.encode(batch, into: &keys)
        if hashes.count < batch.rowCount {
            hashes = [Hash128](repeating: Hash128(low: 0, high: 0), count: batch.rowCount)
            isDuplicate = [UInt8](repeating: 0, count: batch.rowCount)
        }
        Self.hash(batch.selection, keys.views, keys.bytes, into: &hashes)
        try insert(batch)
        var kept = 0
        for position in batch.selection.indices {
            let row = batch.selection[position]
            if isDuplicate[Int(row)] == 0 {
                batch.selection[kept] = row
                kept += 1
            } else {
                fates.raise(Int(row), to: .duplicate)
            }
        }
        batch.selection.removeLast(batch.selection.count - kept)
    }

    private func insert(_ batch: Batch) throws(StateError) {
        let ids = ids
        let result = hashes.withUnsafeBufferPointer { hashes in
            batch.eventTimes.withUnsafeBufferPointer { eventTimes in
                batch.watermarks.withUnsafeBufferPointer { watermarks in
                    batch.selection.withUnsafeBufferPointer { selection in
                        isDuplicate.withUnsafeMutableBufferPointer { isDuplicate in
                            Result { () throws(StateError) in
                                try ids.insert(
                                    hashes: hashes, eventTimes: eventTimes, watermarks: watermarks, selection: selection,
                                    isDuplicate: isDuplicate)
                            }
                        }
                    }
                }
            }
        }
        try result.get()
    }

    private static func hash(_ selection: [Int32], _ views: [StringView], _ bytes: [UInt8], into hashes: inout [Hash128]) {
        let views = views.span
        var hashes = hashes.mutableSpan
        bytes.withUnsafeBytes { bytes in
            for row in selection {
                let view = views[Int(row)]
                hashes[Int(row)] = hash128(
                    UnsafeRawBufferPointer(rebasing: bytes[Int(view.start)..<Int(view.start) + Int(view.length)]))
            }
        }
    }

    /// Rows remembered.
    package var keyCount: Int { ids.count }
    /// Bytes in memory.
    package var memory: Int { ids.memory }

    package func freeze(epoch: Int, watermark: Int64, into changes: inout ChangeSet) {
        ids.freeze(epoch: epoch, watermark: watermark, into: &changes)
    }

    /// Takes up what the home has; before any delta.
    package func load(from home: Home) throws(StateError) {
        try ids.load(from: home)
    }

    /// Takes an entry of a delta; deltas oldest first.
    /// - Returns: whether the entry was this operator's.
    package func load(_ change: Change) throws(StateError) -> Bool {
        guard change.namespace == namespace else { return false }
        try ids.load(change)
        return true
    }
}
