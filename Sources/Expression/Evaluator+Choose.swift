import Batch

// `case` and `coalesce`: all branches are evaluated, then each row takes the value of the branch it chose.
extension Evaluator {
    private static let none: Int32 = -1

    mutating func choose(_ subject: Node?, _ branches: [Node.Branch], _ otherwise: Node?, _ type: ValueType) -> Values {
        var choices = [Int32](repeating: Self.none, count: rowCount)
        var sources: [Values] = []
        let operand = subject.map { evaluate($0) }
        for (index, branch) in branches.enumerated() {
            var condition = evaluate(branch.condition)
            if let operand {
                let isEqual = compare(.equal, operand, condition)
                recycle(condition)
                condition = isEqual
            }
            for row in rows where choices[Int(row)] == Self.none {
                let at = Int(row) & condition.mask
                if condition.column.bools[at] == 1, !condition.column.isNull(at) { choices[Int(row)] = Int32(index) }
            }
            recycle(condition)
            sources.append(evaluate(branch.value))
        }
        if let operand { recycle(operand) }
        if let otherwise {
            for row in rows where choices[Int(row)] == Self.none { choices[Int(row)] = Int32(sources.count) }
            sources.append(evaluate(otherwise))
        }
        return gather(sources, choices, type)
    }

    mutating func coalesce(_ operands: [Node], _ type: ValueType) -> Values {
        var choices = [Int32](repeating: Self.none, count: rowCount)
        var sources: [Values] = []
        for (index, operand) in operands.enumerated() {
            let values = evaluate(operand)
            for row in rows where choices[Int(row)] == Self.none && !values.column.isNull(Int(row) & values.mask) {
                choices[Int(row)] = Int32(index)
            }
            sources.append(values)
            if !values.hasNulls { break }
        }
        return gather(sources, choices, type)
    }

    /// For each row the value of the source that it chose; null where it chose none.
    private mutating func gather(_ sources: [Values], _ choices: [Int32], _ type: ValueType) -> Values {
        var output = output(type)
        var known = verdicts()
        for row in rows where choices[Int(row)] == Self.none { known[Int(row)] = 0 }
        for (index, source) in sources.enumerated() {
            let index = Int32(index)
            switch type {
            case .bool: copy(source.column.bools, source.mask, choices, index, &output.bools)
            case .int64, .timestamp: copy(source.column.integers, source.mask, choices, index, &output.integers)
            case .float64: copy(source.column.doubles, source.mask, choices, index, &output.doubles)
            case .decimal: copy(source.column.decimals, source.mask, choices, index, &output.decimals)
            case .string: copyStrings(source, choices, index, &output, &known)
            }
            if source.hasNulls {
                for row in rows where choices[Int(row)] == index {
                    known[Int(row)] &= source.column.validity[Int(row) & source.mask]
                }
            }
            recycle(source)
        }
        setValidity(&output, known)
        return owned(output)
    }

    private func copy<Value>(_ values: [Value], _ mask: Int, _ choices: [Int32], _ index: Int32, _ output: inout [Value]) {
        let values = values.span
        var output = output.mutableSpan
        for row in rows where choices[Int(row)] == index { output[Int(row)] = values[Int(row) & mask] }
    }

    private func copyStrings(_ source: Values, _ choices: [Int32], _ index: Int32, _ output: inout Column, _ known: inout [UInt8]) {
        guard source.mask != 0 else {
            // One copy of a constant serves all rows.
            guard let view = output.store(source.column.bytes[source.column.views[0].range]) else {
                for row in rows where choices[Int(row)] == index { known[Int(row)] = 0 }
                return
            }
            for row in rows where choices[Int(row)] == index { output.views[Int(row)] = view }
            return
        }
        for row in rows where choices[Int(row)] == index {
            if let view = output.store(source.column.bytes[source.column.views[Int(row)].range]) {
                output.views[Int(row)] = view
            } else {
                known[Int(row)] = 0
            }
        }
    }
}
