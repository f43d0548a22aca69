import Batch

extension Checker {
    static let functionNames = [
        "lower", "upper", "length", "substr", "concat", "trim", "ltrim", "rtrim", "date", "hour", "date_trunc", "coalesce", "cast",
    ]

    /// What other systems call them.
    private static let foreign = [
        "substring": "substr", "char_length": "length", "len": "length", "lcase": "lower", "ucase": "upper", "ifnull": "coalesce",
        "nvl": "coalesce", "if": "case when ... then ... else ... end", "iif": "case when ... then ... else ... end",
        "to_date": "date", "floor": "date_trunc",
    ]

    mutating func call(_ name: String, _ arguments: [Syntax], at offset: Int) throws(ExpressionError) -> Node {
        let lower = name.lowercased()
        switch lower {
        case "lower", "upper", "trim", "ltrim", "rtrim":
            try expectCount(arguments, 1...1, lower, at: offset)
            return function(lower, .string, [try string(arguments[0], "`\(lower)`")], mayFail: false)
        case "length":
            try expectCount(arguments, 1...1, lower, at: offset)
            return function(lower, .int64, [try string(arguments[0], "`length`")], mayFail: false)
        case "concat":
            try expectCount(arguments, 1...Int.max, lower, at: offset)
            return function(lower, .string, try strings(arguments, "`concat`"), mayFail: arguments.count > 1)
        case "substr": return try substr(arguments, at: offset)
        case "date", "hour":
            try expectCount(arguments, 1...1, lower, at: offset)
            return function(lower, lower == "date" ? .string : .int64, [try time(arguments[0], lower)], mayFail: false)
        case "date_trunc": return try dateTrunc(arguments, at: offset)
        case "coalesce": return try coalesce(arguments, at: offset)
        default: throw unknownFunction(name, lower, at: offset)
        }
    }

    private func unknownFunction(_ name: String, _ lower: String, at offset: Int) -> ExpressionError {
        if let aggregate = AggregateFunction(rawValue: lower) {
            return ExpressionError(
                at: offset, "`\(aggregate.rawValue)` folds many rows: it stands only under `aggregate`, as the outermost call")
        }
        if let instead = Self.foreign[lower] {
            return ExpressionError(at: offset, "unknown function `\(name)`; did you mean `\(instead)`?")
        }
        let near = suggestion(for: lower, among: Self.functionNames)
        let all = near.isEmpty ? "; functions are \(Self.functionNames.joined(separator: ", "))" : near
        return ExpressionError(at: offset, "unknown function `\(name)`\(all)")
    }

    private func function(_ name: String, _ type: ValueType, _ arguments: [Node], mayFail: Bool) -> Node {
        guard let function = Function(rawValue: name) else { preconditionFailure("no function \(name)") }
        return fold(
            .call(function, arguments), type, isNullable: mayFail || arguments.contains(where: \.isNullable), over: arguments)
    }

    private func expectCount(_ arguments: [Syntax], _ range: ClosedRange<Int>, _ name: String, at offset: Int) throws(ExpressionError) {
        guard !range.contains(arguments.count) else { return }
        let wanted =
            range.upperBound == .max
            ? "at least \(range.lowerBound)"
            : range.lowerBound == range.upperBound
                ? "\(range.lowerBound)" : "\(range.lowerBound) or \(range.upperBound)"
        throw ExpressionError(
            at: offset, "`\(name)` takes \(wanted) argument\(wanted.hasSuffix("1") ? "" : "s"), found \(arguments.count)")
    }

    private mutating func time(_ syntax: Syntax, _ user: String) throws(ExpressionError) -> Node {
        let node = try value(syntax, "`\(user)`")
        guard node.type == .timestamp else {
            throw ExpressionError(at: syntax.offset, "`\(user)` takes a timestamp, this is \(node.withArticle)")
        }
        return node
    }

    private mutating func substr(_ arguments: [Syntax], at offset: Int) throws(ExpressionError) -> Node {
        try expectCount(arguments, 2...3, "substr", at: offset)
        var nodes = [try string(arguments[0], "`substr`")]
        for argument in arguments.dropFirst() {
            let node = try value(argument, "`substr`")
            guard node.type == .int64, node.kind == .value else {
                throw ExpressionError(
                    at: argument.offset, "`substr` takes a string, a start and a count as int64, this is \(node.withArticle)")
            }
            nodes.append(node)
        }
        return function("substr", .string, nodes, mayFail: false)
    }

    private mutating func dateTrunc(_ arguments: [Syntax], at offset: Int) throws(ExpressionError) -> Node {
        try expectCount(arguments, 2...2, "date_trunc", at: offset)
        let units = DateUnit.allCases.map(\.rawValue)
        guard case .string(let name) = try value(arguments[0], "`date_trunc`").constant else {
            throw ExpressionError(at: arguments[0].offset, "`date_trunc` takes its unit as a text first, such as date_trunc('hour', ts)")
        }
        guard let unit = DateUnit(rawValue: name.lowercased()) else {
            let near = suggestion(for: name, among: units)
            throw ExpressionError(
                at: arguments[0].offset, "unknown unit '\(name)'\(near.isEmpty ? "; units are \(units.joined(separator: ", "))" : near)")
        }
        let node = try time(arguments[1], "date_trunc")
        return fold(.truncate(node, to: unit), .timestamp, isNullable: node.isNullable, over: [node])
    }

    private mutating func coalesce(_ arguments: [Syntax], at offset: Int) throws(ExpressionError) -> Node {
        try expectCount(arguments, 1...Int.max, "coalesce", at: offset)
        var nodes: [Node] = []
        for argument in arguments { nodes.append(try check(argument)) }
        let (type, kind) = try commonType(nodes, arguments, "`coalesce`")
        let converted = nodes.map { convert($0, to: type) }
        return fold(.coalesce(converted), type, isNullable: converted.allSatisfy(\.isNullable), over: converted, kind: kind)
    }

    mutating func choose(
        _ operand: Syntax?, _ branches: [(condition: Syntax, value: Syntax)], _ otherwise: Syntax?
    ) throws(ExpressionError) -> Node {
        let subject: Node?
        let conditions: [Node]
        if let operand {
            // The operand is checked and evaluated once, however many branches there are.
            let nodes = try comparable([operand] + branches.map(\.condition), "`case`", isOrder: false, at: operand.offset)
            subject = nodes[0]
            conditions = Array(nodes.dropFirst())
        } else {
            subject = nil
            conditions = try branches.map { branch throws(ExpressionError) in
                try condition(branch.condition, "the condition of `when`")
            }
        }
        let results = branches.map(\.value) + [otherwise].compactMap { $0 }
        var values: [Node] = []
        for result in results { values.append(try check(result)) }
        let (type, kind) = try commonType(values, results, "`case`")
        let converted = values.map { convert($0, to: type) }
        let last = otherwise == nil ? nil : converted.last
        return fold(
            .choose(subject, zip(conditions, converted).map(Node.Branch.init), otherwise: last), type,
            isNullable: last == nil || converted.contains(where: \.isNullable),
            over: [subject].compactMap { $0 } + conditions + converted, kind: kind)
    }

    /// The type that all can be converted to: any one type; of numbers float64 if one is, else the decimal that holds all.
    private func commonType(_ nodes: [Node], _ syntaxes: [Syntax], _ user: String) throws(ExpressionError) -> (ValueType, Node.Kind) {
        var common: Node?
        var type = ValueType.bool
        for (node, syntax) in zip(nodes, syntaxes) where node.kind != .untypedNull {
            guard let first = common else {
                common = node
                type = node.type
                continue
            }
            let fits = node.kind == first.kind && (node.type == type || (node.kind == .value && node.type.isNumeric && type.isNumeric))
            guard fits else {
                throw ExpressionError(
                    at: syntax.offset, "\(user) needs values of one type, found \(first.typeName) and \(node.typeName)")
            }
            type = Self.common(type, node.type)
        }
        guard let common else {
            throw ExpressionError(
                at: syntaxes[0].offset, "\(user) of nothing but `null` has no type; write cast(null as string) or another type")
        }
        return (type, common.kind)
    }

    private static func common(_ left: ValueType, _ right: ValueType) -> ValueType {
        if left == right { return left }
        if left == .float64 || right == .float64 { return .float64 }
        let scale = max(left.scale, right.scale)
        let precision = min(ValueType.precisionMax, max(left.integerDigits, right.integerDigits) + scale)
        return .decimal(precision: precision, scale: scale)
    }

    mutating func cast(_ operand: Syntax, to name: Syntax.TypeName) throws(ExpressionError) -> Node {
        let type: ValueType
        do {
            type = try TypeName.parse(name.text)
        } catch {
            throw ExpressionError(at: name.offset, error.message)
        }
        let node = try check(operand)
        if node.kind == .untypedNull { return .constant(.null, type) }
        guard node.kind == .value else {
            throw ExpressionError(at: operand.offset, "an interval cannot be cast; divide it by a unit, such as `(a - b) / 1s`")
        }
        guard Self.canCast(from: node.type, to: type) else {
            throw ExpressionError(at: operand.offset, "\(node.withArticle) cannot be cast to \(type)\(Self.castHint(node.type, type))")
        }
        return convert(node, to: type)
    }

    private static func canCast(from: ValueType, to: ValueType) -> Bool {
        if from == to || from == .string || to == .string || (from.isNumeric && to.isNumeric) { return true }
        return from == .bool && to == .int64
    }

    private static func castHint(_ from: ValueType, _ to: ValueType) -> String {
        switch (from, to) {
        case (.timestamp, .int64): "; write (ts - timestamp '1970-01-01T00:00:00Z') / 1ms for milliseconds"
        case (.int64, .timestamp): "; write timestamp '1970-01-01T00:00:00Z' + n * 1ms for milliseconds"
        default: ""
        }
    }
}
