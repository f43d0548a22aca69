import Batch

/// Where the rows of a stage go.
package struct SinkPlan: Sendable {
    package var name: String
    package var from: StagePlan
    package var input: Schema
    /// Positions in the input of the columns that are written, in order; at least one.
    package var columns: [Int]
    package var target: SinkTarget
}

package enum SinkTarget: Hashable, Sendable {
    case kafka(KafkaSinkPlan)
    case parquet(ParquetSinkPlan)
}

package struct KafkaSinkPlan: Hashable, Sendable {
    package var topic: String
    /// Position in the input of the column whose text is the message's key; nil: no key.
    package var key: Int?
    package var format: RecordFormat
}

package struct ParquetSinkPlan: Hashable, Sendable {
    /// A directory of its own: no other sink writes there, or above or below it. As written, without a `/` at the end.
    package var path: String
    /// The levels of directories, outermost first.
    package var partitionBy: [ParquetPartition]
    /// Microseconds; a file is closed when its first row is this old or it has `rollSize` bytes.
    package var rollEvery: Int64
    /// Bytes.
    package var rollSize: Int
    package var compression: ParquetCompression
}

/// One level of directories, `<name>=<value>`.
package struct ParquetPartition: Hashable, Sendable {
    package enum Transform: String, Hashable, Sendable, CaseIterable {
        /// The value as text: bool, int64 or string.
        case identity
        /// The day of a timestamp in UTC, `2026-01-31`.
        case date
        /// The hour of a timestamp in UTC, `2026-01-31-23`.
        case hour
    }

    /// The column's name for `identity`, else `<column>_date` or `<column>_hour`. Not the name of another column.
    package var name: String
    /// Position in the input.
    package var column: Int
    package var transform: Transform
}

package enum ParquetCompression: String, Hashable, Sendable, CaseIterable {
    case zstd, snappy, none
}
