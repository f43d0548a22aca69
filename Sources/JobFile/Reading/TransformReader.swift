import Batch
import Expression

/// One entry of the part `transforms`, once its input is known.
struct TransformReader {
    let diagnostics: Diagnostics

    static let keys = ["from", "where", "select", "dedupe", "group_by", "window", "allowed_lateness", "aggregate"]
    static let foreign = [
        "filter": "where", "condition": "where", "map": "select", "project": "select", "columns": "select", "deduplicate": "dedupe",
        "distinct": "dedupe", "key_by": "group_by", "keys": "group_by", "lateness": "allowed_lateness", "grace": "allowed_lateness",
        "input": "from", "inputs": "from", "source": "from", "aggregates": "aggregate",
    ]
    private static let operations = ["where", "select", "dedupe", "window"]
    private static let durationMax: Int64 = 36_500 * 86_400_000_000

    /// The operation, if it has no errors, and the stage that it makes out of `input`.
    func read(_ section: Section, position: Int, _ input: Stage) -> (TransformOperation?, Stage) {
        var output = input.withPlan(.transform(position))
        guard let operation = operation(of: section) else {
            output.isBroken = true
            return (nil, output)
        }
        switch operation.key {
        case "where":
            return (diagnostics.expression(operation.value, input, isCondition: true).map { .filter($0) }, output)
        case "select": return select(operation.value, input, output)
        case "dedupe": return (dedupe(operation.value, input).map { .dedupe($0) }, output)
        default: return WindowReader(diagnostics: diagnostics).read(section, operation.value, input, output)
        }
    }

    /// The one thing that the transform does.
    private func operation(of section: Section) -> YAMLEntry? {
        let present = section.entries.filter { Self.operations.contains($0.key) }
        let windowKeys = section.entries.filter { ["group_by", "aggregate", "allowed_lateness"].contains($0.key) }
        guard let first = present.first else {
            let hasUnknown = section.entries.contains { !Self.keys.contains($0.key) }
            if let key = windowKeys.first {
                if !hasUnknown {
                    diagnostics.report(
                        key.keyStart, "\(section.what) has `\(key.key)` but no `window`, such as window: {session: {gap: 30m}}")
                }
            } else if !hasUnknown {
                diagnostics.report(section.start, "\(section.what) does nothing: it needs `where`, `select`, `dedupe` or `window`")
            }
            return nil
        }
        if present.count > 1 {
            diagnostics.report(
                present[1].keyStart, "\(section.what) does one thing, found `\(first.key)` and `\(present[1].key)`; make two transforms")
            return nil
        }
        if first.key != "window", let key = windowKeys.first {
            diagnostics.report(key.keyStart, "`\(key.key)` goes with `window`, not with `\(first.key)`; make two transforms")
            return nil
        }
        return first
    }

    private func select(_ node: YAMLNode, _ input: Stage, _ output: Stage) -> (TransformOperation?, Stage) {
        var output = output
        guard let entries = diagnostics.mapping(node, "`select`, {name: expression, ...},") else {
            output.isBroken = true
            return (nil, output)
        }
        guard !entries.isEmpty else {
            diagnostics.report(node, "`select` is empty: name at least one column")
            output.isBroken = true
            return (nil, output)
        }
        var columns: [(name: String, expression: TypedExpression)] = []
        output.schema = Schema([])
        output.broken = []
        output.keyColumns = []
        for entry in entries {
            let isNamed = diagnostics.isColumnName(entry)
            guard let expression = diagnostics.expression(entry.value, input), isNamed else {
                output.broken.insert(entry.key)
                continue
            }
            columns.append((entry.key, expression))
            output.schema.fields.append(Field(entry.key, expression.type, isNullable: expression.isNullable))
            if let column = expression.columnReference, input.keyColumns.contains(input.schema.fields[column].name) {
                output.keyColumns.insert(entry.key)
            }
        }
        return (columns.count == entries.count ? .select(columns) : nil, output)
    }

    private func dedupe(_ node: YAMLNode, _ input: Stage) -> DedupePlan? {
        guard
            let section = Section(
                node, "`dedupe`", keys: ["by", "within"],
                foreign: ["key": "by", "on": "by", "columns": "by", "ttl": "within", "window": "within"],
                diagnostics)
        else { return nil }
        let columns = section.required("by").flatMap { self.columns($0, input) }
        let within = section.required("within").flatMap { diagnostics.duration($0, "`within`", 1...Self.durationMax) }
        guard let columns, let within else { return nil }
        return DedupePlan(columns: columns, within: within)
    }

    private func columns(_ node: YAMLNode, _ input: Stage) -> [Int]? {
        guard let columns = diagnostics.columns(node, input, "the columns that make a record a duplicate") else { return nil }
        var areFine = true
        for (index, name) in columns where input.schema.fields[index].isNullable {
            areFine = false
            diagnostics.report(
                name,
                "`\(input.schema.fields[index].name)` may be null, and all nulls would be duplicates of each other; dedupe by columns that are never null"
            )
        }
        return areFine ? columns.map(\.index) : nil
    }
}

extension Stage {
    func withPlan(_ plan: StagePlan) -> Stage {
        Stage(
            plan: plan, schema: schema, broken: broken, isBroken: isBroken, source: source, sourceName: sourceName, key: key,
            keyColumns: keyColumns)
    }
}

extension Diagnostics {
    /// Positions of columns that are named once each; nil when one is unusable.
    func columns(_ node: YAMLNode, _ stage: Stage, _ expected: String) -> [(index: Int, node: YAMLNode)]? {
        guard let names = texts(node, expected) else { return nil }
        var columns: [(index: Int, node: YAMLNode)] = []
        var seen: Set<String> = []
        var areFine = true
        for (name, node) in names {
            guard seen.insert(name).inserted else {
                report(node, "`\(name)` is named twice")
                areFine = false
                continue
            }
            if let index = column(name, node, stage) { columns.append((index, node)) } else { areFine = false }
        }
        return areFine ? columns : nil
    }
}
