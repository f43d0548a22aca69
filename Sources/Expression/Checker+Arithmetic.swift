import Batch

extension Checker {
    mutating func arithmetic(
        _ operation: Arithmetic, _ left: Syntax, _ right: Syntax, at offset: Int
    ) throws(ExpressionError) -> Node {
        let left = try value(left, "`\(operation.rawValue)`")
        let right = try value(right, "`\(operation.rawValue)`")
        if left.isTemporal || right.isTemporal { return try temporal(operation, left, right, at: offset) }
        guard left.type.isNumeric, right.type.isNumeric else {
            let hint = operation == .add && left.type == .string && right.type == .string ? "; strings are joined by `||`" : ""
            throw mismatch(operation, left, right, at: offset, hint)
        }
        if left.type == .float64 || right.type == .float64 {
            return binary(operation, convert(left, to: .float64), convert(right, to: .float64), .float64, mayFail: true)
        }
        if left.type == .int64, right.type == .int64 {
            return binary(operation, left, right, .int64, mayFail: Self.mayFail(operation, by: right.constant))
        }
        let whole = ValueType.decimal(precision: 19, scale: 0)
        let operands = [left, right].map { $0.type == .int64 ? convert($0, to: whole) : $0 }
        let (type, mayFail) = try Self.decimalResult(operation, operands[0].type, operands[1].type, at: offset)
        return binary(operation, operands[0], operands[1], type, mayFail: mayFail)
    }

    private func binary(
        _ operation: Arithmetic, _ left: Node, _ right: Node, _ type: ValueType, mayFail: Bool, kind: Node.Kind = .value
    ) -> Node {
        fold(
            .arithmetic(operation, left, right), type, isNullable: mayFail || left.isNullable || right.isNullable,
            over: [left, right], kind: kind)
    }

    private func mismatch(
        _ operation: Arithmetic, _ left: Node, _ right: Node, at offset: Int, _ hint: String = ""
    ) -> ExpressionError {
        ExpressionError(at: offset, "`\(operation.rawValue)` does not take \(left.typeName) and \(right.typeName)\(hint)")
    }

    /// Whether two int64 may have no result, where the right one is `constant`.
    private static func mayFail(_ operation: Arithmetic, by constant: Constant?) -> Bool {
        guard case .integer(let value) = constant else { return true }
        return switch operation {
        case .add, .subtract: value != 0
        case .multiply: value != 0 && value != 1
        case .divide: value == 0 || value == -1
        case .remainder: value == 0
        }
    }

    /// Times and intervals.
    private func temporal(
        _ operation: Arithmetic, _ left: Node, _ right: Node, at offset: Int
    ) throws(ExpressionError) -> Node {
        let leftIsTime = left.type == .timestamp
        let rightIsTime = right.type == .timestamp
        let leftIsInterval = left.kind == .interval
        let rightIsInterval = right.kind == .interval
        let leftIsCount = left.type == .int64 && !leftIsInterval
        let rightIsCount = right.type == .int64 && !rightIsInterval
        switch operation {
        case .add where (leftIsTime && rightIsInterval) || (leftIsInterval && rightIsTime),
            .subtract where leftIsTime && rightIsInterval:
            return binary(operation, left, right, .timestamp, mayFail: true)
        case .subtract where leftIsTime && rightIsTime:
            return binary(operation, left, right, .int64, mayFail: true, kind: .interval)
        case .add where leftIsInterval && rightIsInterval, .subtract where leftIsInterval && rightIsInterval,
            .multiply where (leftIsInterval && rightIsCount) || (leftIsCount && rightIsInterval),
            .divide where leftIsInterval && rightIsCount, .remainder where leftIsInterval && rightIsInterval:
            return binary(operation, left, right, .int64, mayFail: true, kind: .interval)
        case .divide where leftIsInterval && rightIsInterval:
            return binary(operation, left, right, .int64, mayFail: Self.mayFail(.divide, by: right.constant))
        default:
            let hint = leftIsTime && rightIsCount ? "; write an interval with its unit, such as 30s" : ""
            throw mismatch(operation, left, right, at: offset, hint)
        }
    }

    /// The type of a result of two decimals, and whether it may not fit.
    ///
    /// `+ -`: the larger scale, one digit more than the longer operand has before the point. `*`: the sums of precisions
    /// and of scales. `/`: 38 digits, the dividend's scale but at least 6, rounded half away from zero. `%`: the larger
    /// scale. A precision beyond 38 becomes 38; a result that does not fit is null.
    static func decimalResult(
        _ operation: Arithmetic, _ left: ValueType, _ right: ValueType, at offset: Int
    ) throws(ExpressionError) -> (ValueType, mayFail: Bool) {
        let scale: Int
        let digits: Int
        var mayFail = false
        switch operation {
        case .add, .subtract:
            scale = max(left.scale, right.scale)
            digits = max(left.integerDigits, right.integerDigits) + 1
        case .multiply:
            scale = left.scale + right.scale
            digits = left.integerDigits + right.integerDigits
            guard scale <= ValueType.precisionMax else {
                throw ExpressionError(
                    at: offset,
                    "the product of \(left) and \(right) would need \(scale) digits after the point, \(ValueType.precisionMax) are possible; cast one to fewer"
                )
            }
        case .divide:
            scale = max(left.scale, 6)
            digits = ValueType.precisionMax - scale
            mayFail = true
        case .remainder:
            scale = max(left.scale, right.scale)
            digits = min(left.integerDigits, right.integerDigits)
            mayFail = true
        }
        let precision = max(1, digits + scale)
        let type = ValueType.decimal(precision: min(precision, ValueType.precisionMax), scale: scale)
        return (type, mayFail || precision > ValueType.precisionMax)
    }
}

extension Node {
    fileprivate var isTemporal: Bool { type == .timestamp || kind == .interval }
}
