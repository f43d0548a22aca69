import Batch

/// An expression of the property test: what is printed, and what a plain interpreter makes of one row.
///
/// Written without a look at the evaluator: rules of the reference page, one value at a time.
indirect enum Term {
    case column(Int)
    case literal(Value, text: String)
    case arithmetic(String, Term, Term)
    case negate(Term)
    case compare(String, Term, Term)
    case and(Term, Term)
    case or(Term, Term)
    case not(Term)
    case isNull(Term, Bool)
    case isIn(Term, [Term], Bool)
    case between(Term, Term, Term, Bool)
    case choose([(Term, Term)], Term?)
    case match(Term, [(Term, Term)], Term?)
    case coalesce([Term])
    case concat(Term, Term)
    case function(String, Term)
    case substr(Term, Int64, Int64)
    case textOf(Term)
    case plusInterval(Term, Int64)

    var text: String {
        switch self {
        case .column(let index): everyType.fields[index].name
        case .literal(_, let text): text
        case .arithmetic(let operation, let left, let right), .compare(let operation, let left, let right):
            "(\(left.text) \(operation) \(right.text))"
        case .negate(let operand): "(- \(operand.text))"
        case .and(let left, let right): "(\(left.text) and \(right.text))"
        case .or(let left, let right): "(\(left.text) OR \(right.text))"
        case .not(let operand): "(not \(operand.text))"
        case .isNull(let operand, let isNegated): "(\(operand.text) is \(isNegated ? "not " : "")null)"
        case .isIn(let operand, let elements, let isNegated):
            "(\(operand.text) \(isNegated ? "not " : "")in (\(elements.map(\.text).joined(separator: ", "))))"
        case .between(let operand, let low, let high, let isNegated):
            "(\(operand.text) \(isNegated ? "not " : "")between \(low.text) and \(high.text))"
        case .choose(let branches, let otherwise):
            "(case \(branches.map { "when \($0.0.text) then \($0.1.text)" }.joined(separator: " "))\(otherwise.map { " else \($0.text)" } ?? "") end)"
        case .match(let operand, let branches, let otherwise):
            "(case \(operand.text) \(branches.map { "when \($0.0.text) then \($0.1.text)" }.joined(separator: " "))\(otherwise.map { " else \($0.text)" } ?? "") end)"
        case .coalesce(let operands): "coalesce(\(operands.map(\.text).joined(separator: ", ")))"
        case .concat(let left, let right): "(\(left.text) || \(right.text))"
        case .function(let name, let operand): "\(name)(\(operand.text))"
        case .substr(let operand, let start, let count): "substr(\(operand.text), \(start), \(count))"
        case .textOf(let operand): "cast(\(operand.text) as string)"
        case .plusInterval(let operand, let microseconds): "(\(operand.text) + \(microseconds)us)"
        }
    }

    func value(_ row: [Value]) -> Value {
        switch self {
        case .column(let index): return row[index]
        case .literal(let value, _): return value
        case .arithmetic(let operation, let left, let right): return Self.arithmetic(operation, left.value(row), right.value(row))
        case .negate(let operand): return Self.arithmetic("-", .integer(0), operand.value(row))
        case .compare(let operation, let left, let right): return Self.compare(operation, left.value(row), right.value(row))
        case .and(let left, let right): return Self.and(left.value(row), right.value(row))
        case .or(let left, let right): return Self.not(Self.and(Self.not(left.value(row)), Self.not(right.value(row))))
        case .not(let operand): return Self.not(operand.value(row))
        case .isNull(let operand, let isNegated): return .bool((operand.value(row) == .null) != isNegated)
        case .isIn(let operand, let elements, let isNegated):
            let value = operand.value(row)
            let found = elements.map { Self.compare("=", value, $0.value(row)) }
            let result: Value = found.contains(.bool(true)) ? .bool(true) : found.contains(.null) ? .null : .bool(false)
            return isNegated ? Self.not(result) : result
        case .between(let operand, let low, let high, let isNegated):
            let value = operand.value(row)
            let inside = Self.and(Self.compare(">=", value, low.value(row)), Self.compare("<=", value, high.value(row)))
            return isNegated ? Self.not(inside) : inside
        case .choose(let branches, let otherwise):
            for (condition, value) in branches where condition.value(row) == .bool(true) { return value.value(row) }
            return otherwise?.value(row) ?? .null
        case .match(let operand, let branches, let otherwise):
            let subject = operand.value(row)
            for (condition, value) in branches where Self.compare("=", subject, condition.value(row)) == .bool(true) {
                return value.value(row)
            }
            return otherwise?.value(row) ?? .null
        case .coalesce(let operands): return operands.lazy.map { $0.value(row) }.first { $0 != .null } ?? .null
        case .concat(let left, let right):
            guard case .string(let left) = left.value(row), case .string(let right) = right.value(row) else { return .null }
            return .string(left + right)
        case .function(let name, let operand): return Self.call(name, operand.value(row))
        case .substr(let operand, let start, let count):
            guard case .string(let text) = operand.value(row) else { return .null }
            let scalars = Array(text.unicodeScalars)
            let first = start < 0 ? scalars.count + Int(start) : max(1, Int(start)) - 1
            guard first >= 0, count > 0, first < scalars.count else { return .string("") }
            var part = String.UnicodeScalarView()
            part.append(contentsOf: scalars[first..<min(scalars.count, first + Int(count))])
            return .string(String(part))
        case .textOf(let operand):
            switch operand.value(row) {
            case .null: return .null
            case .bool(let value): return .string(value ? "true" : "false")
            case .integer(let value): return .string(String(value))
            case .double(let value): return .string("\(value)")
            case .decimal(let value, let scale): return .string(Self.text(value, scale))
            case .string(let value): return .string(value)
            }
        case .plusInterval(let operand, let microseconds): return Self.arithmetic("+", operand.value(row), .integer(microseconds))
        }
    }

    private static func text(_ value: Int128, _ scale: Int) -> String {
        let power = (0..<scale).reduce(UInt128(1)) { power, _ in power * 10 }
        let fraction = String(value.magnitude % power + power).dropFirst()
        return (value < 0 ? "-" : "") + "\(value.magnitude / power)" + (scale > 0 ? ".\(fraction)" : "")
    }

    private static func and(_ left: Value, _ right: Value) -> Value {
        if left == .bool(false) || right == .bool(false) { return .bool(false) }
        return left == .null || right == .null ? .null : .bool(true)
    }

    private static func not(_ value: Value) -> Value {
        if case .bool(let value) = value { .bool(!value) } else { .null }
    }

    private static func compare(_ operation: String, _ left: Value, _ right: Value) -> Value {
        let isLess: Bool
        let isEqual: Bool
        switch (left, right) {
        case (.null, _), (_, .null): return .null
        case (.string(let left), .string(let right)):
            isLess = Array(left.utf8).lexicographicallyPrecedes(Array(right.utf8))
            isEqual = Array(left.utf8) == Array(right.utf8)
        case (.bool(let left), .bool(let right)): (isLess, isEqual) = (false, left == right)
        case (.integer(let left), .integer(let right)): (isLess, isEqual) = (left < right, left == right)
        default:
            if isDouble(left) || isDouble(right) {
                (isLess, isEqual) = (double(left) < double(right), double(left) == double(right))
            } else {
                let (left, right, _) = aligned(left, right)
                (isLess, isEqual) = (left < right, left == right)
            }
        }
        switch operation {
        case "=": return .bool(isEqual)
        case "<>": return .bool(!isEqual)
        case "<": return .bool(isLess)
        case "<=": return .bool(isLess || isEqual)
        case ">": return .bool(!isLess && !isEqual)
        default: return .bool(!isLess)
        }
    }

    private static func isDouble(_ value: Value) -> Bool {
        if case .double = value { true } else { false }
    }

    private static func double(_ value: Value) -> Double {
        switch value {
        case .integer(let value): Double(value)
        case .double(let value): value
        case .decimal(let value, let scale): Double("\(value)e-\(scale)")!
        default: .nan
        }
    }

    /// Both at the larger scale. The test's numbers are small enough for that.
    private static func aligned(_ left: Value, _ right: Value) -> (Int128, Int128, scale: Int) {
        func parts(_ value: Value) -> (Int128, Int) {
            switch value {
            case .integer(let value): (Int128(value), 0)
            case .decimal(let value, let scale): (value, scale)
            default: (0, 0)
            }
        }
        var (left, leftScale) = parts(left)
        var (right, rightScale) = parts(right)
        while leftScale < rightScale { (left, leftScale) = (left * 10, leftScale + 1) }
        while rightScale < leftScale { (right, rightScale) = (right * 10, rightScale + 1) }
        return (left, right, leftScale)
    }

    private static func arithmetic(_ operation: String, _ left: Value, _ right: Value) -> Value {
        if left == .null || right == .null { return .null }
        if isDouble(left) || isDouble(right) {
            let (left, right) = (double(left), double(right))
            let result =
                switch operation {
                case "+": left + right
                case "-": left - right
                case "*": left * right
                case "/": left / right
                default: left.truncatingRemainder(dividingBy: right)
                }
            return result.isFinite ? .double(result) : .null
        }
        if case .integer(let left) = left, case .integer(let right) = right {
            // Exact, then looked at.
            let (left, right) = (Int128(left), Int128(right))
            if right == 0, operation == "/" || operation == "%" { return .null }
            let result =
                switch operation {
                case "+": left + right
                case "-": left - right
                case "*": left * right
                case "/": left / right
                default: left % right
                }
            return Int64(exactly: result).map { .integer($0) } ?? .null
        }
        switch operation {
        case "*":
            guard case .decimal(let first, let scale) = left, case .decimal(let second, let otherScale) = right else { return .null }
            return .decimal(first * second, scale: scale + otherScale)
        case "/":
            guard case .decimal(let first, let scale) = left, case .decimal(let second, let otherScale) = right, second != 0 else {
                return .null
            }
            let resultScale = max(scale, 6)
            let power = (0..<(resultScale - scale + otherScale + 1)).reduce(Int128(1)) { power, _ in power * 10 }
            // One digit more than wanted tells how to round; a remainder below it cannot change half and up.
            let digits = first * power / second
            let rounded = digits / 10 + (abs(digits % 10) >= 5 ? (digits < 0 ? -1 : 1) : 0)
            return .decimal(rounded, scale: resultScale)
        default:
            let (first, second, scale) = aligned(left, right)
            if operation == "%" { return second == 0 ? .null : .decimal(first % second, scale: scale) }
            return .decimal(operation == "+" ? first + second : first - second, scale: scale)
        }
    }

    private static func call(_ name: String, _ value: Value) -> Value {
        guard case .string(let text) = value else { return .null }
        switch name {
        case "lower": return .string(text.lowercased())
        case "upper": return .string(text.uppercased())
        case "length": return .integer(Int64(text.unicodeScalars.count))
        case "trim":
            var rest = Substring(text).unicodeScalars
            while rest.first == " " { rest.removeFirst() }
            while rest.last == " " { rest.removeLast() }
            return .string(String(rest))
        default: return .null
        }
    }
}
