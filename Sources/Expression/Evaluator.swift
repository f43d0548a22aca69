import Batch

/// Evaluates one tree over the selected rows of one batch, node by node: one kernel, a loop over rows, for each.
struct Evaluator {
    let columns: [Column]
    /// The selected rows.
    let rows: [Int32]
    let rowCount: Int
    var scratch: ExpressionScratch

    /// The result of a node: a column of the batch, one of our own, or a constant as a column of one row.
    struct Values {
        var column: Column
        /// What a row's number is masked with: all ones, or 0 for a constant.
        var mask = -1
        /// Nothing else refers to the column: its memory may be used again.
        var isOwned = false

        var hasNulls: Bool { column.hasNulls }
    }

    /// A result of `node` with a value a row; null rows hold zeros.
    mutating func column(of node: Node) -> Column {
        let values = evaluate(node)
        if values.mask != 0 {
            // A column of the batch already holds zeros where it is null.
            return values.isOwned ? zeroingNulls(values.column) : values.column
        }
        return rowCount == 1 ? values.column : spread(values)
    }

    mutating func evaluate(_ node: Node) -> Values {
        switch node.form {
        case .column(let index): return Values(column: columns[index])
        case .constant(_, let column): return Values(column: column, mask: 0)
        case .compare(let comparison, let left, let right):
            let left = evaluate(left)
            let right = evaluate(right)
            defer { recycle(left, right) }
            return compare(comparison, left, right)
        case .between(let operand, let low, let high, let isNegated):
            return between(evaluate(operand), evaluate(low), evaluate(high), isNegated: isNegated)
        case .isIn(let operand, let constants, let others, let isNegated):
            return isIn(evaluate(operand), constants, others, isNegated: isNegated)
        case .like(let operand, let pattern, let isNegated):
            let operand = evaluate(operand)
            defer { recycle(operand) }
            return like(operand, pattern, isNegated: isNegated)
        case .isNull(let operand, let isNegated):
            let operand = evaluate(operand)
            defer { recycle(operand) }
            return isNull(operand, isNegated: isNegated)
        case .and(let operands): return combine(operands, dominant: 0)
        case .or(let operands): return combine(operands, dominant: 1)
        case .not(let operand):
            let operand = evaluate(operand)
            defer { recycle(operand) }
            return not(operand)
        case .arithmetic(let operation, let left, let right):
            let operands = (evaluate(left), evaluate(right))
            defer { recycle(operands.0, operands.1) }
            return arithmetic(operation, operands.0, operands.1, node.type)
        case .negate(let operand):
            let operand = evaluate(operand)
            defer { recycle(operand) }
            return negate(operand)
        case .choose(let subject, let branches, let otherwise): return choose(subject, branches, otherwise, node.type)
        case .coalesce(let operands): return coalesce(operands, node.type)
        case .cast(let operand):
            let operand = evaluate(operand)
            defer { recycle(operand) }
            return cast(operand, to: node.type)
        case .call(let function, let arguments): return call(function, arguments, node.type)
        case .truncate(let operand, let unit):
            let operand = evaluate(operand)
            defer { recycle(operand) }
            var output = output(.timestamp)
            map(Operand(operand.column.integers, operand), &output.integers) { Calendar.truncate($0, to: unit) }
            inheritNulls(&output, operand)
            return owned(output)
        }
    }

    private mutating func combine(_ operands: [Node], dominant: UInt8) -> Values {
        var result = evaluate(operands[0])
        for operand in operands.dropFirst() {
            let next = evaluate(operand)
            let combined = combine(result, next, dominant: dominant)
            recycle(result, next)
            result = combined
        }
        return result
    }

    // Memory.

    /// A column of zeros.
    mutating func output(_ type: ValueType) -> Column {
        scratch.column(type, rowCount)
    }

    func owned(_ column: Column) -> Values {
        Values(column: column, isOwned: true)
    }

    mutating func recycle(_ values: Values...) {
        for values in values where values.isOwned { scratch.recycle(values.column) }
    }

    /// Makes the rows of `output` null that are null in one of the operands.
    func inheritNulls(_ output: inout Column, _ operands: Values...) {
        for operand in operands where operand.hasNulls {
            if output.validity.isEmpty { output.validity = [UInt8](repeating: 1, count: output.count) }
            let validity = operand.column.validity.span
            var result = output.validity.mutableSpan
            let rows = rows.span
            for index in rows.indices {
                let row = Int(rows[index])
                result[row] &= validity[row & operand.mask]
            }
        }
    }

    /// Takes the verdicts of a kernel that may have no result: 1 where it had one.
    func setValidity(_ output: inout Column, _ verdicts: [UInt8]) {
        if verdicts.contains(0) { output.validity = verdicts }
    }

    private func zeroingNulls(_ column: consuming Column) -> Column {
        guard column.hasNulls else { return column }
        for row in rows where column.validity[Int(row)] == 0 {
            let row = Int(row)
            switch column.type {
            case .bool: column.bools[row] = 0
            case .int64, .timestamp: column.integers[row] = 0
            case .float64: column.doubles[row] = 0
            case .decimal: column.decimals[row] = 0
            case .string: column.views[row] = StringView(start: 0, length: 0)
            }
        }
        return column
    }

    /// A constant in every row.
    private mutating func spread(_ values: Values) -> Column {
        var output = Column(values.column.type)
        switch output.type {
        case .bool: output.bools = Array(repeating: values.column.bools[0], count: rowCount)
        case .int64, .timestamp: output.integers = Array(repeating: values.column.integers[0], count: rowCount)
        case .float64: output.doubles = Array(repeating: values.column.doubles[0], count: rowCount)
        case .decimal: output.decimals = Array(repeating: values.column.decimals[0], count: rowCount)
        case .string:
            output.bytes = values.column.bytes
            output.views = Array(repeating: values.column.views[0], count: rowCount)
        }
        if values.column.isNull(0) { output.validity = [UInt8](repeating: 0, count: rowCount) }
        return output
    }
}
