import Expression

/// A mapping whose keys are known: what is unknown has been reported when it is made.
struct Section {
    let entries: [YAMLEntry]
    let start: Int
    /// For messages: `source `clicks``.
    let what: String
    private let diagnostics: Diagnostics

    /// - Parameter foreign: keys of other systems, and what they are called here.
    init?(_ node: YAMLNode, _ what: String, keys: [String], foreign: [String: String] = [:], _ diagnostics: Diagnostics) {
        guard let entries = diagnostics.mapping(node, what) else { return nil }
        self.entries = entries
        self.start = node.start
        self.what = what
        self.diagnostics = diagnostics
        for entry in entries where !keys.contains(entry.key) {
            let near = foreign[entry.key].map { "; did you mean `\($0)`?" } ?? suggestion(for: entry.key, among: keys)
            let all = near.isEmpty ? "; \(what) has \(keys.map { "`\($0)`" }.joined(separator: ", "))" : near
            diagnostics.report(entry.keyStart, "unknown key `\(entry.key)`\(all)")
        }
    }

    func entry(_ key: String) -> YAMLEntry? {
        entries.first { $0.key == key }
    }

    subscript(_ key: String) -> YAMLNode? {
        entry(key)?.value
    }

    /// Reports where the key is missing. A misspelt one has been reported already.
    func required(_ key: String) -> YAMLNode? {
        if let node = self[key] { return node }
        let isMisspelt = entries.contains { closestName(to: $0.key, among: [key]) != nil }
        if !isMisspelt { diagnostics.report(start, "\(what) has no `\(key)`") }
        return nil
    }
}
