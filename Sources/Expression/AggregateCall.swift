import Batch

/// What a window folds its rows into.
package enum AggregateFunction: String, Hashable, Sendable, CaseIterable {
    case count
    case sum
    case min
    case max
    case avg
    /// The value of the row with the smallest event time, the earliest offset among equals.
    case first
    /// The value of the row with the largest event time, the latest offset among equals.
    case last
    case countDistinct = "count_distinct"
}

/// One checked aggregate of a window: `sum(amount where amount > 0)`.
///
/// Result types: `count`, `count_distinct` int64, never null; `sum` of int64 int64 (null when it does not fit), of
/// float64 float64, of decimal(p,s) decimal(38,s); `avg` of int64 and float64 float64, of decimal(p,s)
/// decimal(38,max(s,6)); `min max first last` the argument's type. All but the counts are null where no row had a value.
package struct AggregateCall: Sendable {
    /// As it was written.
    package let text: String
    package let function: AggregateFunction
    /// Rows where it is null are left out. Nil for `count` alone (`count(x)` has `x is not null` in its condition).
    package let argument: TypedExpression?
    /// Only rows for which it is true take part; nil: all.
    package let condition: TypedExpression?
    package let resultType: ValueType
    package let resultIsNullable: Bool
}
