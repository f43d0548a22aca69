import Batch

/// An aggregate that has been read but not checked: `count()`, `sum(amount where amount > 0)`, `count(distinct url)`.
package struct Aggregate: Sendable {
    package let text: String
    private let name: String
    private let nameOffset: Int
    private let argument: Syntax?
    private let condition: Syntax?
    private let isDistinct: Bool

    /// - Throws: the first thing that cannot be read.
    package static func parse(_ text: String) throws(ExpressionError) -> Aggregate {
        var parser = try Parser(text)
        guard case .word(let name) = parser.current.kind, !Parser.keywords.contains(name.lowercased()) else {
            throw parser.expected("an aggregate such as count() or sum(amount)")
        }
        let offset = parser.current.offset
        parser.advance()
        guard parser.take(.leftParenthesis) else {
            guard parser.current.kind == .end else { throw parser.expected("`(` after `\(name)`") }
            throw ExpressionError(at: offset, "expected an aggregate such as count() or sum(amount), found only `\(name)`")
        }
        let isDistinct = parser.take("distinct")
        var argument: Syntax?
        if !isDistinct, parser.take(.star) {
            // count(*) is count().
        } else if parser.current.kind != .symbol(.rightParenthesis), !parser.isAtWhere {
            argument = try parser.expression()
        }
        let condition = parser.take("where") ? try parser.expression() : nil
        try parser.expect(.rightParenthesis, "at the end of `\(name)`")
        guard parser.current.kind == .end else {
            throw ExpressionError(
                at: parser.current.offset,
                "expected the end after the aggregate, found \(parser.current.description); compute with results in a `select` after the window"
            )
        }
        return Aggregate(
            text: text, name: name, nameOffset: offset, argument: argument, condition: condition, isDistinct: isDistinct)
    }

    /// Names of the columns that are read, each once.
    package var columnNames: [String] {
        var names: [String] = []
        argument?.collectColumns(into: &names)
        condition?.collectColumns(into: &names)
        return names
    }

    /// - Throws: the first thing that does not fit `schema`.
    package func typed(in schema: Schema) throws(ExpressionError) -> AggregateCall {
        let function = try checkedFunction()
        var value: TypedExpression?
        if let argument {
            var checker = Checker(schema: schema)
            let node = try checker.value(argument, "`\(function.rawValue)`")
            value = try checker.finish(node, text: text, at: argument.offset)
        }
        let resultType = try resultType(function, value?.type)
        var checker = Checker(schema: schema)
        var conditions: [Node] = []
        if let condition { conditions.append(try checker.condition(condition, "the condition after `where`")) }
        if function == .count, let argument {
            // `count(x)` counts the rows that have a value.
            let present = Syntax(argument.offset, .isNull(argument, isNegated: true), over: [argument])
            if value?.isNullable == true { conditions.append(try checker.check(present)) }
            value = nil
        }
        let filter =
            conditions.count < 2
            ? conditions.first
            : checker.fold(
                .and(conditions), .bool, isNullable: conditions.contains(where: \.isNullable), over: conditions)
        return AggregateCall(
            text: text, function: function, argument: value,
            condition: try filter.map { node throws(ExpressionError) in try checker.finish(node, text: text, at: nameOffset) },
            resultType: resultType, resultIsNullable: function != .count && function != .countDistinct)
    }

    private func checkedFunction() throws(ExpressionError) -> AggregateFunction {
        let names = AggregateFunction.allCases.map(\.rawValue)
        guard let function = AggregateFunction(rawValue: name.lowercased()) else {
            let foreign = [
                "average": "avg", "mean": "avg", "minimum": "min", "maximum": "max", "approx_count_distinct": "count_distinct",
                "total": "sum",
            ]
            let near = foreign[name.lowercased()].map { "; did you mean `\($0)`?" } ?? suggestion(for: name, among: names)
            throw ExpressionError(
                at: nameOffset, "unknown aggregate `\(name)`\(near.isEmpty ? "; aggregates are \(names.joined(separator: ", "))" : near)")
        }
        if isDistinct {
            guard function == .count else {
                throw ExpressionError(at: nameOffset, "`distinct` is only for `count`")
            }
            guard argument != nil else { throw ExpressionError(at: nameOffset, "`count(distinct ...)` needs a value") }
            return .countDistinct
        }
        guard argument != nil || function == .count else {
            throw ExpressionError(at: nameOffset, "`\(function.rawValue)` needs a value, such as \(function.rawValue)(amount)")
        }
        return function
    }

    private func resultType(_ function: AggregateFunction, _ type: ValueType?) throws(ExpressionError) -> ValueType {
        guard let type else { return .int64 }
        switch function {
        case .count, .countDistinct: return .int64
        case .first, .last: return type
        case .min, .max:
            guard type != .bool else { throw refusal(function, type, "values that have an order") }
            return type
        case .sum, .avg:
            guard type.isNumeric else { throw refusal(function, type, "numbers") }
            guard case .decimal(_, let scale) = type else { return function == .avg ? .float64 : type }
            return .decimal(precision: ValueType.precisionMax, scale: function == .avg ? max(scale, 6) : scale)
        }
    }

    private func refusal(_ function: AggregateFunction, _ type: ValueType, _ wanted: String) -> ExpressionError {
        ExpressionError(
            at: argument?.offset ?? nameOffset, "`\(function.rawValue)` takes \(wanted), this is \(type == .int64 ? "an" : "a") \(type)")
    }
}

extension Parser {
    fileprivate var isAtWhere: Bool {
        if case .word(let word) = current.kind { word.lowercased() == "where" } else { false }
    }
}
