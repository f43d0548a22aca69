import Batch
import Expression
import Seeded
import Testing

private enum Kind: CaseIterable {
    case bool, integer, double, decimal, string, time
}

/// Makes random expressions of a wanted kind, and random rows.
private struct Generator {
    var random: SplitMix64

    mutating func pick<Element>(_ elements: [Element]) -> Element { elements.randomElement(using: &random)! }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    mutating func term(_ kind: Kind, _ depth: Int) -> Term {
        if depth == 0 || chance(15) { return leaf(kind) }
        if kind != .decimal, chance(20) { return branches(kind, depth - 1) }
        switch kind {
        case .bool: return condition(depth - 1)
        case .integer:
            switch Int.random(in: 0..<6, using: &random) {
            case 0: return .function("length", term(.string, depth - 1))
            case 1: return .negate(term(.integer, depth - 1))
            default: return .arithmetic(pick(["+", "-", "*", "/", "%"]), term(.integer, depth - 1), term(.integer, depth - 1))
            }
        case .double:
            let other: Kind = chance(70) ? .double : pick([.integer, .decimal])
            return .arithmetic(pick(["+", "-", "*", "/", "%"]), term(.double, depth - 1), term(other, other == .decimal ? 0 : depth - 1))
        case .decimal:
            // Deeper ones would outgrow the interpreter's numbers.
            return .arithmetic(pick(["+", "-", "*", "/", "%"]), leaf(.decimal), leaf(.decimal))
        case .string:
            switch Int.random(in: 0..<5, using: &random) {
            case 0: return .concat(term(.string, depth - 1), term(.string, depth - 1))
            case 1: return .function(pick(["lower", "upper", "trim"]), term(.string, depth - 1))
            case 2: return .textOf(term(pick([.integer, .bool, .decimal, .double]), depth - 1))
            default:
                return .substr(
                    term(.string, depth - 1), Int64.random(in: -6...6, using: &random), Int64.random(in: -1...6, using: &random))
            }
        case .time: return .plusInterval(term(.time, depth - 1), Int64.random(in: 0...1 << 40, using: &random))
        }
    }

    private mutating func branches(_ kind: Kind, _ depth: Int) -> Term {
        if chance(40) {
            return .coalesce([term(kind, depth), term(kind, depth), term(kind, depth)].dropLast(Int.random(in: 0...1, using: &random)))
        }
        let otherwise = chance(70) ? term(kind, depth) : nil
        let values = [term(kind, depth), term(kind, depth)]
        if chance(50) { return .choose(values.map { (term(.bool, depth), $0) }, otherwise) }
        let subject = pick(Kind.allCases)
        return .match(term(subject, depth), values.map { (term(subject, depth), $0) }, otherwise)
    }

    private mutating func condition(_ depth: Int) -> Term {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: return .and(term(.bool, depth), term(.bool, depth))
        case 1: return .or(term(.bool, depth), term(.bool, depth))
        case 2: return .not(term(.bool, depth))
        case 3: return .isNull(term(pick(Kind.allCases), depth), chance(50))
        case 4:
            let kind = pick(Kind.allCases)
            let elements = (0..<Int.random(in: 1...4, using: &random)).map { _ in chance(70) ? leaf(kind, literal: true) : term(kind, depth)
            }
            return .isIn(term(kind, depth), elements, chance(40))
        case 5:
            let kind = pick(Kind.allCases.filter { $0 != .bool })
            return .between(term(kind, depth), term(kind, depth), term(kind, depth), chance(40))
        default:
            let kind = pick(Kind.allCases)
            let numbers: [Kind] = [.integer, .double, .decimal]
            let other = numbers.contains(kind) ? pick(numbers) : kind
            return .compare(pick(kind == .bool ? ["=", "<>"] : ["=", "<>", "<", "<=", ">", ">="]), term(kind, depth), term(other, depth))
        }
    }

    private mutating func leaf(_ kind: Kind, literal: Bool = false) -> Term {
        if !literal, chance(70) { return .column(Self.column(of: kind, nullable: chance(50))) }
        let value = value(kind)
        switch value {
        case .bool(let value): return .literal(.bool(value), text: value ? "true" : "FALSE")
        case .integer(let value):
            return kind == .time
                ? .literal(.integer(value), text: "(timestamp '1970-01-01T00:00:00Z' + \(value)us)")
                : .literal(.integer(value), text: "\(value)")
        case .double(let value): return .literal(.double(value), text: "\(value)".contains("e") ? "\(value)" : "\(value)e0")
        case .decimal(let mantissa, _):
            let fraction = String(mantissa.magnitude % 100 + 100).dropFirst()
            return .literal(.decimal(mantissa, scale: 2), text: "\(mantissa < 0 ? "-" : "")\(mantissa.magnitude / 100).\(fraction)")
        case .string(let text): return .literal(.string(text), text: "'\(text.replacing("'", with: "''"))'")
        case .null: return .literal(.null, text: "null")
        }
    }

    private static func column(of kind: Kind, nullable: Bool) -> Int {
        let position =
            switch kind {
            case .bool: 0
            case .integer: 1
            case .double: 2
            case .decimal: 3
            case .string: 4
            case .time: 5
            }
        return nullable ? position + 6 : position
    }

    private mutating func value(_ kind: Kind) -> Value {
        switch kind {
        case .bool: .bool(chance(50))
        case .integer: .integer(chance(80) ? Int64.random(in: -9...9, using: &random) : pick([.max, .min, .max - 1, .min + 1, 1 << 32]))
        case .double: .double(pick([0, 1, -1, 0.5, -2.25, 1_000_000, 0.1, 1e300]))
        case .decimal: .decimal(Int128(Int64.random(in: -1_000...1_000, using: &random)), scale: 2)
        case .string: .string(pick(["", "a", "b", "ab", " a ", "ÄÖü", "it's", "😀x", "Straße", "aB  c"]))
        case .time: .integer(Int64.random(in: 0...1 << 50, using: &random))
        }
    }

    mutating func row() -> [Value] {
        Kind.allCases.map { value($0) }
            + Kind.allCases.map { kind in
                if chance(30) { return .null }
                let value = value(kind)
                // The nullable decimal has four digits after the point.
                if case .decimal(let mantissa, _) = value { return .decimal(mantissa * 7, scale: 4) }
                return value
            }
    }

    mutating func anyTerm() -> Term { term(pick(Kind.allCases), Int.random(in: 1...5, using: &random)) }
}

@Test func aBatchIsEvaluatedAsEachRowWouldBe() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var generator = Generator(random: SplitMix64(seed: seed))
    var scratch = ExpressionScratch()
    for _ in 0..<40 {
        let rows = (0..<Int.random(in: 1...40, using: &generator.random)).map { _ in generator.row() }
        var batch = batch(everyType, rows)
        if generator.chance(50) { batch.selection.removeAll { _ in generator.chance(40) } }
        for _ in 0..<25 {
            let term = generator.anyTerm()
            let text = term.text
            let expression: TypedExpression
            do throws(ExpressionError) {
                expression = try Expression.parse(text).typed(in: everyType)
            } catch {
                // Random expressions may nest too deep and nothing else.
                #expect(error.message.contains("nested deeper"), "seed \(seed): \(text): \(error)")
                continue
            }
            let column = expression.evaluate(batch, &scratch)
            for row in batch.selection {
                let expected = term.value(rows[Int(row)])
                let found = column.value(Int(row))
                guard found == expected, expression.isNullable || found != .null else {
                    Issue.record(
                        "seed \(seed): \(text) of \(rows[Int(row)]) is \(found), expected \(expected), nullable: \(expression.isNullable)")
                    return
                }
            }
            if expression.type == .bool {
                var narrowed = batch
                expression.select(&narrowed, &scratch)
                #expect(narrowed.selection == batch.selection.filter { term.value(rows[Int($0)]) == .bool(true) }, "seed \(seed): \(text)")
            }
        }
    }
}

@Test func mutilatedExpressionsAreReadOrRefused() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var generator = Generator(random: SplitMix64(seed: seed))
    let rows = batch(everyType, [generator.row()])
    let pieces = [
        "(", ")", "'", "\"", "case", " end ", "in", "null", "not ", "-", "1e", "9999999999999999999", "0.", "||", "like", "cast(", " as ",
        "decimal(38,38)", "\u{0}", "é", "1d", ",",
    ]
    var accepted = 0
    for _ in 0..<3_000 {
        var text = Array(generator.anyTerm().text.unicodeScalars.prefix(400))
        for _ in 0..<Int.random(in: 1...3, using: &generator.random) {
            let start = Int.random(in: 0...text.count, using: &generator.random)
            let end = min(text.count, start + Int.random(in: 0...4, using: &generator.random))
            text.replaceSubrange(start..<end, with: generator.chance(30) ? [] : Array(generator.pick(pieces).unicodeScalars))
        }
        var string = String.UnicodeScalarView()
        string.append(contentsOf: text)
        do throws(ExpressionError) {
            let expression = try Expression.parse(String(string)).typed(in: everyType)
            _ = expression.evaluate(rows)
            accepted += 1
        } catch {
            #expect((0...text.count).contains(error.offset), "seed \(seed): \(String(string))")
        }
    }
    #expect(accepted > 0)
}
