import Batch
import Expression

/// One aggregate column of a window transform.
///
/// Nulls are skipped by all functions but `count`, `first` and `last`. `sum`, `min`, `max` and `avg` of no value are null.
/// `first` and `last` are the value, null or not, of one row by event time: of equal times, `first` takes the earliest
/// record, `last` the latest. `min` and
/// `max` order floats with NaN above all numbers, strings by their UTF-8 bytes, false before true. `sum` of int64 is null
/// if the exact sum does not fit, of decimals beyond 38 digits; `avg` of decimals is rounded half away from zero.
package struct Aggregate: Hashable, Sendable {
    /// The output column's name.
    package var name: String
    package var function: AggregateFunction
    /// Position of the argument in the input's schema; nil for `count`, and only there.
    package var argument: Int?
    /// Position of a bool column: rows where it is false or null do not count.
    package var condition: Int?

    package init(_ name: String, _ function: AggregateFunction, argument: Int? = nil, where condition: Int? = nil) {
        self.name = name
        self.function = function
        self.argument = argument
        self.condition = condition
    }

    /// The output column for an argument of `type` (any, for `count`).
    package func output(of type: ValueType, isNullable: Bool) -> Field? {
        let mayBeEmpty = isNullable || condition != nil
        switch (function, type) {
        case (.count, _), (.countDistinct, _): return Field(name, .int64)
        case (.sum, .int64): return Field(name, .int64, isNullable: true)
        case (.sum, .decimal(_, let scale)):
            return Field(name, .decimal(precision: ValueType.precisionMax, scale: scale), isNullable: true)
        case (.sum, .float64), (.avg, .int64), (.avg, .float64): return Field(name, .float64, isNullable: mayBeEmpty)
        case (.avg, .decimal(_, let scale)):
            return Field(name, .decimal(precision: ValueType.precisionMax, scale: Swift.max(scale, 6)), isNullable: true)
        case (.sum, _), (.avg, _): return nil
        case (.min, _), (.max, _), (.first, _), (.last, _): return Field(name, type, isNullable: mayBeEmpty)
        }
    }
}
