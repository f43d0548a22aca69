import Batch

/// Columns that were needed in between, kept so that the next batch allocates nothing.
package struct ExpressionScratch: Sendable {
    private static let columnsMax = 32
    private var free: [Column] = []

    package init() {}

    /// A column of `count` zeros.
    mutating func column(_ type: ValueType, _ count: Int) -> Column {
        guard let index = free.lastIndex(where: { $0.type == type }) else { return Column(type, zeros: count) }
        free.swapAt(index, free.count - 1)
        var column = free.removeLast()
        column.resize(to: count)
        return column
    }

    /// Takes back a column that nothing else needs any more.
    package mutating func recycle(_ column: consuming Column) {
        if free.count < Self.columnsMax { free.append(column) }
    }

    /// Moves the contents out, so that they are not shared while they are written.
    mutating func take() -> ExpressionScratch {
        let contents = self
        self = ExpressionScratch()
        return contents
    }
}
