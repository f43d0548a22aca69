import Batch
import Expression

/// A transform with `group_by`, `window` and `aggregate`.
struct WindowReader {
    let diagnostics: Diagnostics
    /// Of the transform.
    let name: String
    /// Of the transform in the plan.
    let position: Int

    private static let durationMax: Int64 = 36_500 * 86_400_000_000

    func read(_ section: Section, _ window: YAMLNode, _ input: Stage, _ shuffles: inout ShuffleList) -> TransformReader.Result {
        let groupBy = section.required("group_by").flatMap { self.groupBy($0, input) }
        let salt = section["hot_keys"].map { self.salt($0) ?? TransformReader.saltRange.lowerBound }
        let moved = move(input, by: groupBy ?? [], salt: salt, &shuffles)
        let kind = kind(window, below: moved.shuffles.first.map { shuffles.plans[$0] })
        let lateness = section["allowed_lateness"].map { diagnostics.duration($0, "`allowed_lateness`", 0...Self.durationMax) } ?? 0
        var output = Stage(plan: .transform(position), schema: Schema([]), partitioning: moved.partitioning)
        guard let groupBy else {
            // The columns that it would put out are not known: check the aggregates and leave it at that.
            _ = section.required("aggregate").map { aggregates($0, input, taken: [:]) }
            output.isBroken = true
            return TransformReader.Result(input: moved, output: output)
        }
        let groupNames = Set(groupBy.map { input.schema.fields[$0].name })
        output.schema.fields =
            groupBy.map { input.schema.fields[$0] } + [Field("window_start", .timestamp), Field("window_end", .timestamp)]
        output.partitioning = moved.partitioning.renamed { groupNames.contains($0) ? [$0] : [] }
        var taken: [String: String] = ["window_start": "the start of the window", "window_end": "the end of the window"]
        for name in groupNames { taken[name] = "a column of `group_by`" }
        guard let node = section.required("aggregate"), let (aggregates, broken) = aggregates(node, input, taken: taken) else {
            output.isBroken = true
            return TransformReader.Result(input: moved, output: output)
        }
        output.broken = broken
        output.schema.fields += aggregates.map { Field($0.name, $0.call.resultType, isNullable: $0.call.resultIsNullable) }
        guard let kind, let lateness, broken.isEmpty, !aggregates.isEmpty else {
            return TransformReader.Result(input: moved, output: output)
        }
        shuffles.note(kind, allowedLateness: lateness, below: moved)
        let window = WindowPlan(groupBy: groupBy, kind: kind, allowedLateness: lateness, aggregates: aggregates)
        return TransformReader.Result(operation: .window(window), input: moved, output: output)
    }

    /// What the window reads, once the rows of a group are in one partition.
    private func move(_ input: Stage, by groupBy: [Int], salt: Int?, _ shuffles: inout ShuffleList) -> Stage {
        let owner = "window `\(name)`"
        if let salt {
            let salted = shuffles.add(
                "\(name).salted", from: input, by: groupBy, salt: salt, content: .rows,
                owner: owner,
                reason: "`hot_keys` spreads the rows of a group")
            return shuffles.add(
                name, from: salted, by: groupBy, content: .partialWindows(of: position), owner: owner,
                reason: "`hot_keys` has spread the rows of a group")
        }
        guard !groupBy.isEmpty, let reason = input.partitioning.reasonForShuffle(by: Set(groupBy.map { input.schema.fields[$0].name }))
        else { return input }
        return shuffles.add(name, from: input, by: groupBy, content: .partialWindows(of: position), owner: owner, reason: reason)
    }

    private func salt(_ node: YAMLNode) -> Int? {
        guard
            let section = Section(
                node, "`hot_keys`", keys: ["salt"], foreign: ["factor": "salt", "buckets": "salt", "partitions": "salt"], diagnostics)
        else { return nil }
        return section.required("salt").flatMap { diagnostics.integer($0, "`salt`", TransformReader.saltRange) }
    }

    private func groupBy(_ node: YAMLNode, _ input: Stage) -> [Int]? {
        guard let columns = diagnostics.columns(node, input, "the columns that make a group") else { return nil }
        for (index, name) in columns where ["window_start", "window_end"].contains(input.schema.fields[index].name) {
            diagnostics.report(
                name,
                "`\(input.schema.fields[index].name)` would be there twice, the window puts out its own; rename it with a `select` first")
            return nil
        }
        return columns.map(\.index)
    }

    private func kind(_ node: YAMLNode, below shuffle: ShufflePlan?) -> WindowKind? {
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
        case "session": return session(kind.value, below: shuffle)
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

    /// - Parameter shuffle: one that its rows come through.
    private func session(_ node: YAMLNode, below shuffle: ShufflePlan?) -> WindowKind? {
        guard
            let section = Section(node, "`session`", keys: ["gap", "max"], foreign: ["timeout": "gap", "inactivity": "gap"], diagnostics)
        else { return nil }
        let gap = section.required("gap").flatMap { diagnostics.duration($0, "`gap`", 1...Self.durationMax) }
        guard let maxNode = section["max"] else { return gap.map { .session(gap: $0, max: nil) } }
        if let shuffle {
            diagnostics.report(
                maxNode,
                "a session with `max` cannot be below a shuffle, here `\(shuffle.name)` (\(shuffle.reason)): where it is cut depends on the order of records, and a shuffle mixes those of several partitions; leave out `max`"
            )
        }
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
