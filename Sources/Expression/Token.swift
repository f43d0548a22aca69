/// A word or sign of an expression.
struct Token: Sendable {
    enum Kind: Hashable, Sendable {
        /// A keyword or a name, as written.
        case word(String)
        /// `"name"`, never a keyword.
        case quotedName(String)
        /// Digits.
        case integer(String)
        /// Digits with a point.
        case decimal(String)
        /// With an exponent.
        case float(Double)
        case string(String)
        /// Microseconds.
        case interval(Int64)
        case symbol(Symbol)
        case end
    }

    enum Symbol: String, Sendable {
        case leftParenthesis = "("
        case rightParenthesis = ")"
        case comma = ","
        case plus = "+"
        case minus = "-"
        case star = "*"
        case slash = "/"
        case percent = "%"
        case concatenation = "||"
        case equal = "="
        case notEqual = "<>"
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
    }

    let kind: Kind
    /// Unicode scalars before it.
    let offset: Int
    /// As written, for messages.
    let text: String

    /// For `found ...`.
    var description: String {
        switch kind {
        case .end: "the end"
        case .string: "the text \(text)"
        default: "`\(text)`"
        }
    }
}
