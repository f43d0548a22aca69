/// Tokens to a syntax tree, by recursive descent; binding from loosest to tightest:
/// `or`, `and`, `not`, comparisons and `in between like is`, `+ - ||`, `* / %`, signs.
struct Parser {
    /// Of parentheses and the like while parsing, and of the tree: what walks a tree calls itself this often at most.
    static let depthMax = 64

    let tokens: [Token]
    private var position = 0
    private var depth = 0

    init(_ text: String) throws(ExpressionError) {
        tokens = try Lexer.tokens(of: text)
    }

    var current: Token { tokens[position] }

    mutating func advance() {
        if position < tokens.count - 1 { position += 1 }
    }

    static let keywords: Set<String> = [
        "and", "or", "not", "in", "between", "like", "escape", "is", "null", "true", "false", "case", "when", "then", "else", "end",
        "cast", "as", "where", "distinct",
    ]

    /// The keyword at the current token, in lower case.
    private var keyword: String? {
        guard case .word(let word) = current.kind else { return nil }
        let lower = word.lowercased()
        return Self.keywords.contains(lower) ? lower : nil
    }

    mutating func take(_ word: String) -> Bool {
        guard keyword == word else { return false }
        advance()
        return true
    }

    mutating func take(_ symbol: Token.Symbol) -> Bool {
        guard current.kind == .symbol(symbol) else { return false }
        advance()
        return true
    }

    func expected(_ what: String) -> ExpressionError {
        ExpressionError(at: current.offset, "expected \(what), found \(current.description)")
    }

    mutating func expect(_ symbol: Token.Symbol, _ purpose: String) throws(ExpressionError) {
        guard take(symbol) else { throw expected("`\(symbol.rawValue)` \(purpose)") }
    }

    mutating func expect(_ word: String, _ purpose: String) throws(ExpressionError) {
        guard take(word) else { throw expected("`\(word)` \(purpose)") }
    }

    func expectEnd() throws(ExpressionError) {
        guard current.kind != .end else { return }
        if case .symbol(.rightParenthesis) = current.kind {
            throw ExpressionError(at: current.offset, "this `)` closes nothing")
        }
        throw expected("an operator or the end")
    }

    private func checked(_ syntax: Syntax) throws(ExpressionError) -> Syntax {
        guard syntax.depth <= Self.depthMax else { throw tooDeep(syntax.offset) }
        return syntax
    }

    private func tooDeep(_ offset: Int) -> ExpressionError {
        ExpressionError(at: offset, "the expression is nested deeper than \(Self.depthMax) levels; split it over two transforms")
    }

    mutating func expression() throws(ExpressionError) -> Syntax {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthMax else { throw tooDeep(current.offset) }
        let first = try conjunction()
        guard keyword == "or" else { return first }
        let offset = current.offset
        var operands = [first]
        while take("or") { operands.append(try conjunction()) }
        return try checked(Syntax(offset, .or(operands), over: operands))
    }

    private mutating func conjunction() throws(ExpressionError) -> Syntax {
        let first = try negation()
        guard keyword == "and" else { return first }
        let offset = current.offset
        var operands = [first]
        while take("and") { operands.append(try negation()) }
        return try checked(Syntax(offset, .and(operands), over: operands))
    }

    private mutating func negation() throws(ExpressionError) -> Syntax {
        let offset = current.offset
        var isNegated = false
        var count = 0
        while take("not") {
            isNegated.toggle()
            count += 1
        }
        let operand = try predicate()
        guard count > 0 else { return operand }
        let once = try checked(Syntax(offset, .not(operand), over: [operand]))
        // An even number of them still checks that the operand is a condition.
        return isNegated ? once : try checked(Syntax(offset, .not(once), over: [once]))
    }

    private mutating func predicate() throws(ExpressionError) -> Syntax {
        let left = try sum()
        let operation = current
        if case .symbol(let symbol) = operation.kind, Self.comparisons.contains(symbol) {
            advance()
            let right = try sum()
            if case .symbol(let next) = current.kind, Self.comparisons.contains(next) {
                throw ExpressionError(at: current.offset, "comparisons do not chain; write `a < b and b < c`")
            }
            return try checked(Syntax(operation.offset, .compare(symbol, left, right), over: [left, right]))
        }
        if take("is") {
            let isNegated = take("not")
            guard take("null") else { throw expected(isNegated ? "`null` after `is not`" : "`null` or `not null` after `is`") }
            return try checked(Syntax(operation.offset, .isNull(left, isNegated: isNegated), over: [left]))
        }
        let isNegated = take("not")
        switch keyword {
        case "in": return try membership(of: left, isNegated: isNegated)
        case "between":
            advance()
            let low = try sum()
            try expect("and", "between the limits of `between`")
            let high = try sum()
            return try checked(
                Syntax(operation.offset, .between(left, low, high, isNegated: isNegated), over: [left, low, high]))
        case "like": return try like(left, isNegated: isNegated)
        default:
            guard !isNegated else { throw expected("`in`, `between` or `like` after `not`") }
            return left
        }
    }

    private static let comparisons: Set<Token.Symbol> = [.equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual]

    private mutating func membership(of left: Syntax, isNegated: Bool) throws(ExpressionError) -> Syntax {
        let offset = current.offset
        advance()
        try expect(.leftParenthesis, "after `in`")
        var elements: [Syntax] = []
        repeat { elements.append(try expression()) } while take(.comma)
        try expect(.rightParenthesis, "at the end of the list")
        return try checked(Syntax(offset, .isIn(left, elements, isNegated: isNegated), over: [left] + elements))
    }

    private mutating func like(_ left: Syntax, isNegated: Bool) throws(ExpressionError) -> Syntax {
        let offset = current.offset
        advance()
        let pattern = try sum()
        var escape: Syntax.Escape?
        if take("escape") {
            guard case .string(let text) = current.kind, text.unicodeScalars.count == 1 else {
                throw expected("one character in quotes after `escape`")
            }
            escape = Syntax.Escape(offset: current.offset, text: text)
            advance()
        }
        return try checked(
            Syntax(offset, .like(left, pattern, escape: escape, isNegated: isNegated), over: [left, pattern]))
    }

    private mutating func sum() throws(ExpressionError) -> Syntax {
        var left = try product()
        while case .symbol(let symbol) = current.kind {
            let offset = current.offset
            switch symbol {
            case .plus, .minus:
                advance()
                let right = try product()
                left = try checked(
                    Syntax(offset, .arithmetic(symbol == .plus ? .add : .subtract, left, right), over: [left, right]))
            case .concatenation:
                var operands = [left]
                while take(.concatenation) { operands.append(try product()) }
                left = try checked(Syntax(offset, .concatenate(operands), over: operands))
            default: return left
            }
        }
        return left
    }

    private mutating func product() throws(ExpressionError) -> Syntax {
        var left = try sign()
        while case .symbol(let symbol) = current.kind, let operation = Self.products[symbol] {
            let offset = current.offset
            advance()
            let right = try sign()
            left = try checked(Syntax(offset, .arithmetic(operation, left, right), over: [left, right]))
        }
        return left
    }

    private static let products: [Token.Symbol: Arithmetic] = [.star: .multiply, .slash: .divide, .percent: .remainder]

    private mutating func sign() throws(ExpressionError) -> Syntax {
        var offsets: [Int] = []
        while true {
            let offset = current.offset
            if take(.minus) {
                offsets.append(offset)
            } else if !take(.plus) {
                break
            }
        }
        var operand = try primary()
        for offset in offsets.reversed() {
            operand = try checked(Syntax(offset, .negate(operand), over: [operand]))
        }
        return operand
    }

    private mutating func primary() throws(ExpressionError) -> Syntax {
        let token = current
        switch token.kind {
        case .integer(let digits):
            advance()
            return Syntax(token.offset, .integer(digits))
        case .decimal(let digits):
            advance()
            return Syntax(token.offset, .decimal(digits))
        case .float(let value):
            advance()
            return Syntax(token.offset, .float(value))
        case .string(let text):
            advance()
            return Syntax(token.offset, .string(text))
        case .interval(let microseconds):
            advance()
            return Syntax(token.offset, .interval(microseconds))
        case .quotedName(let name):
            advance()
            return Syntax(token.offset, .column(name))
        case .symbol(.leftParenthesis):
            advance()
            let inner = try expression()
            try expect(.rightParenthesis, "to close the parenthesis")
            return inner
        case .word(let word):
            return try name(word, token)
        case .symbol, .end:
            throw expected("a value")
        }
    }

    private mutating func name(_ word: String, _ token: Token) throws(ExpressionError) -> Syntax {
        switch keyword {
        case "null": return literal(.null, token)
        case "true": return literal(.bool(true), token)
        case "false": return literal(.bool(false), token)
        case "case": return try choice()
        case "cast": return try cast()
        case .some(let keyword):
            throw ExpressionError(
                at: token.offset, "expected a value, found the keyword `\(word)`; write \"\(keyword)\" if a column has this name")
        case nil: break
        }
        advance()
        if case .string(let text) = current.kind, word.lowercased() == "timestamp" {
            let offset = current.offset
            advance()
            return Syntax(offset, .timestamp(text))
        }
        guard take(.leftParenthesis) else { return Syntax(token.offset, .column(word)) }
        var arguments: [Syntax] = []
        if !take(.rightParenthesis) {
            repeat { arguments.append(try expression()) } while take(.comma)
            try expect(.rightParenthesis, "at the end of the arguments of `\(word)`")
        }
        return try checked(Syntax(token.offset, .call(word, arguments), over: arguments))
    }

    private mutating func literal(_ form: Syntax.Form, _ token: Token) -> Syntax {
        advance()
        return Syntax(token.offset, form)
    }

    private mutating func choice() throws(ExpressionError) -> Syntax {
        let offset = current.offset
        advance()
        var children: [Syntax] = []
        var operand: Syntax?
        if keyword != "when" {
            let value = try expression()
            operand = value
            children.append(value)
        }
        var branches: [(condition: Syntax, value: Syntax)] = []
        while take("when") {
            let condition = try expression()
            try expect("then", "after the condition of `when`")
            let value = try expression()
            branches.append((condition, value))
            children.append(condition)
            children.append(value)
        }
        guard !branches.isEmpty else { throw expected("`when` after `case`") }
        var otherwise: Syntax?
        if take("else") {
            let value = try expression()
            otherwise = value
            children.append(value)
        }
        guard take("end") else { throw expected("`when`, `else` or `end` in the `case`") }
        return try checked(Syntax(offset, .choose(operand: operand, branches, otherwise: otherwise), over: children))
    }

    private mutating func cast() throws(ExpressionError) -> Syntax {
        let offset = current.offset
        advance()
        try expect(.leftParenthesis, "after `cast`")
        let operand = try expression()
        try expect("as", "and a type in `cast(value as type)`")
        let type = try typeName()
        try expect(.rightParenthesis, "at the end of `cast`")
        return try checked(Syntax(offset, .cast(operand, type: type), over: [operand]))
    }

    private mutating func typeName() throws(ExpressionError) -> Syntax.TypeName {
        let offset = current.offset
        guard case .word(let word) = current.kind else { throw expected("a type") }
        advance()
        guard take(.leftParenthesis) else { return Syntax.TypeName(offset: offset, text: word) }
        var numbers: [String] = []
        repeat {
            guard case .integer(let digits) = current.kind else { throw expected("a number of digits") }
            numbers.append(digits)
            advance()
        } while take(.comma)
        try expect(.rightParenthesis, "at the end of the type")
        return Syntax.TypeName(offset: offset, text: "\(word)(\(numbers.joined(separator: ",")))")
    }
}
