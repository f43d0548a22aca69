import Batch
import Expression

/// The part `sources`.
struct SourceReader {
    let diagnostics: Diagnostics

    private static let keys = ["topic", "format", "key", "fields", "event_time", "start", "on_offset_out_of_range", "on_partition_growth"]
    private static let dayMax: Int64 = 36_500 * 86_400_000_000

    /// A source that has errors has no plan; its stage says what is known all the same.
    struct Result {
        let name: String
        let nameStart: Int
        let topic: (name: String, node: YAMLNode)?
        let plan: SourcePlan?
        let stage: Stage
    }

    func read(_ entry: YAMLEntry, position: Int) -> Result {
        let before = diagnostics.count
        let isNamed = diagnostics.isStageName(entry, "source")
        guard
            let section = Section(
                entry.value, "source `\(entry.key)`", keys: Self.keys, foreign: ["event_time_field": "event_time"], diagnostics)
        else {
            return Result(name: entry.key, nameStart: entry.keyStart, topic: nil, plan: nil, stage: .broken(.source(position)))
        }
        let topic = section.required("topic").flatMap { node in diagnostics.topic(node).map { (name: $0, node: node) } }
        let format = section["format"].map { self.format($0) } ?? .json
        let (fields, broken) = section.required("fields").map { self.fields($0) } ?? ([], nil)
        var stage = Stage(
            plan: .source(position), schema: Schema(fields.map { Field($0.name, $0.type, isNullable: $0.isNullable) }),
            broken: broken ?? [], isBroken: broken == nil)
        let key = section["key"].flatMap { self.key($0, stage) }
        if let key { stage.partitioning = .by([stage.schema.fields[key].name], owner: "source `\(entry.key)`") }
        let eventTime = section.required("event_time").flatMap { self.eventTime($0, stage) }
        let start = section["start"].map { self.start($0) } ?? .earliest
        let outOfRange =
            section["on_offset_out_of_range"].map {
                diagnostics.choice($0, "`on_offset_out_of_range`", OffsetOutOfRange.self)
            } ?? .fail
        let growth =
            section["on_partition_growth"].map {
                diagnostics.choice($0, "`on_partition_growth`", PartitionGrowth.self)
            } ?? .fail
        var plan: SourcePlan?
        if diagnostics.count == before, isNamed, let topic, let format, let eventTime, let start, let outOfRange, let growth {
            plan = SourcePlan(
                name: entry.key, topic: topic.name, format: format, key: key, fields: fields, eventTime: eventTime, start: start,
                onOffsetOutOfRange: outOfRange, mustHaveOnePartition: false)
            plan?.onPartitionGrowth = growth
        }
        return Result(name: entry.key, nameStart: entry.keyStart, topic: topic, plan: plan, stage: stage)
    }

    func format(_ node: YAMLNode) -> RecordFormat? {
        if case .scalar(let scalar) = node.content, ["avro", "debezium", "protobuf", "csv"].contains(scalar.text.lowercased()) {
            diagnostics.report(node, "the format `\(scalar.text)` is not supported yet; only json is")
            return nil
        }
        return diagnostics.choice(node, "`format`", RecordFormat.self)
    }

    /// The fields that can be used, and the names of those that cannot; nil when there are no fields at all.
    private func fields(_ node: YAMLNode) -> ([SourceField], Set<String>?) {
        guard let entries = diagnostics.mapping(node, "`fields`") else { return ([], nil) }
        guard !entries.isEmpty else {
            diagnostics.report(node, "`fields` is empty: name at least the event time")
            return ([], nil)
        }
        var fields: [SourceField] = []
        var broken: Set<String> = []
        for entry in entries {
            let isNamed = diagnostics.isColumnName(entry, "; give it another name here and write the key as {type: ..., path: ...}")
            if let field = field(entry), isNamed { fields.append(field) } else { broken.insert(entry.key) }
        }
        return (fields, broken)
    }

    private func field(_ entry: YAMLEntry) -> SourceField? {
        guard case .mapping = entry.value.content else { return type(entry.value).map { self.field(entry.key, $0, [entry.key]) } }
        guard let section = Section(entry.value, "field `\(entry.key)`", keys: ["type", "path"], diagnostics) else { return nil }
        let type = section.required("type").flatMap { self.type($0) }
        let path = section["path"].map { self.path($0) } ?? [entry.key]
        guard let type, let path else { return nil }
        return field(entry.key, type, path)
    }

    private struct FieldType {
        let type: ValueType
        let isNullable: Bool
        let form: TimestampForm?
    }

    private func field(_ name: String, _ type: FieldType, _ path: [String]) -> SourceField {
        SourceField(name: name, type: type.type, isNullable: type.isNullable, path: path, timestampForm: type.form)
    }

    private func type(_ node: YAMLNode) -> FieldType? {
        guard let scalar = diagnostics.scalar(node, "a type such as string, int64 or decimal(12,2)") else { return nil }
        var text = scalar.text
        let isNullable = text.hasSuffix("?")
        if isNullable { text.removeLast() }
        if let form = TimestampForm(rawValue: text.lowercased()) {
            return FieldType(type: .timestamp, isNullable: isNullable, form: form)
        }
        do {
            let type = try TypeName.parse(text, alsoKnown: TimestampForm.allCases.map(\.rawValue).filter { $0 != "timestamp" })
            return FieldType(type: type, isNullable: isNullable, form: nil)
        } catch {
            diagnostics.report(node, error.message)
            return nil
        }
    }

    /// `device.os`, or a list where keys have points in them.
    private func path(_ node: YAMLNode) -> [String]? {
        let expected = "a path such as device.os"
        guard let parts = diagnostics.texts(node, expected) else { return nil }
        var keys = parts.map(\.text)
        if case .scalar = node.content { keys = keys[0].split(separator: ".", omittingEmptySubsequences: false).map(String.init) }
        guard keys.count <= 16, keys.allSatisfy({ !$0.isEmpty }) else {
            diagnostics.report(node, "expected \(expected), 1 to 16 keys with points between them, found \(diagnostics.found(node))")
            return nil
        }
        return keys
    }

    private func key(_ node: YAMLNode, _ stage: Stage) -> Int? {
        guard let name = diagnostics.text(node, "the field that the topic is partitioned by"),
            let index = diagnostics.column(name, node, stage)
        else { return nil }
        let field = stage.schema.fields[index]
        guard field.type == .string || field.type == .int64, !field.isNullable else {
            diagnostics.report(
                node, "the key `\(name)` has to be a string or an int64 that is never null, it is \(field.type)\(field.isNullable ? "?" : "")")
            return nil
        }
        return index
    }

    private func eventTime(_ node: YAMLNode, _ stage: Stage) -> EventTimePlan? {
        guard
            let section = Section(
                node, "`event_time`", keys: ["field", "out_of_orderness", "idle_timeout", "max_ahead"],
                foreign: ["column": "field", "watermark": "out_of_orderness", "delay": "out_of_orderness"], diagnostics)
        else { return nil }
        let column = section.required("field").flatMap { eventTimeColumn($0, stage) }
        let outOfOrderness = section.required("out_of_orderness").flatMap {
            diagnostics.duration($0, "`out_of_orderness`", 0...Self.dayMax)
        }
        let idleTimeout = section["idle_timeout"].flatMap { diagnostics.duration($0, "`idle_timeout`", 1...Self.dayMax) }
        let maxAhead = section["max_ahead"].map { diagnostics.duration($0, "`max_ahead`", 0...Self.dayMax) } ?? 3_600_000_000
        guard let column, let outOfOrderness, let maxAhead else { return nil }
        return EventTimePlan(column: column, outOfOrderness: outOfOrderness, idleTimeout: idleTimeout, maxAhead: maxAhead)
    }

    private func eventTimeColumn(_ node: YAMLNode, _ stage: Stage) -> Int? {
        guard let name = diagnostics.text(node, "the field with the event time"), let index = diagnostics.column(name, node, stage)
        else { return nil }
        let field = stage.schema.fields[index]
        guard field.type == .timestamp else {
            let hint = field.type == .int64 ? "; declare it as timestamp_ms or timestamp_s" : ""
            diagnostics.report(node, "the event time `\(name)` has to be a timestamp, it is \(field.type)\(hint)")
            return nil
        }
        guard !field.isNullable else {
            diagnostics.report(node, "the event time `\(name)` may not be nullable; drop the `?`: records without it become dead letters")
            return nil
        }
        return index
    }

    private func start(_ node: YAMLNode) -> StartPosition? {
        let expected = "`start`: earliest, latest or a time such as 2026-01-31T12:00:00Z"
        guard let scalar = diagnostics.scalar(node, expected) else { return nil }
        switch scalar.text {
        case "earliest": return .earliest
        case "latest": return .latest
        default:
            if let time = Calendar.parse(scalar.text) { return .timestamp(time) }
            let near = scalar.substitutions.isEmpty ? suggestion(for: scalar.text, among: ["earliest", "latest"]) : ""
            diagnostics.report(node, "expected \(expected), found \(scalar.shown)\(near)")
            return nil
        }
    }
}
