import Batch
import State

/// Drops rows whose id was there before, in a row that was itself no duplicate.
///
/// An id is the value of the `by` columns; a row in which all of them are null has none and always passes. What an id is
/// remembered as is the 128-bit hash of its bytes: the UTF-8 of one string column that cannot be null, else the key
/// encoding (`KeyCodec`). Not thread-safe: its task's worker owns it.
package final class Dedupe {
    /// The ids; the runtime takes its state out and brings it back.
    package let remembered: DedupeSet
    /// What stored state has to agree with.
    package let fingerprint: String

    private let codec: KeyCodec
    private let canBeNull: Bool
    private var keys = KeyColumn()
    private var hashes: [Hash128] = []
    private var flags: [UInt8] = []
    private var asked: [Int32] = []
    private var before: [Int32] = []

    /// - Parameters:
    ///   - by: positions in `input`, at least one.
    ///   - within: microseconds of event time for which an id is remembered; for the fingerprint.
    package init(input: Schema, by: [Int], within: Int64, remembered: DedupeSet) {
        precondition(!by.isEmpty, "a dedupe goes by at least one column")
        self.remembered = remembered
        codec = KeyCodec(schema: input, positions: by)
        canBeNull = codec.fields.allSatisfy(\.isNullable)
        let columns = codec.fields.map { "\($0.name):\($0.type)\($0.isNullable ? "?" : "")" }
        fingerprint = "dedupe/1 by \(columns.joined(separator: ",")) within=\(within)us"
    }

    /// Narrows the selection; the rows that go are duplicates.
    package func process(_ batch: inout Batch, fates: inout RowFates) throws(StateError) {
        guard !batch.selection.isEmpty else { return }
        hashIds(batch)
        if flags.count < batch.rowCount { flags += repeatElement(0, count: batch.rowCount - flags.count) }
        before.removeAll(keepingCapacity: true)
        before.append(contentsOf: batch.selection)
        try insert(batch)
        let kept = Self.narrow(&batch.selection, flags)
        batch.selection.removeLast(batch.selection.count - kept)
        raiseDropped(before, kept: batch.selection, to: .duplicate, in: &fates)
    }

    private func hashIds(_ batch: Batch) {
        if hashes.count < batch.rowCount {
            hashes += repeatElement(Hash128(low: 0, high: 0), count: batch.rowCount - hashes.count)
        }
        if codec.isPlainString {
            let column = batch.columns[codec.positions[0]]
            Self.hash(batch.selection, column.views, column.bytes, into: &hashes)
        } else {
            codec.encode(batch, into: &keys)
            Self.hash(batch.selection, keys.views, keys.bytes, into: &hashes)
        }
    }

    private static func hash(_ selection: [Int32], _ views: [StringView], _ bytes: [UInt8], into hashes: inout [Hash128]) {
        let views = views.span
        var hashes = hashes.mutableSpan
        bytes.withUnsafeBytes { bytes in
            for row in selection {
                let view = views[Int(row)]
                let id = UnsafeRawBufferPointer(rebasing: bytes[Int(view.start)..<Int(view.start) + Int(view.length)])
                hashes[Int(row)] = hash128(id)
            }
        }
    }

    private func insert(_ batch: Batch) throws(StateError) {
        asked.removeAll(keepingCapacity: true)
        if canBeNull {
            for row in batch.selection {
                flags[Int(row)] = 0
                if !codec.positions.allSatisfy({ batch.columns[$0].isNull(Int(row)) }) { asked.append(row) }
            }
        }
        var failure: StateError?
        let rows = canBeNull ? asked : batch.selection
        // The scratch arrays keep the size of the largest batch so far.
        let count = batch.rowCount
        rows.withUnsafeBufferPointer { rows in
            hashes.withUnsafeBufferPointer { hashes in
                batch.eventTimes.withUnsafeBufferPointer { times in
                    batch.watermarks.withUnsafeBufferPointer { watermarks in
                        flags.withUnsafeMutableBufferPointer { flags in
                            do throws(StateError) {
                                try remembered.insert(
                                    hashes: UnsafeBufferPointer(rebasing: hashes[..<count]), eventTimes: times, watermarks: watermarks,
                                    selection: rows, isDuplicate: UnsafeMutableBufferPointer(rebasing: flags[..<count]))
                            } catch {
                                failure = error
                            }
                        }
                    }
                }
            }
        }
        if let failure { throw failure }
    }

    /// Moves the rows that are no duplicates to the front, in order, and counts them.
    private static func narrow(_ selection: inout [Int32], _ flags: [UInt8]) -> Int {
        let flags = flags.span
        var rows = selection.mutableSpan
        var kept = 0
        for index in rows.indices {
            let row = rows[index]
            rows[kept] = row
            kept += flags[Int(row)] == 0 ? 1 : 0
        }
        return kept
    }
}
