import Batch

/// Gives every node of a syntax tree its type, puts conversions in and computes what is constant.
struct Checker {
    let schema: Schema
    private(set) var columns: Set<Int> = []

    init(schema: Schema) {
        self.schema = schema
    }

    /// The whole, if it can be a column.
    func finish(_ node: Node, text: String, at offset: Int) throws(ExpressionError) -> TypedExpression {
        switch node.kind {
        case .value: break
        case .untypedNull:
            throw ExpressionError(at: offset, "`null` alone has no type; write cast(null as string) or another type")
        case .interval:
            throw ExpressionError(at: offset, "an interval is no column; divide it by a unit, such as `(a - b) / 1s`")
        }
        return TypedExpression(text: text, root: node, columns: columns.sorted())
    }

    mutating func check(_ syntax: Syntax) throws(ExpressionError) -> Node {
        switch syntax.form {
        case .column(let name): return try column(name, at: syntax.offset)
        case .null, .bool, .integer, .decimal, .float, .string, .timestamp, .interval: return try literal(syntax, isNegative: false)
        case .negate(let operand): return try negate(operand, at: syntax.offset)
        case .not(let operand):
            let node = try condition(operand, "`not`")
            return fold(.not(node), .bool, isNullable: node.isNullable, over: [node])
        case .and(let operands):
            let nodes = try conditions(operands, "`and`")
            return fold(.and(nodes), .bool, isNullable: nodes.contains(where: \.isNullable), over: nodes)
        case .or(let operands):
            let nodes = try conditions(operands, "`or`")
            return fold(.or(nodes), .bool, isNullable: nodes.contains(where: \.isNullable), over: nodes)
        case .compare(let symbol, let left, let right): return try compare(symbol, left, right, at: syntax.offset)
        case .between(let operand, let low, let high, let isNegated):
            return try between(operand, low, high, isNegated: isNegated)
        case .isIn(let operand, let elements, let isNegated): return try membership(operand, elements, isNegated: isNegated)
        case .like(let operand, let pattern, let escape, let isNegated):
            return try like(operand, pattern, escape, isNegated: isNegated)
        case .isNull(let operand, let isNegated):
            let node = try check(operand)
            return fold(.isNull(node, isNegated: isNegated), .bool, isNullable: false, over: [node])
        case .arithmetic(let operation, let left, let right):
            return try arithmetic(operation, left, right, at: syntax.offset)
        case .concatenate(let operands):
            let nodes = try strings(operands, "`||`")
            return fold(.call(.concat, nodes), .string, isNullable: true, over: nodes)
        case .choose(let operand, let branches, let otherwise): return try choose(operand, branches, otherwise)
        case .cast(let operand, let type): return try cast(operand, to: type)
        case .call(let name, let arguments): return try call(name, arguments, at: syntax.offset)
        }
    }

    // Names and literals.

    private mutating func column(_ name: String, at offset: Int) throws(ExpressionError) -> Node {
        guard let index = schema.index(of: name) else {
            let near = suggestion(for: name, among: schema.fields.map(\.name))
            let all = near.isEmpty ? "; columns are \(schema.fields.map(\.name).joined(separator: ", "))" : near
            throw ExpressionError(at: offset, "unknown column `\(name)`\(all)")
        }
        columns.insert(index)
        let field = schema.fields[index]
        return Node(form: .column(index), type: field.type, isNullable: field.isNullable)
    }

    private func literal(_ syntax: Syntax, isNegative: Bool) throws(ExpressionError) -> Node {
        let sign = isNegative ? "-" : ""
        switch syntax.form {
        case .null: return .constant(.null, .bool, kind: .untypedNull)
        case .bool(let value): return .constant(.bool(value), .bool)
        case .float(let value): return .constant(.double(isNegative ? -value : value), .float64)
        case .string(let text): return .constant(.string(text), .string)
        case .interval(let value): return .constant(.integer(isNegative ? -value : value), .int64, kind: .interval)
        case .integer(let digits):
            if let value = Int64(sign + digits) { return .constant(.integer(value), .int64) }
            return try decimalLiteral(sign + digits, scale: 0, at: syntax.offset)
        case .decimal(let digits):
            return try decimalLiteral(
                sign + digits, scale: digits.split(separator: ".", omittingEmptySubsequences: false)[1].count, at: syntax.offset)
        case .timestamp(let text):
            guard let time = Calendar.parse(text) else {
                throw ExpressionError(
                    at: syntax.offset, "'\(text)' is no time as RFC 3339 has it; write timestamp '2026-01-31T12:00:00Z'")
            }
            return .constant(.integer(time), .timestamp)
        default: preconditionFailure("not a literal")
        }
    }

    private func decimalLiteral(_ text: String, scale: Int, at offset: Int) throws(ExpressionError) -> Node {
        guard scale <= ValueType.precisionMax, let mantissa = Decimal.parse(text, scale: scale) else {
            throw ExpressionError(at: offset, "a number has at most \(ValueType.precisionMax) digits; write 1e40 for a float64")
        }
        let digits = String(mantissa.magnitude).utf8.count
        return .constant(.decimal(mantissa), .decimal(precision: max(digits, scale, 1), scale: scale))
    }

    private mutating func negate(_ operand: Syntax, at offset: Int) throws(ExpressionError) -> Node {
        switch operand.form {
        case .integer, .decimal, .float, .interval: return try literal(operand, isNegative: true)
        default: break
        }
        let node = try value(operand, "`-`")
        guard node.type.isNumeric else {
            throw ExpressionError(at: offset, "`-` takes a number, not \(node.withArticle)")
        }
        // The smallest int64 has no negative.
        return fold(.negate(node), node.type, isNullable: node.isNullable || node.type == .int64, over: [node], kind: node.kind)
    }

    // What the checks of single operations share.

    /// Anything but the literal `null`.
    mutating func value(_ syntax: Syntax, _ user: String) throws(ExpressionError) -> Node {
        let node = try check(syntax)
        guard node.kind != .untypedNull else {
            throw ExpressionError(at: syntax.offset, "\(user) of `null` is always null; write `is null` to look for nulls")
        }
        return node
    }

    mutating func condition(_ syntax: Syntax, _ user: String) throws(ExpressionError) -> Node {
        let node = try check(syntax)
        guard node.type == .bool else {
            throw ExpressionError(at: syntax.offset, "\(user) has to be true or false, this is \(node.withArticle)")
        }
        var condition = node
        condition.kind = .value
        return condition
    }

    private mutating func conditions(_ operands: [Syntax], _ user: String) throws(ExpressionError) -> [Node] {
        var nodes: [Node] = []
        for operand in operands { nodes.append(try condition(operand, "each side of \(user)")) }
        return nodes
    }

    mutating func string(_ syntax: Syntax, _ user: String) throws(ExpressionError) -> Node {
        let node = try value(syntax, user)
        guard node.type == .string else {
            throw ExpressionError(
                at: syntax.offset, "\(user) takes strings, this is \(node.withArticle); write cast(... as string)")
        }
        return node
    }

    mutating func strings(_ operands: [Syntax], _ user: String) throws(ExpressionError) -> [Node] {
        var nodes: [Node] = []
        for operand in operands { nodes.append(try string(operand, user)) }
        return nodes
    }

    /// The node, or its value where all operands are constant.
    func fold(
        _ form: Node.Form, _ type: ValueType, isNullable: Bool, over operands: [Node], kind: Node.Kind = .value
    ) -> Node {
        let node = Node(form: form, type: type, isNullable: isNullable, kind: kind)
        guard operands.allSatisfy({ $0.constant != nil }) else { return node }
        var evaluator = Evaluator(columns: [], rows: [0], rowCount: 1, scratch: ExpressionScratch())
        let column = evaluator.column(of: node)
        return Node(
            form: .constant(Constant(column, row: 0), column), type: type, isNullable: column.isNull(0), kind: kind)
    }

    /// `node` as a `type`; the caller has made sure that there is such a cast.
    func convert(_ node: Node, to type: ValueType) -> Node {
        if node.kind == .untypedNull { return .constant(.null, type) }
        if node.type == type { return node }
        return fold(.cast(node), type, isNullable: node.isNullable || Self.mayFail(from: node.type, to: type), over: [node])
    }

    /// Whether a value of one type may have none of the other.
    static func mayFail(from: ValueType, to: ValueType) -> Bool {
        switch (from, to) {
        case (_, .string), (.int64, .float64), (.decimal, .float64), (.bool, .int64): false
        case (.int64, .decimal(let precision, let scale)): precision - scale < 19
        case (.decimal(let precision, let scale), .int64): precision - scale > 18
        case (.decimal(let precision, let scale), .decimal(let newPrecision, let newScale)):
            // Rounding may carry into one more digit.
            newPrecision - newScale < precision - scale + (newScale < scale ? 1 : 0)
        default: from != to
        }
    }
}

extension Node {
    static func constant(_ value: Constant, _ type: ValueType, kind: Kind = .value) -> Node {
        Node(form: .constant(value, Column(value, type)), type: type, isNullable: value == .null, kind: kind)
    }

    /// For messages.
    var typeName: String {
        switch kind {
        case .value: "\(type)"
        case .interval: "interval"
        case .untypedNull: "null"
        }
    }

    var withArticle: String { "\(typeName.hasPrefix("i") ? "an" : "a") \(typeName)" }
}

extension Column {
    /// One row.
    init(_ value: Constant, _ type: ValueType) {
        self.init(type)
        switch value {
        case .null: appendNull()
        case .bool(let value): append(bool: value)
        case .integer(let value): append(integer: value)
        case .double(let value): append(double: value)
        case .decimal(let value): append(decimal: value)
        case .string(let value): append(string: value)
        }
    }
}

extension Constant {
    init(_ column: Column, row: Int) {
        if column.isNull(row) {
            self = .null
            return
        }
        self =
            switch column.type {
            case .bool: .bool(column.bools[row] == 1)
            case .int64, .timestamp: .integer(column.integers[row])
            case .float64: .double(column.doubles[row])
            case .decimal: .decimal(column.decimals[row])
            case .string: .string(column.string(at: row))
            }
    }
}
