/// An expression as it was written: nothing is known of columns and types yet.
struct Syntax: Sendable {
    /// Where the sign, word or literal stands that made this node: Unicode scalars from the start.
    let offset: Int
    let form: Form
    /// Nodes on the longest way down, this one included.
    let depth: Int

    indirect enum Form: Sendable {
        case column(String)
        case null
        case bool(Bool)
        case integer(String)
        case decimal(String)
        case float(Double)
        case string(String)
        /// The text after `timestamp`.
        case timestamp(String)
        case interval(Int64)
        case negate(Syntax)
        case not(Syntax)
        case and([Syntax])
        case or([Syntax])
        case compare(Token.Symbol, Syntax, Syntax)
        case arithmetic(Arithmetic, Syntax, Syntax)
        case concatenate([Syntax])
        case isIn(Syntax, [Syntax], isNegated: Bool)
        case between(Syntax, Syntax, Syntax, isNegated: Bool)
        case like(Syntax, Syntax, escape: Escape?, isNegated: Bool)
        case isNull(Syntax, isNegated: Bool)
        case choose(operand: Syntax?, [(condition: Syntax, value: Syntax)], otherwise: Syntax?)
        case cast(Syntax, type: TypeName)
        case call(String, [Syntax])
    }

    struct Escape: Sendable {
        let offset: Int
        let text: String
    }

    /// `decimal(12,2)` as it stands after `as`.
    struct TypeName: Sendable {
        let offset: Int
        let text: String
    }

    init(_ offset: Int, _ form: Form, over children: [Syntax] = []) {
        self.offset = offset
        self.form = form
        self.depth = (children.map(\.depth).max() ?? 0) + 1
    }
}
