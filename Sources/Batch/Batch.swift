/// Columns decoded from a run of records of one partition, or made by an operator: what operators take and give.
///
/// A batch is columnar and positional: row `i` of every column belongs together, and in a source's batch row `i` is
/// record `i` of the run, also when it did not decode (then it is not selected). Operators that drop rows narrow the
/// selection and leave the columns alone.
package struct Batch: Sendable {
    package var schema: Schema
    /// One a field, all of `rowCount` rows.
    package var columns: [Column]
    package var rowCount: Int
    /// The rows that are alive, ascending.
    package var selection: [Int32]
    /// Event time of every row, microseconds since 1970 UTC.
    package var eventTimes: [Int64]
    /// The watermark at every row, that row included: what decides whether it is late. Never falls from row to row.
    package var watermarks: [Int64]

    package init(schema: Schema) {
        self.schema = schema
        self.columns = schema.fields.map { Column($0.type) }
        self.rowCount = 0
        self.selection = []
        self.eventTimes = []
        self.watermarks = []
    }

    /// Selects every row.
    package mutating func selectAll() {
        selection.removeAll(keepingCapacity: true)
        selection.append(contentsOf: 0..<Int32(rowCount))
    }

    /// Keeps the capacity, forgets the rows.
    package mutating func removeAll() {
        for index in columns.indices { columns[index].removeAll() }
        rowCount = 0
        selection.removeAll(keepingCapacity: true)
        eventTimes.removeAll(keepingCapacity: true)
        watermarks.removeAll(keepingCapacity: true)
    }
}
