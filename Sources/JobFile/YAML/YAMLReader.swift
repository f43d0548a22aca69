import Expression

/// Text to a tree, with everything reported that a job file has no use for.
struct YAMLReader {
    /// Unicode scalars.
    static let lengthMax = 1 << 20
    static let depthMax = 32

    private let diagnostics: Diagnostics
    private let environment: Environment
    private let parser: YAMLParser
    private var depth = 0

    /// The tree of `diagnostics.source`; nil when there is none, which has been reported.
    static func read(_ text: String, _ environment: Environment, _ diagnostics: Diagnostics) -> YAMLNode? {
        guard diagnostics.source.scalars.count <= lengthMax else {
            diagnostics.report(lengthMax, "the file is longer than \(lengthMax) characters")
            return nil
        }
        guard let parser = YAMLParser(text) else {
            diagnostics.report(0, "out of memory")
            return nil
        }
        var reader = YAMLReader(diagnostics: diagnostics, environment: environment, parser: parser)
        do {
            return try reader.document()
        } catch {
            diagnostics.report(error.index, reader.explain(error))
            return nil
        }
    }

    private init(diagnostics: Diagnostics, environment: Environment, parser: YAMLParser) {
        self.diagnostics = diagnostics
        self.environment = environment
        self.parser = parser
    }

    private func explain(_ problem: YAMLParser.Problem) -> String {
        guard problem.isOfLibrary else { return problem.message }
        let scalars = diagnostics.source.scalars
        let position = diagnostics.source.position(of: min(problem.index, scalars.count))
        let lineStart = min(problem.index, scalars.count) - position.column + 1
        let indent = scalars[lineStart...].prefix { $0 == " " || $0 == "\t" }
        if indent.contains("\t") { return "a tab; YAML is indented with spaces" }
        if problem.index < scalars.count, problem.message.contains("cannot start any token") {
            let scalar = scalars[problem.index]
            if scalar == "%" || scalar == "@" || scalar == "`" { return "a value cannot begin with `\(scalar)`; put it in quotes" }
        }
        return "this is no YAML: \(problem.message)\(problem.context.map { ", \($0)" } ?? "")"
    }

    private mutating func document() throws(YAMLParser.Problem) -> YAMLNode? {
        var root: YAMLNode?
        var documents = 0
        while true {
            let event = try parser.next()
            switch event.kind {
            case .streamEnd:
                if documents == 0 { diagnostics.report(0, "the file is empty") }
                return root
            case .documentStart:
                documents += 1
                if documents == 2 { diagnostics.report(event.start, "a second document; a file holds one") }
            case .documentEnd, .other: break
            default:
                let node = try node(event)
                if documents == 1 { root = node }
            }
        }
    }

    private mutating func node(_ event: YAMLParser.Event) throws(YAMLParser.Problem) -> YAMLNode {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthMax else {
            throw YAMLParser.Problem(
                index: event.start, message: "nested deeper than \(Self.depthMax) levels", context: nil, isOfLibrary: false)
        }
        let node = try contents(event)
        if let anchor = event.anchor {
            diagnostics.report(event.start, "the anchor `&\(anchor)`: anchors and aliases are not allowed, write the value out")
        } else if let tag = event.tag {
            diagnostics.report(
                event.start,
                "the tag `\(tag.replacing("tag:yaml.org,2002:", with: "!!"))`: tags are not allowed, the place of a value says its type")
        }
        return node
    }

    private mutating func contents(_ event: YAMLParser.Event) throws(YAMLParser.Problem) -> YAMLNode {
        switch event.kind {
        case .scalar(let text, let isPlain, let isBlock): return scalar(text, isPlain, isBlock, event)
        case .alias(let name):
            diagnostics.report(event.start, "the alias `*\(name)`: anchors and aliases are not allowed, write the value out")
            return YAMLNode(content: .broken, start: event.start)
        case .sequenceStart:
            var elements: [YAMLNode] = []
            while true {
                let next = try parser.next()
                if case .sequenceEnd = next.kind { return YAMLNode(content: .sequence(elements), start: event.start) }
                elements.append(try node(next))
            }
        case .mappingStart(let isFlow): return try mapping(event, isFlow: isFlow)
        default: return YAMLNode(content: .broken, start: event.start)
        }
    }

    private func scalar(_ text: String, _ isPlain: Bool, _ isBlock: Bool, _ event: YAMLParser.Event) -> YAMLNode {
        let range = event.start..<max(event.start, event.end)
        let (value, substitutions, problems) = environment.substitute(text)
        for problem in problems {
            let written = YAMLScalar(text: text, isPlain: isPlain, isBlock: isBlock, range: range, substitutions: [])
            diagnostics.report(written.position(of: problem.offset, in: diagnostics.source), problem.message)
        }
        guard problems.isEmpty else { return YAMLNode(content: .broken, start: event.start) }
        let scalar = YAMLScalar(text: value, isPlain: isPlain, isBlock: isBlock, range: range, substitutions: substitutions)
        return YAMLNode(content: .scalar(scalar), start: event.start)
    }

    private mutating func mapping(_ event: YAMLParser.Event, isFlow: Bool) throws(YAMLParser.Problem) -> YAMLNode {
        var entries: [YAMLEntry] = []
        var seen: [String: Int] = [:]
        /// Inside `{ }`: a value was cut at a comma, and the keys up to its closing parenthesis are its rest.
        var isCut = false
        while true {
            let next = try parser.next()
            if case .mappingEnd = next.kind { return YAMLNode(content: .mapping(entries), start: event.start) }
            guard case .scalar(let key, _, _) = next.kind, next.anchor == nil else {
                let before = diagnostics.count
                _ = try node(next)
                if diagnostics.count == before { diagnostics.report(next.start, "a key has to be a plain word") }
                _ = try node(try parser.next())
                continue
            }
            let value = try node(try parser.next())
            if isCut {
                isCut = !key.contains(")")
                continue
            }
            if let first = seen[key] {
                diagnostics.report(
                    next.start, "`\(key)` is there twice; it stood in line \(diagnostics.source.position(of: first).line) already")
                continue
            }
            seen[key] = next.start
            isCut = isFlow && value.hasOpenParenthesis
            if isCut { diagnostics.report(value, "inside { } a comma ends a value; put the value in quotes") }
            let kept = isCut ? YAMLNode(content: .broken, start: value.start) : value
            entries.append(YAMLEntry(key: key, keyStart: next.start, value: kept))
        }
    }
}

extension YAMLNode {
    /// A plain scalar such as `decimal(12`.
    fileprivate var hasOpenParenthesis: Bool {
        guard case .scalar(let scalar) = content, scalar.isPlain, scalar.substitutions.isEmpty else { return false }
        return scalar.text.utf8.reduce(0) { $0 + ($1 == UInt8(ascii: "(") ? 1 : $1 == UInt8(ascii: ")") ? -1 : 0) } > 0
    }
}
