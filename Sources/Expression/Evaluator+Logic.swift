import Batch

// Three-valued logic. A row is a value and whether it is known; the kernels are arithmetic on 0 and 1.
extension Evaluator {
    /// `and` (0 dominates) and `or` (1 does): the dominant value if one side has it, else null if one side is null.
    mutating func combine(_ left: Values, _ right: Values, dominant: UInt8) -> Values {
        var output = output(.bool)
        let leftBools = Operand(left.column.bools, left)
        let rightBools = Operand(right.column.bools, right)
        guard left.hasNulls || right.hasNulls else {
            if dominant == 0 {
                zip(leftBools, rightBools, &output.bools) { $0 & $1 }
            } else {
                zip(leftBools, rightBools, &output.bools) { $0 | $1 }
            }
            return owned(output)
        }
        var known = verdicts()
        for row in rows {
            let row = Int(row)
            let leftKnown = !left.column.isNull(row & left.mask)
            let rightKnown = !right.column.isNull(row & right.mask)
            let decided =
                (leftKnown && leftBools.values[row & left.mask] == dominant)
                || (rightKnown && rightBools.values[row & right.mask] == dominant)
            if decided {
                output.bools[row] = dominant
            } else {
                output.bools[row] = 1 - dominant
                known[row] = leftKnown && rightKnown ? 1 : 0
            }
        }
        setValidity(&output, known)
        return owned(output)
    }

    mutating func not(_ operand: Values) -> Values {
        var output = output(.bool)
        map(Operand(operand.column.bools, operand), &output.bools) { 1 - $0 }
        inheritNulls(&output, operand)
        return owned(output)
    }

    mutating func isNull(_ operand: Values, isNegated: Bool) -> Values {
        var output = output(.bool)
        let whenNull: UInt8 = isNegated ? 0 : 1
        if operand.hasNulls {
            map(Operand(operand.column.validity, operand), &output.bools) { $0 == 0 ? whenNull : 1 - whenNull }
        } else if isNegated {
            for row in rows { output.bools[Int(row)] = 1 }
        }
        return owned(output)
    }
}
