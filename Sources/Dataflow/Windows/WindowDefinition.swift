import Batch

/// What a window transform does, in positions of its input's columns. The runtime's planner puts a projection before it
/// that makes these columns.
package struct WindowDefinition: Sendable {
    package enum Kind: Hashable, Sendable {
        /// A record at `t` is a session [t, t + gap), and sessions of a key that overlap or touch are one.
        ///
        /// `max` caps what a session spans: its end is never after start + max. A record at or after that starts a new
        /// session; a record that would join two sessions beyond the cap extends the earlier one up to the later one's start,
        /// and one before a session that it would stretch beyond the cap is a session of its own up to that one's start.
        /// So sessions of a key never overlap, and which one a record falls into depends on the order of the log only.
        case session(gap: Int64, max: Int64?)
        /// [n * size, (n + 1) * size), from 1970 UTC.
        case tumbling(size: Int64)
    }

    /// The transform's name, for late rows.
    package var name: String
    package var input: Schema
    /// Positions of the group-by columns; none for one group.
    package var groupBy: [Int]
    package var kind: Kind
    /// Microseconds, taken off every watermark.
    package var allowedLateness: Int64
    package var aggregates: [Aggregate]
    /// Folds what is here of each key, above a shuffle: its windows do not close, but are taken (`takePartials`) and
    /// combined below. A row is late by its own window alone, [t, t + gap) or the tumbling window of t: late when that
    /// ends at or before the row's watermark. A session has no `max`.
    package var isPartial: Bool

    package init(
        name: String, input: Schema, groupBy: [Int], kind: Kind, allowedLateness: Int64 = 0, aggregates: [Aggregate],
        isPartial: Bool = false
    ) {
        self.name = name
        self.input = input
        self.groupBy = groupBy
        self.kind = kind
        self.allowedLateness = allowedLateness
        self.aggregates = aggregates
        self.isPartial = isPartial
    }

    /// What comes out: the group-by columns, `window_start`, `window_end`, the aggregates. nil if an aggregate does not
    /// take its argument.
    package var output: Schema? {
        var fields = groupBy.map { input.fields[$0] }
        fields.append(Field("window_start", .timestamp))
        fields.append(Field("window_end", .timestamp))
        for aggregate in aggregates {
            let argument = aggregate.argument.map { input.fields[$0] }
            guard let field = aggregate.output(of: argument?.type ?? .int64, isNullable: argument?.isNullable ?? false) else {
                return nil
            }
            fields.append(field)
        }
        return Schema(fields)
    }

    /// What stored state has to agree with: two definitions with the same fingerprint understand each other's state.
    /// Names do not count, nor does allowed lateness; order does.
    package var fingerprint: String {
        let keys = groupBy.map { position in
            let field = input.fields[position]
            return "\(field.name):\(field.type)\(field.isNullable ? "?" : "")"
        }
        let columns = aggregates.map { aggregate in
            let type = aggregate.argument.map { "\(input.fields[$0].type)" } ?? ""
            return "\(aggregate.function.rawValue)(\(type))\(aggregate.condition == nil ? "" : " where")"
        }
        let window =
            switch kind {
            case .session(let gap, let max): "session gap=\(gap)us" + (max.map { " max=\($0)us" } ?? "")
            case .tumbling(let size): "tumbling size=\(size)us"
            }
        return "window/1 \(window) by \(keys.joined(separator: ",")) aggregate \(columns.joined(separator: ","))"
    }
}
