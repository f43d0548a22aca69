/// Text to tokens.
struct Lexer {
    /// Unicode scalars: far more than a reader can take in, little enough that no later step can take long.
    static let lengthMax = 16_384

    private let text: [Unicode.Scalar]
    private var position = 0

    static func tokens(of text: String) throws(ExpressionError) -> [Token] {
        var lexer = Lexer(text: Array(text.unicodeScalars.prefix(lengthMax + 1)))
        guard lexer.text.count <= lengthMax else {
            throw ExpressionError(at: lengthMax, "an expression has at most \(lengthMax) characters")
        }
        var tokens: [Token] = []
        repeat { tokens.append(try lexer.next()) } while tokens.last?.kind != .end
        return tokens
    }

    private init(text: [Unicode.Scalar]) {
        self.text = text
    }

    private var current: Unicode.Scalar? { position < text.count ? text[position] : nil }

    private func peek(_ distance: Int) -> Unicode.Scalar? {
        position + distance < text.count ? text[position + distance] : nil
    }

    private func string(from start: Int) -> String {
        var string = String.UnicodeScalarView()
        string.append(contentsOf: text[start..<position])
        return String(string)
    }

    private mutating func next() throws(ExpressionError) -> Token {
        while let scalar = current, scalar.properties.isWhitespace { position += 1 }
        let start = position
        guard let scalar = current else { return Token(kind: .end, offset: start, text: "") }
        let kind: Token.Kind
        if Self.startsName(scalar) {
            kind = word()
        } else if Self.isDigit(scalar) || (scalar == "." && peek(1).map(Self.isDigit) == true) {
            kind = try number()
        } else if scalar == "'" {
            kind = .string(try quoted(by: "'", what: "text"))
        } else if scalar == "\"" {
            kind = .quotedName(try quoted(by: "\"", what: "name"))
        } else {
            kind = .symbol(try symbol(scalar))
        }
        return Token(kind: kind, offset: start, text: string(from: start))
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

    private static func startsName(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "_" || (scalar.isASCII ? scalar.properties.isAlphabetic : scalar.properties.isXIDStart)
    }

    private static func continuesName(_ scalar: Unicode.Scalar) -> Bool {
        startsName(scalar) || isDigit(scalar) || (!scalar.isASCII && scalar.properties.isXIDContinue)
    }

    private mutating func word() -> Token.Kind {
        let start = position
        while let scalar = current, Self.continuesName(scalar) { position += 1 }
        return .word(string(from: start))
    }

    /// `'it''s'`: a doubled quote stands for itself.
    private mutating func quoted(by quote: Unicode.Scalar, what: String) throws(ExpressionError) -> String {
        let start = position
        var contents = String.UnicodeScalarView()
        position += 1
        while let scalar = current {
            position += 1
            if scalar != quote {
                contents.append(scalar)
            } else if current == quote {
                contents.append(quote)
                position += 1
            } else {
                return String(contents)
            }
        }
        throw ExpressionError(at: start, "the \(what) that begins here has no closing \(quote)")
    }

    private mutating func symbol(_ scalar: Unicode.Scalar) throws(ExpressionError) -> Token.Symbol {
        if let next = peek(1) {
            let two: Token.Symbol? =
                switch (scalar, next) {
                case ("<", ">"), ("!", "="): .notEqual
                case ("<", "="): .lessOrEqual
                case (">", "="): .greaterOrEqual
                case ("|", "|"): .concatenation
                default: nil
                }
            if let two {
                position += 2
                return two
            }
            if let instead = Self.foreign["\(scalar)\(next)"] {
                throw ExpressionError(at: position, "unknown sign `\(scalar)\(next)`; write `\(instead)`")
            }
        }
        guard let one = Token.Symbol(rawValue: String(scalar)) else {
            let name =
                scalar.properties.generalCategory == .control ? "U+" + String(scalar.value, radix: 16, uppercase: true) : "`\(scalar)`"
            throw ExpressionError(at: position, "unexpected character \(name)")
        }
        position += 1
        return one
    }

    /// Signs of other languages.
    private static let foreign = ["==": "=", "&&": "and", "=>": ">=", "=<": "<="]

    private mutating func digits() {
        while let scalar = current, Self.isDigit(scalar) { position += 1 }
    }

    /// `12`, `1.5`, `.5`, `1e3`, or an interval such as `30m`.
    private mutating func number() throws(ExpressionError) -> Token.Kind {
        let start = position
        digits()
        var hasPoint = false
        if current == "." {
            hasPoint = true
            position += 1
            digits()
        }
        let mantissa = string(from: start)
        if current == "e" || current == "E" {
            let sign = peek(1) == "+" || peek(1) == "-" ? 1 : 0
            if peek(1 + sign).map(Self.isDigit) == true {
                position += 1 + sign
                digits()
                let text = string(from: start)
                guard current.map(Self.continuesName) != true, let value = Double(text), value.isFinite else {
                    throw ExpressionError(at: start, "`\(string(from: start))` is no number that a float64 can hold")
                }
                return .float(value)
            }
        }
        guard let scalar = current, Self.continuesName(scalar) else {
            return hasPoint ? .decimal(mantissa) : .integer(mantissa)
        }
        return .interval(try interval(mantissa, hasPoint: hasPoint, from: start))
    }

    private mutating func interval(_ count: String, hasPoint: Bool, from start: Int) throws(ExpressionError) -> Int64 {
        let unitStart = position
        while let scalar = current, Self.continuesName(scalar) { position += 1 }
        let unit = string(from: unitStart)
        guard let microseconds = Interval.units[unit] else {
            throw ExpressionError(
                at: start, "`\(string(from: start))` is neither a number nor an interval; intervals end in us, ms, s, m, h, d or w")
        }
        guard !hasPoint else {
            throw ExpressionError(at: start, "an interval is a whole number of a smaller unit, such as `1500ms` for `1.5s`")
        }
        guard let count = Int64(count), case let (value, overflow) = count.multipliedReportingOverflow(by: microseconds), !overflow else {
            throw ExpressionError(at: start, "the interval `\(string(from: start))` is too long")
        }
        return value
    }
}

/// Lengths of time as they are written here and in the job file.
package enum Interval {
    /// Microseconds a unit.
    package static let units: [String: Int64] = [
        "us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000, "w": 604_800_000_000,
    ]
}
