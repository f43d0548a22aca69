import Batch

/// Evaluates one tree over one batch.
struct Evaluator {
    let columns: [Column]
    let rows: [Int32]
    let rowCount: Int
    var scratch: ExpressionScratch

    mutating func column(of node: Node) -> Column {
        if case .column(let index) = node.form { return columns[index] }
        return scratch.column(node.type, rowCount)
    }
}
