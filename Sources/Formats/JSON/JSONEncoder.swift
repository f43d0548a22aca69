import Batch

package struct JSONEncoder: Sendable {
    /// - Parameter columns: positions in `schema` of the columns to write, in this order; all when nil.
    package init(schema: Schema, columns: [Int]? = nil) {}

    /// Appends the rows of `batch` that `rows` names (its selection, as a rule), in that order.
    package func encode(_ batch: Batch, rows: [Int32], into encoded: inout EncodedRows) {}

    /// Appends the value of `column` at `row` as UTF-8 text, for the key of a Kafka message.
    /// - Returns: false for null, which is a message without a key; nothing is appended then.
    package static func encodeKey(_ column: Column, row: Int, into bytes: inout [UInt8]) -> Bool { false }
}
