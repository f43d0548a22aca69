import Batch

/// The ids that a task remembers for a time of event time.
package final class DedupeSet {
    package init(within: Int64, namespace: UInt16, memoryBudget: Int, spillDirectory: String) {}

    /// Flags rows whose id is remembered and remembers the others. `hashes`, `eventTimes`, `watermarks` are by row;
    /// `selection` gives the rows to look at, ascending; `isDuplicate[row]` is set to 1 or 0 for those.
    package func insert(
        hashes: UnsafeBufferPointer<Hash128>, eventTimes: UnsafeBufferPointer<Int64>, watermarks: UnsafeBufferPointer<Int64>,
        selection: UnsafeBufferPointer<Int32>, isDuplicate: UnsafeMutableBufferPointer<UInt8>
    ) throws(StateError) { preconditionFailure("skeleton") }

    package func freeze(epoch: Int, watermark: Int64, into changes: inout ChangeSet) { preconditionFailure("skeleton") }

    /// For recovery: an entry of a delta.
    package func load(_ change: Change) throws(StateError) { preconditionFailure("skeleton") }

    /// For recovery, before the deltas.
    package func load(from home: Home) throws(StateError) { preconditionFailure("skeleton") }

    package var count: Int { preconditionFailure("skeleton") }
    package var memory: Int { preconditionFailure("skeleton") }
}
