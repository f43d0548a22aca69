import Batch

extension Evaluator {
    /// Null where an operand is, or where the result does not exist or does not fit `type`.
    mutating func arithmetic(_ operation: Arithmetic, _ left: Values, _ right: Values, _ type: ValueType) -> Values {
        var output = output(type)
        var verdicts = verdicts()
        switch type {
        case .int64, .timestamp:
            integers(
                operation, Operand(left.column.integers, left), Operand(right.column.integers, right), &output.integers, &verdicts)
        case .float64:
            doubles(operation, Operand(left.column.doubles, left), Operand(right.column.doubles, right), &output.doubles, &verdicts)
        case .decimal: decimals(operation, left, right, type, &output.decimals, &verdicts)
        case .bool, .string: preconditionFailure("no arithmetic on \(type)")
        }
        setValidity(&output, verdicts)
        inheritNulls(&output, left, right)
        return owned(output)
    }

    private func integers(
        _ operation: Arithmetic, _ left: Operand<Int64>, _ right: Operand<Int64>, _ output: inout [Int64], _ verdicts: inout [UInt8]
    ) {
        switch operation {
        case .add: zipChecked(left, right, &output, &verdicts) { checked($0.addingReportingOverflow($1)) }
        case .subtract: zipChecked(left, right, &output, &verdicts) { checked($0.subtractingReportingOverflow($1)) }
        case .multiply: zipChecked(left, right, &output, &verdicts) { checked($0.multipliedReportingOverflow(by: $1)) }
        case .divide: zipChecked(left, right, &output, &verdicts) { checked($0.dividedReportingOverflow(by: $1)) }
        case .remainder:
            zipChecked(left, right, &output, &verdicts) { $1 == 0 ? nil : $1 == -1 ? 0 : $0 % $1 }
        }
    }

    /// A result that is no finite number is none.
    private func doubles(
        _ operation: Arithmetic, _ left: Operand<Double>, _ right: Operand<Double>, _ output: inout [Double], _ verdicts: inout [UInt8]
    ) {
        switch operation {
        case .add: zipChecked(left, right, &output, &verdicts) { finite($0 + $1) }
        case .subtract: zipChecked(left, right, &output, &verdicts) { finite($0 - $1) }
        case .multiply: zipChecked(left, right, &output, &verdicts) { finite($0 * $1) }
        case .divide: zipChecked(left, right, &output, &verdicts) { finite($0 / $1) }
        case .remainder: zipChecked(left, right, &output, &verdicts) { finite($0.truncatingRemainder(dividingBy: $1)) }
        }
    }

    private func decimals(
        _ operation: Arithmetic, _ left: Values, _ right: Values, _ type: ValueType, _ output: inout [Int128], _ verdicts: inout [UInt8]
    ) {
        guard case .decimal(let precision, let scale) = type else { preconditionFailure("not a decimal") }
        let leftScale = left.column.type.scale
        let rightScale = right.column.type.scale
        let leftValues = Operand(left.column.decimals, left)
        let rightValues = Operand(right.column.decimals, right)
        switch operation {
        case .add, .subtract:
            let isAdd = operation == .add
            zipChecked(leftValues, rightValues, &output, &verdicts) {
                guard let left = Decimal.rescale($0, from: leftScale, to: scale),
                    let right = Decimal.rescale($1, from: rightScale, to: scale),
                    let sum = checked(isAdd ? left.addingReportingOverflow(right) : left.subtractingReportingOverflow(right))
                else { return nil }
                return Decimal.fits(sum, precision) ? sum : nil
            }
        case .multiply:
            zipChecked(leftValues, rightValues, &output, &verdicts) {
                guard let product = checked($0.multipliedReportingOverflow(by: $1)) else { return nil }
                return Decimal.fits(product, precision) ? product : nil
            }
        case .divide:
            zipChecked(leftValues, rightValues, &output, &verdicts) {
                guard let quotient = Decimal.divide($0, leftScale, $1, rightScale, scale: scale) else { return nil }
                return Decimal.fits(quotient, precision) ? quotient : nil
            }
        case .remainder:
            zipChecked(leftValues, rightValues, &output, &verdicts) {
                guard $1 != 0, let left = Decimal.rescale($0, from: leftScale, to: scale),
                    let right = Decimal.rescale($1, from: rightScale, to: scale)
                else { return nil }
                let rest = left % right
                return Decimal.fits(rest, precision) ? rest : nil
            }
        }
    }

    mutating func negate(_ operand: Values) -> Values {
        var output = output(operand.column.type)
        switch output.type {
        case .float64: map(Operand(operand.column.doubles, operand), &output.doubles) { -$0 }
        case .decimal: map(Operand(operand.column.decimals, operand), &output.decimals) { 0 &- $0 }
        default:
            var verdicts = verdicts()
            mapChecked(Operand(operand.column.integers, operand), &output.integers, &verdicts) {
                checked((0 as Int64).subtractingReportingOverflow($0))
            }
            setValidity(&output, verdicts)
        }
        inheritNulls(&output, operand)
        return owned(output)
    }
}

@inline(__always)
private func checked<Value>(_ result: (partialValue: Value, overflow: Bool)) -> Value? {
    result.overflow ? nil : result.partialValue
}

@inline(__always)
private func finite(_ value: Double) -> Double? {
    value.isFinite ? value : nil
}
