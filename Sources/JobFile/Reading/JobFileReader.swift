import Batch
import Expression

/// A job file's tree to a plan.
struct JobFileReader {
    private let diagnostics: Diagnostics
    private var stages: [String: Stage] = [:]
    /// Names that were read by something, whether or not it had errors.
    private var used: Set<String> = []
    private var hasUnknownInput = false

    private let reservedProperties: [String: String]

    static func read(_ root: YAMLNode, reservedProperties: [String: String], _ diagnostics: Diagnostics) -> JobPlan? {
        var reader = JobFileReader(diagnostics: diagnostics, reservedProperties: reservedProperties)
        return reader.job(root)
    }

    private init(diagnostics: Diagnostics, reservedProperties: [String: String]) {
        self.diagnostics = diagnostics
        self.reservedProperties = reservedProperties
    }

    private static let keys = ["job", "kafka", "sources", "transforms", "sinks", "dead_letter"]
    private static let foreign = [
        "name": "job", "source": "sources", "sink": "sinks", "transform": "transforms", "deadletter": "dead_letter", "dlq": "dead_letter",
        "inputs": "sources", "outputs": "sinks",
    ]

    private mutating func job(_ root: YAMLNode) -> JobPlan? {
        guard let section = Section(root, "a job file", keys: Self.keys, foreign: Self.foreign, diagnostics) else { return nil }
        let name = section.required("job").flatMap { diagnostics.jobName($0) }
        let kafka = section.required("kafka").flatMap { self.kafka($0) }
        let sources = section.required("sources").map { self.sources($0) } ?? []
        let nodes = section["transforms"].map { self.transforms($0, sources) } ?? []
        var shuffles = ShuffleList(job: name, sourceCount: sources.count)
        let transforms = self.transforms(nodes, &shuffles)
        let sinks = section.required("sinks").map { self.sinks($0) } ?? []
        let deadLetter = section["dead_letter"].flatMap { self.deadLetter($0) }
        checkTopics(sources, sinks, deadLetter ?? section.entry("job").flatMap { entry in name.map { ("\($0).dead-letter", entry.value) } })
        checkPaths(sinks)
        if name != nil { checkShuffles(shuffles.plans, sources, sinks, deadLetter) }
        if section["sources"] != nil, section["sinks"] != nil { checkUse(sources, nodes) }
        guard diagnostics.isEmpty, let name, let kafka else { return nil }
        var plan = JobPlan(
            name: name, kafka: kafka, sources: sources.compactMap(\.plan), transforms: transforms, sinks: sinks.compactMap(\.plan),
            deadLetter: DeadLetterPlan(topic: deadLetter?.name ?? "\(name).dead-letter"), shuffles: shuffles.plans)
        plan.sources += shuffles.plans.enumerated().map { $0.element.source(position: $0.offset) }
        plan.noteSinglePartitions()
        return plan
    }

    private func kafka(_ node: YAMLNode) -> KafkaPlan? {
        guard
            let section = Section(
                node, "`kafka`", keys: ["brokers", "properties"],
                foreign: ["bootstrap_servers": "brokers", "bootstrap.servers": "brokers", "options": "properties"], diagnostics)
        else { return nil }
        let brokers = section.required("brokers").flatMap {
            diagnostics.text($0, "`brokers`: embedded, or host:port and more of them with commas")
        }
        var properties: [String: String] = [:]
        if let node = section["properties"], let entries = diagnostics.mapping(node, "`properties`") {
            for entry in entries {
                guard let value = diagnostics.text(entry.value, "the value of `\(entry.key)`") else { continue }
                if entry.key == "bootstrap.servers" || entry.key == "metadata.broker.list" {
                    diagnostics.report(entry.keyStart, "`\(entry.key)` cannot be set here; write `brokers`")
                } else if let reason = reservedProperties[entry.key] {
                    diagnostics.report(entry.keyStart, "`\(entry.key)` cannot be set: \(reason)")
                }
                properties[entry.key] = value
            }
        }
        guard let brokers else { return nil }
        return KafkaPlan(brokers: brokers == "embedded" ? .embedded : .addresses(brokers), properties: properties)
    }

    private mutating func sources(_ node: YAMLNode) -> [SourceReader.Result] {
        guard let entries = diagnostics.mapping(node, "`sources`") else { return [] }
        if entries.isEmpty { diagnostics.report(node, "a job has at least one source") }
        let reader = SourceReader(diagnostics: diagnostics)
        let sources = entries.enumerated().map { reader.read($0.element, position: $0.offset) }
        for source in sources { stages[source.name] = source.stage }
        return sources
    }

    private mutating func transforms(_ node: YAMLNode, _ sources: [SourceReader.Result]) -> [StageGraph.Node] {
        if case .scalar(let scalar) = node.content, scalar.isNothing { return [] }
        guard let entries = diagnostics.mapping(node, "`transforms`") else { return [] }
        return entries.map { entry in
            _ = diagnostics.isStageName(entry, "transform")
            if let source = sources.first(where: { $0.name == entry.key }) {
                let line = diagnostics.source.position(of: source.nameStart).line
                diagnostics.report(entry.keyStart, "`\(entry.key)` is already the name of a source, in line \(line)")
                hasUnknownInput = true
            }
            guard
                let section = Section(
                    entry.value, "transform `\(entry.key)`", keys: TransformReader.keys, foreign: TransformReader.foreign, diagnostics)
            else { return StageGraph.Node(name: entry.key, nameStart: entry.keyStart, section: nil, from: nil) }
            return StageGraph.Node(name: entry.key, nameStart: entry.keyStart, section: section, from: from(section))
        }
    }

    private mutating func from(_ section: Section) -> (name: String, node: YAMLNode)? {
        guard let node = section.required("from") else {
            hasUnknownInput = true
            return nil
        }
        if case .sequence = node.content {
            diagnostics.report(node, "`from` takes one name; joining several inputs is not supported yet")
            hasUnknownInput = true
            return nil
        }
        guard let name = diagnostics.text(node, "the name of a source or transform") else {
            hasUnknownInput = true
            return nil
        }
        used.insert(name)
        return (name, node)
    }

    private mutating func transforms(_ nodes: [StageGraph.Node], _ shuffles: inout ShuffleList) -> [TransformPlan] {
        let names = Set(nodes.map(\.name)).union(stages.keys)
        for node in nodes {
            if let from = node.from, !names.contains(from.name) { reportUnknown(from, names) }
        }
        let reader = TransformReader(diagnostics: diagnostics)
        var plans: [TransformPlan] = []
        // A transform with the name of a source, which has been reported, is read by nothing.
        let (order, hasCycle) = StageGraph.order(nodes, sources: Set(stages.keys), diagnostics)
        if hasCycle { hasUnknownInput = true }
        for index in order {
            let node = nodes[index]
            // Where something before has errors it is not the right one, but there is no plan then.
            let position = plans.count
            guard let section = node.section, let input = node.from.flatMap({ stages[$0.name] }) else {
                // Checks what can be checked without knowing the input.
                if let section = node.section { _ = reader.read(node.name, section, position: position, .broken(.source(0)), &shuffles) }
                stages[node.name] = stages[node.name] ?? .broken(.transform(position))
                continue
            }
            let result = reader.read(node.name, section, position: position, input, &shuffles)
            stages[node.name] = stages[node.name] ?? result.output
            guard let operation = result.operation else { continue }
            plans.append(
                TransformPlan(
                    name: node.name, from: result.input.plan, input: result.input.schema, output: result.output.schema, operation: operation
                ))
        }
        for node in nodes where stages[node.name] == nil { stages[node.name] = .broken(.transform(0)) }
        return plans
    }

    private mutating func reportUnknown(_ from: (name: String, node: YAMLNode), _ names: Set<String>) {
        hasUnknownInput = true
        let near = suggestion(for: from.name, among: names.sorted())
        let all = names.isEmpty ? "" : "; there are \(names.sorted().map { "`\($0)`" }.joined(separator: ", "))"
        diagnostics.report(from.node, "`from` names `\(from.name)`, which is no source or transform\(near.isEmpty ? all : near)")
    }

    private mutating func sinks(_ node: YAMLNode) -> [(name: String, result: SinkReader.Result, plan: SinkPlan?)] {
        guard let entries = diagnostics.mapping(node, "`sinks`") else {
            hasUnknownInput = true
            return []
        }
        if entries.isEmpty { diagnostics.report(node, "a job has at least one sink") }
        var sinks: [(name: String, result: SinkReader.Result, plan: SinkPlan?)] = []
        for entry in entries {
            let isNamed = diagnostics.isStageName(entry, "sink")
            guard let section = Section(entry.value, "sink `\(entry.key)`", keys: SinkReader.keys, foreign: SinkReader.foreign, diagnostics)
            else {
                hasUnknownInput = true
                continue
            }
            var input = Stage.broken(.source(0))
            if let from = from(section) {
                if let stage = stages[from.name] { input = stage } else { reportUnknown(from, Set(stages.keys)) }
            }
            let result = SinkReader(diagnostics: diagnostics).read(entry, section, input)
            sinks.append((entry.key, result, isNamed ? result.plan : nil))
        }
        return sinks
    }

    private func deadLetter(_ node: YAMLNode) -> (name: String, node: YAMLNode)? {
        guard let section = Section(node, "`dead_letter`", keys: ["topic"], diagnostics) else { return nil }
        return section.required("topic").flatMap { node in diagnostics.topic(node).map { ($0, node) } }
    }

    // Across parts.

    private func checkTopics(
        _ sources: [SourceReader.Result], _ sinks: [(name: String, result: SinkReader.Result, plan: SinkPlan?)],
        _ deadLetter: (name: String, node: YAMLNode)?
    ) {
        var read: [String: String] = [:]
        for source in sources {
            guard let topic = source.topic else { continue }
            if let other = read[topic.name] {
                diagnostics.report(
                    topic.node, "the sources `\(other)` and `\(source.name)` both read `\(topic.name)`; let transforms share one source")
            }
            read[topic.name] = read[topic.name] ?? source.name
        }
        var written: [String: String] = [:]
        for sink in sinks {
            guard let topic = sink.result.topic else { continue }
            if let source = read[topic.name] {
                diagnostics.report(
                    topic.node, "the sink `\(sink.name)` writes to `\(topic.name)`, which the source `\(source)` reads: a loop without end")
            } else if let other = written[topic.name] {
                diagnostics.report(topic.node, "the sinks `\(other)` and `\(sink.name)` both write to topic `\(topic.name)`")
            }
            written[topic.name] = written[topic.name] ?? sink.name
        }
        guard let deadLetter else { return }
        if let source = read[deadLetter.name] {
            diagnostics.report(
                deadLetter.node, "the dead letters go to `\(deadLetter.name)`, which the source `\(source)` reads: a loop without end")
        } else if let sink = written[deadLetter.name] {
            diagnostics.report(deadLetter.node, "the dead letters and the sink `\(sink)` both go to topic `\(deadLetter.name)`")
        }
    }

    /// The topics of shuffles are the job's own.
    private func checkShuffles(
        _ shuffles: [ShufflePlan], _ sources: [SourceReader.Result],
        _ sinks: [(name: String, result: SinkReader.Result, plan: SinkPlan?)], _ deadLetter: (name: String, node: YAMLNode)?
    ) {
        let uses =
            sources.map { ("the source `\($0.name)` reads", $0.topic) }
            + sinks.map { ("the sink `\($0.name)` writes to", $0.result.topic) } + [("the dead letters go to", deadLetter)]
        for shuffle in shuffles {
            for case (let use, let topic?) in uses where topic.name == shuffle.topic {
                diagnostics.report(
                    topic.node, "\(use) `\(topic.name)`, the topic of the shuffle `\(shuffle.name)`, which nothing else may use")
            }
        }
    }

    private func checkPaths(_ sinks: [(name: String, result: SinkReader.Result, plan: SinkPlan?)]) {
        var seen: [(parts: [Substring], name: String, path: String)] = []
        for sink in sinks {
            guard let path = sink.result.path else { continue }
            let parts = JobPlan.normalised(path.name)
            if let other = seen.first(where: { parts.starts(with: $0.parts) || $0.parts.starts(with: parts) }) {
                let relation =
                    other.parts == parts
                    ? "both write to `\(path.name)`" : "write to `\(other.path)` and `\(path.name)`, one inside the other"
                diagnostics.report(path.node, "the sinks `\(other.name)` and `\(sink.name)` \(relation)")
            }
            seen.append((parts, sink.name, path.name))
        }
    }

    /// Whatever is computed has to lead to a sink. Says nothing while some input is unknown: it may be the one that is missing.
    private func checkUse(_ sources: [SourceReader.Result], _ nodes: [StageGraph.Node]) {
        guard !hasUnknownInput else { return }
        for source in sources where !used.contains(source.name) {
            diagnostics.report(source.nameStart, "nothing reads the source `\(source.name)`")
        }
        for node in nodes where !used.contains(node.name) {
            diagnostics.report(node.nameStart, "nothing reads the transform `\(node.name)`: it leads to no sink")
        }
    }
}
