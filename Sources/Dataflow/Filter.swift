import Batch
import Expression

/// Drops the rows for which a condition is not true.
package struct Filter {
    private let condition: TypedExpression
    private var scratch = ExpressionScratch()
    private var before: [Int32] = []

    /// - Precondition: `condition` is of type bool and was typed in the schema of the batches.
    package init(_ condition: TypedExpression) { self.condition = condition }

    /// Narrows the selection; the rows that go are filtered, unless another branch makes more of them.
    package mutating func process(_ batch: inout Batch, fates: inout RowFates) {
        before.removeAll(keepingCapacity: true)
        before.append(contentsOf: batch.selection)
        condition.select(&batch, &scratch)
        raiseDropped(before, kept: batch.selection, to: .filtered, in: &fates)
    }
}

/// Both are ascending, and `kept` is a part of `before`.
func raiseDropped(_ before: [Int32], kept: [Int32], to fate: RowFate, in fates: inout RowFates) {
    guard kept.count < before.count else { return }
    var next = 0
    for row in before {
        if next < kept.count, kept[next] == row {
            next += 1
        } else {
            fates.raise(Int(row), to: fate)
        }
    }
}
