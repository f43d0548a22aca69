import Batch

extension Checker {
    mutating func compare(_ symbol: Token.Symbol, _ left: Syntax, _ right: Syntax, at offset: Int) throws(ExpressionError) -> Node {
        let comparison: Comparison =
            switch symbol {
            case .equal: .equal
            case .notEqual: .notEqual
            case .less: .less
            case .lessOrEqual: .lessOrEqual
            case .greater: .greater
            default: .greaterOrEqual
            }
        let nodes = try comparable(
            [left, right], "`\(symbol.rawValue)`", isOrder: comparison != .equal && comparison != .notEqual, at: offset)
        return fold(
            .compare(comparison, nodes[0], nodes[1]), .bool, isNullable: nodes.contains(where: \.isNullable), over: nodes)
    }

    mutating func between(_ operand: Syntax, _ low: Syntax, _ high: Syntax, isNegated: Bool) throws(ExpressionError) -> Node {
        let nodes = try comparable([operand, low, high], "`between`", isOrder: true, at: operand.offset)
        return fold(
            .between(nodes[0], low: nodes[1], high: nodes[2], isNegated: isNegated), .bool,
            isNullable: nodes.contains(where: \.isNullable), over: nodes)
    }

    mutating func membership(_ operand: Syntax, _ elements: [Syntax], isNegated: Bool) throws(ExpressionError) -> Node {
        let nodes = try comparable([operand] + elements, "`in`", isOrder: false, at: operand.offset)
        var constants = ConstantList()
        var others: [Node] = []
        for node in nodes.dropFirst() {
            if let constant = node.constant, constant != .null {
                constants.add(constant, scale: node.type.scale, operandScale: nodes[0].type.scale)
            } else {
                others.append(node)
            }
        }
        constants.sort()
        return fold(
            .isIn(nodes[0], constants: constants, others: others, isNegated: isNegated), .bool,
            isNullable: nodes.contains(where: \.isNullable), over: nodes)
    }

    /// The operands in one type; decimals keep their scales.
    mutating func comparable(
        _ operands: [Syntax], _ user: String, isOrder: Bool, at offset: Int
    ) throws(ExpressionError) -> [Node] {
        var nodes: [Node] = []
        for operand in operands { nodes.append(try value(operand, "\(user)")) }
        let first = nodes[0]
        for (node, syntax) in zip(nodes, operands).dropFirst() where !Self.areComparable(first, node) {
            throw ExpressionError(
                at: user == "`in`" || user == "`case`" ? syntax.offset : offset,
                "\(user) cannot compare \(first.typeName) with \(node.typeName)\(Self.hint(first, node))")
        }
        if isOrder, first.type == .bool {
            throw ExpressionError(at: offset, "\(user) needs values that have an order, bool has none")
        }
        guard nodes.contains(where: { $0.type != first.type }) else { return nodes }
        // Only numbers may differ here.
        if nodes.contains(where: { $0.type == .float64 }) {
            return nodes.map { convert($0, to: .float64) }
        }
        return aligned(nodes.map { $0.type == .int64 ? convert($0, to: .decimal(precision: 19, scale: 0)) : $0 })
    }

    /// Brings constants to the scale of the others where that changes nothing: equal scales are compared as integers.
    private func aligned(_ nodes: [Node]) -> [Node] {
        guard let scale = nodes.filter({ $0.constant == nil }).map(\.type.scale).max() else { return nodes }
        return nodes.map { node in
            guard case .decimal(let mantissa) = node.constant, let scaled = Decimal.rescale(mantissa, from: node.type.scale, to: scale),
                Decimal.fits(scaled, ValueType.precisionMax), Decimal.order(scaled, scale, mantissa, node.type.scale) == 0
            else { return node }
            return .constant(.decimal(scaled), .decimal(precision: ValueType.precisionMax, scale: scale))
        }
    }

    private static func areComparable(_ left: Node, _ right: Node) -> Bool {
        if left.kind == .interval || right.kind == .interval { return left.kind == right.kind }
        return left.type == right.type || (left.type.isNumeric && right.type.isNumeric)
    }

    private static func hint(_ left: Node, _ right: Node) -> String {
        let pair = [left, right]
        if let text = pair.first(where: { $0.type == .string })?.constant, case .string(let text) = text {
            if pair.contains(where: { $0.type == .timestamp }) { return "; write timestamp '\(text)'" }
            if pair.contains(where: { $0.type.isNumeric }) { return "; numbers stand without quotes" }
            if pair.contains(where: { $0.type == .bool }) { return "; true and false stand without quotes" }
        }
        if pair.contains(where: { $0.type == .timestamp }), pair.contains(where: { $0.type == .int64 && $0.kind == .value }) {
            return "; write timestamp '2026-01-31T12:00:00Z'"
        }
        return "; convert one with cast(... as ...)"
    }

    mutating func like(
        _ operand: Syntax, _ pattern: Syntax, _ escape: Syntax.Escape?, isNegated: Bool
    ) throws(ExpressionError) -> Node {
        let node = try string(operand, "`like`")
        guard case .string(let text) = try string(pattern, "`like`").constant else {
            throw ExpressionError(at: pattern.offset, "the pattern of `like` has to be a constant")
        }
        do {
            let compiled = try LikePattern(text, escape: escape?.text.unicodeScalars.first)
            return fold(.like(node, compiled, isNegated: isNegated), .bool, isNullable: node.isNullable, over: [node])
        } catch {
            throw ExpressionError(
                at: pattern.offset, "in the pattern \(escape?.text ?? "") has to be followed by %, _ or itself")
        }
    }
}

extension ValueType {
    /// Of a decimal; 0 for everything else.
    var scale: Int {
        if case .decimal(_, let scale) = self { scale } else { 0 }
    }

    /// Digits before the point; of an int64 as many as it may have.
    var integerDigits: Int {
        if case .decimal(let precision, let scale) = self { precision - scale } else { 19 }
    }
}

extension ConstantList {
    /// Constants that no operand can be equal to are left out.
    mutating func add(_ constant: Constant, scale: Int, operandScale: Int) {
        switch constant {
        case .null: break
        case .bool(let value): bools.append(value ? 1 : 0)
        case .integer(let value): integers.append(value)
        case .double(let value): doubles.append(value)
        case .string(let value): strings.append(Array(value.utf8))
        case .decimal(let value):
            if let scaled = Decimal.rescale(value, from: scale, to: operandScale),
                Decimal.order(scaled, operandScale, value, scale) == 0
            {
                decimals.append(scaled)
            }
        }
    }

    mutating func sort() {
        bools.sort()
        integers.sort()
        doubles.sort()
        decimals.sort()
        strings.sort { $0.lexicographicallyPrecedes($1) }
    }
}
