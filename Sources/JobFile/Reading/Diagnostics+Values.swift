import Expression

// Values of one kind each: nil when it is not there or not of that kind, which has been reported.
extension Diagnostics {
    /// For messages: what stands at `node`.
    func found(_ node: YAMLNode) -> String {
        switch node.content {
        case .scalar(let scalar): scalar.isNothing ? "nothing" : scalar.shown
        case .sequence: "a list"
        case .mapping: "a mapping"
        case .broken: "nothing"
        }
    }

    private func refuse<Value>(_ node: YAMLNode, _ expected: String) -> Value? {
        if case .broken = node.content { return nil }
        report(node, "expected \(expected), found \(found(node))")
        return nil
    }

    func mapping(_ node: YAMLNode, _ what: String) -> [YAMLEntry]? {
        if case .mapping(let entries) = node.content { return entries }
        return refuse(node, "\(what) as a mapping")
    }

    /// Text that is not empty.
    func scalar(_ node: YAMLNode, _ expected: String) -> YAMLScalar? {
        guard case .scalar(let scalar) = node.content, !scalar.isNothing else { return refuse(node, expected) }
        guard !scalar.text.isEmpty else {
            report(node, "expected \(expected), found an empty text")
            return nil
        }
        return scalar
    }

    func text(_ node: YAMLNode, _ expected: String) -> String? {
        scalar(node, expected)?.text
    }

    /// A list of texts, or one text alone.
    func texts(_ node: YAMLNode, _ expected: String) -> [(text: String, node: YAMLNode)]? {
        guard case .sequence(let elements) = node.content else {
            return text(node, expected).map { [($0, node)] }
        }
        guard !elements.isEmpty else {
            report(node, "expected \(expected), found an empty list")
            return nil
        }
        let texts = elements.map { text($0, expected) }
        guard !texts.contains(nil) else { return nil }
        return zip(texts, elements).compactMap { text, node in text.map { ($0, node) } }
    }

    func integer(_ node: YAMLNode, _ what: String, _ range: ClosedRange<Int>) -> Int? {
        let expected = "\(what) as a number from \(range.lowerBound) to \(range.upperBound)"
        guard let scalar = scalar(node, expected) else { return nil }
        guard let value = Int(scalar.text), range.contains(value) else { return refuse(node, expected) }
        return value
    }

    /// One of a few words.
    func choice<Value>(_ node: YAMLNode, _ what: String, _ values: [(String, Value)]) -> Value? {
        let names = values.map(\.0)
        let expected = "\(what): \(names.count < 2 ? "" : names.dropLast().joined(separator: ", ") + " or ")\(names.last ?? "")"
        guard let scalar = scalar(node, expected) else { return nil }
        if let value = values.first(where: { $0.0 == scalar.text })?.1 { return value }
        let near = scalar.substitutions.isEmpty ? suggestion(for: scalar.text, among: names) : ""
        report(node, "expected \(expected), found \(scalar.shown)\(near)")
        return nil
    }

    func choice<Value: RawRepresentable & CaseIterable>(_ node: YAMLNode, _ what: String, _: Value.Type) -> Value?
    where Value.RawValue == String {
        choice(node, what, Value.allCases.map { ($0.rawValue, $0) })
    }

    /// Microseconds, in `range`.
    func duration(_ node: YAMLNode, _ what: String, _ range: ClosedRange<Int64>) -> Int64? {
        guard let scalar = scalar(node, "\(what) as a duration such as 250ms, 30s, 5m, 24h or 7d") else { return nil }
        guard let value = Self.quantity(scalar.text, units: Interval.units) else {
            return refuse(node, "\(what) as a duration such as 250ms, 30s, 5m, 24h or 7d")
        }
        guard range.contains(value) else {
            let limit =
                value < range.lowerBound
                ? (range.lowerBound == 1 ? "has to be above 0" : "has to be at least \(Self.text(duration: range.lowerBound))")
                : "has to be at most \(Self.text(duration: range.upperBound))"
            report(node, "\(what) \(limit), found \(scalar.shown)")
            return nil
        }
        return value
    }

    private static let sizeUnits: [String: Int64] = ["B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40]

    /// Bytes, at least `min`.
    func size(_ node: YAMLNode, _ what: String, min: Int) -> Int? {
        let expected = "\(what) as a size such as 64KiB, 512MiB or 1GiB"
        guard let scalar = scalar(node, expected) else { return nil }
        guard let value = Self.quantity(scalar.text, units: Self.sizeUnits) else {
            let binary = scalar.text.replacing(#/(?i)^([0-9]+)\s*([kmgt])i?b?$/#) { "\($0.output.1)\($0.output.2.uppercased())iB" }
            let hint = binary != scalar.text && scalar.substitutions.isEmpty ? "; did you mean `\(binary)`?" : ""
            report(node, "expected \(expected), found \(scalar.shown)\(hint)")
            return nil
        }
        guard value >= min else {
            report(node, "\(what) has to be at least \(Self.text(size: min)), found \(scalar.shown)")
            return nil
        }
        return Int(value)
    }

    /// Digits and a unit.
    private static func quantity(_ text: String, units: [String: Int64]) -> Int64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let count = Int64(digits), let unit = units[String(text.dropFirst(digits.count))] else { return nil }
        let (value, overflow) = count.multipliedReportingOverflow(by: unit)
        return overflow ? nil : value
    }

    /// In the largest unit that leaves a whole number.
    static func text(duration microseconds: Int64) -> String {
        let units: [(String, Int64)] = [("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000)]
        if microseconds == 0 { return "0s" }
        for (name, unit) in units where microseconds % unit == 0 { return "\(microseconds / unit)\(name)" }
        return "\(microseconds)us"
    }

    static func text(size bytes: Int) -> String {
        for (name, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] where bytes > 0 && bytes % (1 << shift) == 0 {
            return "\(bytes >> shift)\(name)"
        }
        return "\(bytes)B"
    }
}
