import Batch
import Expression

/// A transform with `group_by`, `window` and `aggregate`.
struct WindowReader {
    let diagnostics: Diagnostics

    private static let durationMax: Int64 = 36_500 * 86_400_000_000

    func read(_ section: Section, _ window: YAMLNode, _ input: Stage, _ output: Stage) -> (TransformOperation?, Stage) {
        let groupBy = section.required("group_by").flatMap { self.groupBy($0, section, input) }
        let kind = kind(window)
        let lateness = section["allowed_lateness"].map { diagnostics.duration($0, "`allowed_lateness`", 0...Self.durationMax) } ?? 0
        var output = output
        output.schema = Schema([])
        output.broken = []
        guard let groupBy else {
            // The columns that it would put out are not known: check the aggregates and leave it at that.
            _ = section.required("aggregate").map { aggregates($0, input, taken: [:]) }
            output.isBroken = true
            return (nil, output)
        }
        output.schema.fields =
            groupBy.map { input.schema.fields[$0] } + [Field("window_start", .timestamp), Field("window_end", .timestamp)]
        output.keyColumns = input.keyColumns.intersection(groupBy.map { input.schema.fields[$0].name })
        var taken: [String: String] = ["window_start": "the start of the window", "window_end": "the end of the window"]
        for column in groupBy { taken[input.schema.fields[column].name] = "a column of `group_by`" }
        guard let node = section.required("aggregate"), let (aggregates, broken) = aggregates(node, input, taken: taken) else {
            output.isBroken = true
            return (nil, output)
        }
        output.broken = broken
        output.schema.fields += aggregates.map { Field($0.name, $0.call.resultType, isNullable: $0.call.resultIsNullable) }
        guard let kind, let lateness, broken.isEmpty, !aggregates.isEmpty else { return (nil, output) }
        return (.window(WindowPlan(groupBy: groupBy, kind: kind, allowedLateness: lateness, aggregates: aggregates)), output)
    }

    private func groupBy(_ node: YAMLNode, _ section: Section, _ input: Stage) -> [Int]? {
        guard let columns = diagnostics.columns(node, input, "the columns that make a group") else { return nil }
        for (index, name) in columns where ["window_start", "window_end"].contains(input.schema.fields[index].name) {
            diagnostics.report(
                name,
                "`\(input.schema.fields[index].name)` would be there twice, the window puts out its own; rename it with a `select` first")
            return nil
        }
        if let key = input.key, !columns.contains(where: { input.keyColumns.contains(input.schema.fields[$0.index].name) }) {
            let hint =
                input.keyColumns.isEmpty
                ? "an earlier `select` dropped or changed it"
                : "add \(input.keyColumns.sorted().map { "`\($0)`" }.joined(separator: " or "))"
            diagnostics.report(
                node,
                "`group_by` has to contain the key `\(key)` of source `\(input.sourceName)`: records of one group would lie in several partitions, and moving them together is not supported yet; \(hint)"
            )
            return nil
        }
        return columns.map(\.index)
    }

    private func kind(_ node: YAMLNode) -> WindowKind? {
        let names = ["session", "tumbling", "hopping", "cumulate", "sliding"]
        guard
            let section = Section(
                node, "`window`", keys: names,
                foreign: ["tumble": "tumbling", "fixed": "tumbling", "hop": "hopping", "size": "tumbling", "gap": "session"], diagnostics)
        else { return nil }
        let kinds = section.entries.filter { names.contains($0.key) }
        guard let kind = kinds.first else {
            if section.entries.isEmpty {
                diagnostics.report(node, "`window` is empty: write {session: {gap: 30m}} or {tumbling: {size: 1h}}")
            }
            return nil
        }
        if kinds.count > 1 {
            diagnostics.report(kinds[1].keyStart, "a window is of one kind, found `\(kind.key)` and `\(kinds[1].key)`")
            return nil
        }
        switch kind.key {
        case "session": return session(kind.value)
        case "tumbling":
            guard
                let section = Section(kind.value, "`tumbling`", keys: ["size"], foreign: ["every": "size", "length": "size"], diagnostics)
            else { return nil }
            return section.required("size").flatMap { diagnostics.duration($0, "`size`", 1...Self.durationMax) }.map { .tumbling(size: $0) }
        default:
            diagnostics.report(kind.keyStart, "`\(kind.key)` windows are not supported yet; only session and tumbling are")
            return nil
        }
    }

    private func session(_ node: YAMLNode) -> WindowKind? {
        guard
            let section = Section(node, "`session`", keys: ["gap", "max"], foreign: ["timeout": "gap", "inactivity": "gap"], diagnostics)
        else { return nil }
        let gap = section.required("gap").flatMap { diagnostics.duration($0, "`gap`", 1...Self.durationMax) }
        guard let maxNode = section["max"] else { return gap.map { .session(gap: $0, max: nil) } }
        guard let longest = diagnostics.duration(maxNode, "`max`", 1...Self.durationMax), let gap else { return nil }
        guard longest >= gap else {
            diagnostics.report(maxNode, "`max` may not be below `gap`: a session of one record is already as long as the gap")
            return nil
        }
        return .session(gap: gap, max: longest)
    }

    /// Those that can be used, and the names of those that cannot.
    private func aggregates(_ node: YAMLNode, _ input: Stage, taken: [String: String]) -> (
        [(name: String, call: AggregateCall)], Set<String>
    )? {
        guard let entries = diagnostics.mapping(node, "`aggregate`, {name: count(), ...},") else { return nil }
        guard !entries.isEmpty else {
            diagnostics.report(node, "`aggregate` is empty: name at least one, such as events: count()")
            return nil
        }
        var aggregates: [(name: String, call: AggregateCall)] = []
        var broken: Set<String> = []
        for entry in entries {
            let isNamed = diagnostics.isColumnName(entry)
            let call = diagnostics.aggregate(entry.value, input)
            if let other = taken[entry.key] {
                diagnostics.report(entry.keyStart, "`\(entry.key)` is already the name of \(other)")
                broken.insert(entry.key)
            } else if let call, isNamed {
                aggregates.append((entry.key, call))
            } else {
                broken.insert(entry.key)
            }
        }
        return (aggregates, broken)
    }
}
