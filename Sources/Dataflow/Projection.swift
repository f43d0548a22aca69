import Batch
import Expression

/// Makes new columns of a batch's: `select`, and what windows and dedupes need computed before them.
package struct Projection {
    /// Of the batches that come out.
    package let output: Schema
    private let expressions: [TypedExpression]
    private var scratch = ExpressionScratch()

    /// The columns in order, with their names; all typed in the schema of the batches that go in.
    package init(_ columns: [(name: String, expression: TypedExpression)]) {
        expressions = columns.map(\.expression)
        output = Schema(columns.map { Field($0.name, $0.expression.type, isNullable: $0.expression.isNullable) })
    }

    /// The same rows with the same selection, times and watermarks; columns that are taken over share their memory.
    package mutating func process(_ batch: Batch) -> Batch {
        var result = Batch(schema: output)
        for (index, expression) in expressions.enumerated() { result.columns[index] = expression.evaluate(batch, &scratch) }
        result.rowCount = batch.rowCount
        result.selection = batch.selection
        result.eventTimes = batch.eventTimes
        result.watermarks = batch.watermarks
        return result
    }
}
