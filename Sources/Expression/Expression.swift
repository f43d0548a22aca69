import Batch

/// An expression that has been read but not checked against columns.
///
/// The language is SQL's for values; keywords in any case. Literals: `12`, `1.50` (decimal), `1e3` (float64), `'it''s'`, `true`,
/// `false`, `null`, `timestamp '2026-01-31T12:00:00Z'`, intervals `250ms 30s 5m 24h 7d 2w`. Names that are keywords stand
/// in double quotes.
package struct Expression: Sendable {
    package let text: String
    let root: Syntax

    /// - Throws: the first thing that cannot be read.
    package static func parse(_ text: String) throws(ExpressionError) -> Expression {
        var parser = try Parser(text)
        guard parser.current.kind != .end else { throw ExpressionError(at: 0, "expected an expression, found nothing") }
        let root = try parser.expression()
        try parser.expectEnd()
        return Expression(text: text, root: root)
    }

    /// Names of the columns that are read, each once, in the order of their first use.
    package var columnNames: [String] {
        var names: [String] = []
        root.collectColumns(into: &names)
        return names
    }

    /// - Throws: the first thing that does not fit `schema`.
    package func typed(in schema: Schema) throws(ExpressionError) -> TypedExpression {
        var checker = Checker(schema: schema)
        let node = try checker.check(root)
        return try checker.finish(node, text: text, at: root.offset)
    }

    /// As `typed(in:)`, for a place where only true and false make sense.
    package func condition(in schema: Schema) throws(ExpressionError) -> TypedExpression {
        var checker = Checker(schema: schema)
        let node = try checker.condition(root, "the condition")
        return try checker.finish(node, text: text, at: root.offset)
    }
}

extension Syntax {
    var children: [Syntax] {
        switch form {
        case .column, .null, .bool, .integer, .decimal, .float, .string, .timestamp, .interval: []
        case .negate(let operand), .not(let operand), .isNull(let operand, _), .cast(let operand, _): [operand]
        case .and(let operands), .or(let operands), .concatenate(let operands), .call(_, let operands): operands
        case .compare(_, let left, let right), .arithmetic(_, let left, let right), .like(let left, let right, _, _): [left, right]
        case .isIn(let operand, let elements, _): [operand] + elements
        case .between(let operand, let low, let high, _): [operand, low, high]
        case .choose(let operand, let branches, let otherwise):
            [operand].compactMap { $0 } + branches.flatMap { [$0.condition, $0.value] } + [otherwise].compactMap { $0 }
        }
    }

    func collectColumns(into names: inout [String]) {
        if case .column(let name) = form, !names.contains(name) { names.append(name) }
        for child in children { child.collectColumns(into: &names) }
    }
}
