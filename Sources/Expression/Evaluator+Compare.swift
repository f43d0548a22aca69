import Batch

extension Evaluator {
    /// Null where one of the operands is.
    mutating func compare(_ comparison: Comparison, _ left: Values, _ right: Values) -> Values {
        var output = output(.bool)
        switch left.column.type {
        case .bool:
            compare(comparison, Operand(left.column.bools, left), Operand(right.column.bools, right), &output.bools)
        case .int64, .timestamp:
            compare(comparison, Operand(left.column.integers, left), Operand(right.column.integers, right), &output.bools)
        case .float64:
            compare(comparison, Operand(left.column.doubles, left), Operand(right.column.doubles, right), &output.bools)
        case .decimal: compareDecimals(comparison, left, right, &output.bools)
        case .string: compareStrings(comparison, StringOperand(left), StringOperand(right), &output.bools)
        }
        inheritNulls(&output, left, right)
        return owned(output)
    }

    @inline(__always)
    private func compare<Value: Comparable>(
        _ comparison: Comparison, _ left: Operand<Value>, _ right: Operand<Value>, _ output: inout [UInt8]
    ) {
        switch comparison {
        case .equal: zip(left, right, &output) { $0 == $1 ? 1 : 0 }
        case .notEqual: zip(left, right, &output) { $0 != $1 ? 1 : 0 }
        case .less: zip(left, right, &output) { $0 < $1 ? 1 : 0 }
        case .lessOrEqual: zip(left, right, &output) { $0 <= $1 ? 1 : 0 }
        case .greater: zip(left, right, &output) { $0 > $1 ? 1 : 0 }
        case .greaterOrEqual: zip(left, right, &output) { $0 >= $1 ? 1 : 0 }
        }
    }

    private func compareDecimals(_ comparison: Comparison, _ left: Values, _ right: Values, _ output: inout [UInt8]) {
        let leftScale = left.column.type.scale
        let rightScale = right.column.type.scale
        let leftValues = Operand(left.column.decimals, left)
        let rightValues = Operand(right.column.decimals, right)
        if leftScale == rightScale {
            compare(comparison, leftValues, rightValues, &output)
        } else {
            zip(leftValues, rightValues, &output) {
                comparison.holds(Decimal.order($0, leftScale, $1, rightScale)) ? 1 : 0
            }
        }
    }

    private func compareStrings(_ comparison: Comparison, _ left: StringOperand, _ right: StringOperand, _ output: inout [UInt8]) {
        let rows = rows.span
        let leftViews = left.views.span
        let rightViews = right.views.span
        let leftBytes = left.bytes.span
        let rightBytes = right.bytes.span
        var output = output.mutableSpan
        if comparison == .equal || comparison == .notEqual {
            let whenEqual: UInt8 = comparison == .equal ? 1 : 0
            for index in rows.indices {
                let row = Int(rows[index])
                let isEqual = areEqual(leftBytes, leftViews[row & left.mask], rightBytes, rightViews[row & right.mask])
                output[row] = isEqual ? whenEqual : 1 - whenEqual
            }
        } else {
            for index in rows.indices {
                let row = Int(rows[index])
                let order = order(leftBytes, leftViews[row & left.mask], rightBytes, rightViews[row & right.mask])
                output[row] = comparison.holds(order) ? 1 : 0
            }
        }
    }

    mutating func between(_ operand: Values, _ low: Values, _ high: Values, isNegated: Bool) -> Values {
        let above = compare(.greaterOrEqual, operand, low)
        let below = compare(.lessOrEqual, operand, high)
        let inside = combine(above, below, dominant: 0)
        recycle(operand, low, high, above, below)
        guard isNegated else { return inside }
        let outside = not(inside)
        recycle(inside)
        return outside
    }

    mutating func isIn(_ operand: Values, _ constants: ConstantList, _ others: [Node], isNegated: Bool) -> Values {
        var output = output(.bool)
        switch operand.column.type {
        case .bool: contains(Operand(operand.column.bools, operand), constants.bools, &output.bools)
        case .int64, .timestamp: contains(Operand(operand.column.integers, operand), constants.integers, &output.bools)
        case .float64: contains(Operand(operand.column.doubles, operand), constants.doubles, &output.bools)
        case .decimal: contains(Operand(operand.column.decimals, operand), constants.decimals, &output.bools)
        case .string: containsStrings(StringOperand(operand), constants.strings, &output.bools)
        }
        inheritNulls(&output, operand)
        var result = owned(output)
        for other in others {
            let value = evaluate(other)
            let isEqual = compare(.equal, operand, value)
            let either = combine(result, isEqual, dominant: 1)
            recycle(value, isEqual, result)
            result = either
        }
        recycle(operand)
        guard isNegated else { return result }
        let negated = not(result)
        recycle(result)
        return negated
    }

    /// By halving: `constants` ascend.
    @inline(__always)
    private func contains<Value: Comparable>(_ operand: Operand<Value>, _ constants: [Value], _ output: inout [UInt8]) {
        guard !constants.isEmpty else { return }
        map(operand, &output) { value in
            var low = 0
            var high = constants.count
            while low < high {
                let middle = (low + high) / 2
                if constants[middle] < value { low = middle + 1 } else { high = middle }
            }
            return low < constants.count && constants[low] == value ? 1 : 0
        }
    }

    private func containsStrings(_ operand: StringOperand, _ constants: [[UInt8]], _ output: inout [UInt8]) {
        guard !constants.isEmpty else { return }
        mapStrings(operand, &output) { bytes, view in
            var low = 0
            var high = constants.count
            while low < high {
                let middle = (low + high) / 2
                let constant = constants[middle]
                let order = order(constant.span, StringView(start: 0, length: UInt32(constant.count)), bytes, view)
                if order == 0 { return 1 }
                if order < 0 { low = middle + 1 } else { high = middle }
            }
            return 0
        }
    }

    mutating func like(_ operand: Values, _ pattern: LikePattern, isNegated: Bool) -> Values {
        var output = output(.bool)
        let whenMatched: UInt8 = isNegated ? 0 : 1
        mapStrings(StringOperand(operand), &output.bools) { bytes, view in
            let range = view.range
            return pattern.matches(bytes, range.lowerBound, range.upperBound) ? whenMatched : 1 - whenMatched
        }
        inheritNulls(&output, operand)
        return owned(output)
    }
}

extension Comparison {
    /// Whether it holds for operands in this order (-1, 0, 1).
    func holds(_ order: Int) -> Bool {
        switch self {
        case .equal: order == 0
        case .notEqual: order != 0
        case .less: order < 0
        case .lessOrEqual: order <= 0
        case .greater: order > 0
        case .greaterOrEqual: order >= 0
        }
    }
}
