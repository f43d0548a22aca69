import Batch

/// Rows of one schema on their way to other tasks, by target partition.
package struct RowBlocks: Sendable {
    package init(schema: Schema, by: [Int], salt: Int, partitions: Int) {}

    /// Takes the selected rows with their event times.
    package mutating func append(_ batch: Batch) {}

    /// Bytes that wait.
    package var size: Int { 0 }

    /// What waits for `partition`, in order.
    package mutating func take(partition: Int) -> [(rows: Int, bytes: [UInt8])] { [] }

    /// Appends a block's rows to `batch`.
    package static func decode(_ block: UnsafeRawBufferPointer, schema: Schema, watermark: Int64, into batch: inout Batch) -> Bool {
        false
    }
}
