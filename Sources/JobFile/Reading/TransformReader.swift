import Batch
import Expression

/// One entry of the part `transforms`, once its input is known.
struct TransformReader {
    let diagnostics: Diagnostics

    static let keys = ["from", "where", "select", "dedupe", "rekey", "group_by", "window", "allowed_lateness", "aggregate", "hot_keys"]
    static let foreign = [
        "filter": "where", "condition": "where", "map": "select", "project": "select", "columns": "select", "deduplicate": "dedupe",
        "distinct": "dedupe", "key_by": "rekey` or, for a window, `group_by", "by_key": "rekey", "repartition": "rekey",
        "partition_by": "rekey", "shuffle": "rekey", "keys": "group_by", "salt": "hot_keys` or `rekey", "lateness": "allowed_lateness",
        "grace": "allowed_lateness",
        "input": "from", "inputs": "from", "source": "from", "aggregates": "aggregate",
    ]
    private static let operations = ["where", "select", "dedupe", "rekey", "window"]
    private static let windowKeys = ["group_by", "aggregate", "allowed_lateness", "hot_keys"]
    /// Of Kafka's partitions that one key may be spread over.
    static let saltRange = 2...1_024
    private static let durationMax: Int64 = 36_500 * 86_400_000_000

    struct Result {
        /// Nil where it has errors, and of a `rekey`, which is a shuffle and no step.
        var operation: TransformOperation?
        /// What the operation reads: the transform's input, or that moved by a shuffle of its own.
        var input: Stage
        var output: Stage
    }

    /// What the transform does to `input`.
    /// - Parameter position: of the transform in the plan.
    func read(_ name: String, _ section: Section, position: Int, _ input: Stage, _ shuffles: inout ShuffleList) -> Result {
        var output = input.withPlan(.transform(position))
        guard let operation = operation(of: section) else {
            output.isBroken = true
            return Result(input: input, output: output)
        }
        switch operation.key {
        case "where":
            let condition = diagnostics.expression(operation.value, input, isCondition: true)
            return Result(operation: condition.map { .filter($0) }, input: input, output: output)
        case "select":
            let (operation, output) = select(operation.value, input, output)
            return Result(operation: operation, input: input, output: output)
        case "dedupe":
            return Result(operation: dedupe(operation, input).map { .dedupe($0) }, input: input, output: output)
        case "rekey": return Result(input: input, output: rekey(name, operation.value, input, &shuffles))
        default:
            return WindowReader(diagnostics: diagnostics, name: name, position: position).read(section, operation.value, input, &shuffles)
        }
    }

    /// The one thing that the transform does.
    private func operation(of section: Section) -> YAMLEntry? {
        let present = section.entries.filter { Self.operations.contains($0.key) }
        let windowKeys = section.entries.filter { Self.windowKeys.contains($0.key) }
        guard let first = present.first else {
            let hasUnknown = section.entries.contains { !Self.keys.contains($0.key) }
            if let key = windowKeys.first {
                if !hasUnknown {
                    diagnostics.report(
                        key.keyStart, "\(section.what) has `\(key.key)` but no `window`, such as window: {session: {gap: 30m}}")
                }
            } else if !hasUnknown {
                diagnostics.report(section.start, "\(section.what) does nothing: it needs `where`, `select`, `dedupe`, `rekey` or `window`")
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
        var copies: [String: Set<String>] = [:]
        for entry in entries {
            let isNamed = diagnostics.isColumnName(entry)
            guard let expression = diagnostics.expression(entry.value, input), isNamed else {
                output.broken.insert(entry.key)
                continue
            }
            columns.append((entry.key, expression))
            output.schema.fields.append(Field(entry.key, expression.type, isNullable: expression.isNullable))
            if let column = expression.columnReference { copies[input.schema.fields[column].name, default: []].insert(entry.key) }
        }
        output.partitioning = input.partitioning.renamed { copies[$0] ?? [] }
        return (columns.count == entries.count ? .select(columns) : nil, output)
    }

    /// The rows of `input`, moved.
    private func rekey(_ name: String, _ node: YAMLNode, _ input: Stage, _ shuffles: inout ShuffleList) -> Stage {
        guard
            let section = Section(
                node, "`rekey`", keys: ["by", "partitions", "salt"],
                foreign: [
                    "key": "by", "keys": "by", "on": "by", "column": "by", "columns": "by", "group_by": "by", "buckets": "salt",
                    "partition_count": "partitions", "parallelism": "partitions",
                ], diagnostics)
        else { return input }
        let columns = section.required("by").flatMap { diagnostics.columns($0, input, "the columns that make the new key") }
        let partitions = section["partitions"].flatMap { diagnostics.integer($0, "`partitions`", 1...10_000) }
        // A salt with errors is a salt all the same: it says what can be below.
        let salt = section["salt"].map { diagnostics.integer($0, "`salt`", Self.saltRange) ?? Self.saltRange.lowerBound }
        return shuffles.add(
            name, from: input, by: columns?.map(\.index) ?? [], salt: salt ?? 1, partitions: partitions, content: .rows,
            owner: "`rekey` `\(name)`", reason: "`rekey` asks for it")
    }

    private func dedupe(_ operation: YAMLEntry, _ input: Stage) -> DedupePlan? {
        if case .spread(let owner) = input.partitioning {
            diagnostics.report(
                operation.keyStart,
                "`dedupe` cannot be below \(owner), which has a `salt`: copies of a record could be in different partitions; dedupe above it, or leave out `salt`"
            )
        }
        guard
            let section = Section(
                operation.value, "`dedupe`", keys: ["by", "within"],
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
