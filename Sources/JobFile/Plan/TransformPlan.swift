import Batch
import Expression

/// One step from batches to batches. A window that reads the internal source of a shuffle with partial windows is folded above
/// the shuffle and combined below it.
package struct TransformPlan: Sendable {
    package var name: String
    package var from: StagePlan
    package var input: Schema
    package var output: Schema
    package var operation: TransformOperation

    package init(name: String, from: StagePlan, input: Schema, output: Schema, operation: TransformOperation) {
        self.name = name
        self.from = from
        self.input = input
        self.output = output
        self.operation = operation
    }
}

package enum TransformOperation: Sendable {
    /// Keeps the rows for which the expression is true.
    case filter(TypedExpression)
    /// The output's columns, in order. Rows and their times stay.
    case select([(name: String, expression: TypedExpression)])
    case dedupe(DedupePlan)
    case window(WindowPlan)
}

/// Keeps the first of the rows that agree in some columns.
package struct DedupePlan: Hashable, Sendable {
    /// Positions in the input; at least one, none nullable.
    package var columns: [Int]
    /// How long a row is remembered: microseconds of event time, above 0.
    package var within: Int64

    package init(columns: [Int], within: Int64) {
        self.columns = columns
        self.within = within
    }
}

/// Folds the rows of a key into windows. Output: the group-by columns, `window_start`, `window_end`, the aggregates.
package struct WindowPlan: Sendable {
    /// Positions in the input, in the order of the file; at least one. The rows of a group are in one partition: where those of
    /// the file's input are not, there is a shuffle.
    package var groupBy: [Int]
    package var kind: WindowKind
    /// Microseconds, 0 or more.
    package var allowedLateness: Int64
    /// At least one.
    package var aggregates: [(name: String, call: AggregateCall)]

    package init(
        groupBy: [Int], kind: WindowKind, allowedLateness: Int64, aggregates: [(name: String, call: AggregateCall)]
    ) {
        self.groupBy = groupBy
        self.kind = kind
        self.allowedLateness = allowedLateness
        self.aggregates = aggregates
    }
}

/// All in microseconds, above 0.
package enum WindowKind: Hashable, Sendable {
    /// `max`, where there is one, is not below `gap`.
    case session(gap: Int64, max: Int64?)
    case tumbling(size: Int64)
}
