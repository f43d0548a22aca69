import Batch

/// An expression that has passed the checks against one schema: evaluated over whole batches of that schema.
///
/// Evaluation is total: what has no answer (division by zero, overflow, a text that is no number) is null.
package struct TypedExpression: Sendable {
    /// As it was written.
    package let text: String
    package let type: ValueType
    package let isNullable: Bool
    /// Positions of the columns that are read, ascending.
    package let columns: [Int]
    let root: Node

    init(text: String, root: Node, columns: [Int]) {
        self.text = text
        self.root = root
        self.type = root.type
        self.isNullable = root.isNullable
        self.columns = columns
    }

    /// The column's position where the expression is nothing but a column.
    package var columnReference: Int? {
        if case .column(let index) = root.form { index } else { nil }
    }

    /// The values for the selected rows of `batch`; what other rows hold is not specified. A bare column is returned
    /// as it is, without a copy.
    ///
    /// `scratch` keeps memory from one call to the next; all expressions of a worker may share one.
    /// - Precondition: `batch` has the schema that the expression was typed in.
    package func evaluate(_ batch: borrowing Batch, _ scratch: inout ExpressionScratch) -> Column {
        if case .column(let index) = root.form { return batch.columns[index] }
        var evaluator = Evaluator(
            columns: batch.columns, rows: batch.selection, rowCount: batch.rowCount, scratch: scratch.take())
        let column = evaluator.column(of: root)
        scratch = evaluator.scratch
        return column
    }

    package func evaluate(_ batch: borrowing Batch) -> Column {
        var scratch = ExpressionScratch()
        return evaluate(batch, &scratch)
    }

    /// Keeps those of the selected rows for which the expression is true: false and null drop a row.
    /// - Precondition: the type is bool, and as for `evaluate`.
    package func select(_ batch: inout Batch, _ scratch: inout ExpressionScratch) {
        precondition(type == .bool, "only a condition selects rows")
        let column = evaluate(batch, &scratch)
        let kept = Self.narrow(&batch.selection, column)
        batch.selection.removeLast(batch.selection.count - kept)
        if columnReference == nil { scratch.recycle(column) }
    }

    package func select(_ batch: inout Batch) {
        var scratch = ExpressionScratch()
        select(&batch, &scratch)
    }

    /// Moves the rows that are true to the front, in order, and counts them.
    private static func narrow(_ selection: inout [Int32], _ condition: Column) -> Int {
        let values = condition.bools.span
        let validity = condition.validity.span
        let hasNulls = condition.hasNulls
        var rows = selection.mutableSpan
        var kept = 0
        for index in rows.indices {
            let row = rows[index]
            rows[kept] = row
            kept += Int(values[Int(row)] & (hasNulls ? validity[Int(row)] : 1))
        }
        return kept
    }
}
