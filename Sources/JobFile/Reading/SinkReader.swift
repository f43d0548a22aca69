import Batch
import Expression

/// One entry of the part `sinks`, once its input is known.
struct SinkReader {
    let diagnostics: Diagnostics

    static let keys = ["from", "columns", "kafka", "parquet"]
    static let foreign = ["select": "columns", "input": "from", "inputs": "from", "source": "from", "file": "parquet", "topic": "kafka"]
    private static let hour: Int64 = 3_600_000_000

    struct Result {
        let plan: SinkPlan?
        let topic: (name: String, node: YAMLNode)?
        let path: (name: String, node: YAMLNode)?
    }

    func read(_ entry: YAMLEntry, _ section: Section, _ input: Stage) -> Result {
        let before = diagnostics.count
        let columns =
            section["columns"].map { diagnostics.columns($0, input, "the columns to write")?.map(\.index) }
            ?? Array(input.schema.fields.indices)
        let targets = section.entries.filter { $0.key == "kafka" || $0.key == "parquet" }
        guard let target = targets.first else {
            if section.entries.allSatisfy({ Self.keys.contains($0.key) }) {
                diagnostics.report(section.start, "\(section.what) writes nowhere: it needs `kafka` or `parquet`")
            }
            return Result(plan: nil, topic: nil, path: nil)
        }
        if targets.count > 1 {
            diagnostics.report(targets[1].keyStart, "a sink has one target, found `\(target.key)` and `\(targets[1].key)`; make two sinks")
            return Result(plan: nil, topic: nil, path: nil)
        }
        var topic: (name: String, node: YAMLNode)?
        var path: (name: String, node: YAMLNode)?
        let made: SinkTarget? =
            target.key == "kafka" ? kafka(target.value, input, &topic) : parquet(target.value, input, columns ?? [], &path)
        var plan: SinkPlan?
        if diagnostics.count == before, !input.isBroken, let columns, let made {
            plan = SinkPlan(name: entry.key, from: input.plan, input: input.schema, columns: columns, target: made)
        }
        return Result(plan: plan, topic: topic, path: path)
    }

    private func kafka(_ node: YAMLNode, _ input: Stage, _ topic: inout (name: String, node: YAMLNode)?) -> SinkTarget? {
        guard
            let section = Section(
                node, "`kafka`", keys: ["topic", "key", "format"], foreign: ["brokers": "brokers` at the top, under `kafka"], diagnostics)
        else { return nil }
        topic = section.required("topic").flatMap { node in diagnostics.topic(node).map { ($0, node) } }
        let key = section["key"].flatMap { node in
            diagnostics.text(node, "the column that is the message's key").flatMap { diagnostics.column($0, node, input) }
        }
        let format = section["format"].map { SourceReader(diagnostics: diagnostics).format($0) } ?? .json
        guard let topic, let format else { return nil }
        return .kafka(KafkaSinkPlan(topic: topic.name, key: key, format: format))
    }

    private func parquet(_ node: YAMLNode, _ input: Stage, _ columns: [Int], _ path: inout (name: String, node: YAMLNode)?) -> SinkTarget? {
        guard
            let section = Section(
                node, "`parquet`", keys: ["path", "partition_by", "roll", "compression"],
                foreign: ["directory": "path", "partition": "partition_by", "partitions": "partition_by", "codec": "compression"],
                diagnostics)
        else { return nil }
        path = section.required("path").flatMap { node in directory(node).map { ($0, node) } }
        let partitions = section["partition_by"].map { self.partitions($0, input, columns) } ?? []
        let compression = section["compression"].map { diagnostics.choice($0, "`compression`", ParquetCompression.self) } ?? .zstd
        var every: Int64? = 300_000_000
        var size: Int? = 128 << 20
        if let roll = section["roll"] {
            guard
                let section = Section(
                    roll, "`roll`", keys: ["every", "size"], foreign: ["interval": "every", "max_size": "size"], diagnostics)
            else { return nil }
            if let node = section["every"] { every = diagnostics.duration(node, "`every`", 1_000_000...24 * 30 * Self.hour) }
            if let node = section["size"] { size = diagnostics.size(node, "`size`", min: 64 << 10) }
        }
        guard let path, let partitions, let compression, let every, let size else { return nil }
        return .parquet(
            ParquetSinkPlan(path: path.name, partitionBy: partitions, rollEvery: every, rollSize: size, compression: compression))
    }

    private func directory(_ node: YAMLNode) -> String? {
        guard let scalar = diagnostics.scalar(node, "a directory") else { return nil }
        guard !scalar.text.contains("://") else {
            diagnostics.report(node, "Parquet files go to a local directory, \(scalar.shown) is none; object stores are not supported yet")
            return nil
        }
        guard !scalar.text.contains("\0") else {
            diagnostics.report(node, "a path cannot hold a NUL character")
            return nil
        }
        var path = scalar.text
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
    }

    private func partitions(_ node: YAMLNode, _ input: Stage, _ columns: [Int]) -> [ParquetPartition]? {
        guard let texts = diagnostics.texts(node, "a column, date(column) or hour(column)") else { return nil }
        var partitions: [ParquetPartition] = []
        var areFine = true
        for (text, node) in texts {
            guard let partition = partition(text, node, input, columns) else {
                areFine = false
                continue
            }
            if partitions.contains(where: { $0.name == partition.name }) {
                diagnostics.report(node, "`\(text)` is named twice")
                areFine = false
            }
            partitions.append(partition)
        }
        return areFine ? partitions : nil
    }

    private func partition(_ text: String, _ node: YAMLNode, _ input: Stage, _ columns: [Int]) -> ParquetPartition? {
        guard let match = text.wholeMatch(of: #/\s*(?:([A-Za-z_]+)\s*\(\s*([A-Za-z0-9_]+)\s*\)|([A-Za-z0-9_]+))\s*/#) else {
            diagnostics.report(
                node, "expected a column, date(column) or hour(column), found `\(text)`; for anything else make a column with a `select`")
            return nil
        }
        var transform = ParquetPartition.Transform.identity
        if let name = match.output.1.map({ $0.lowercased() }) {
            guard let known = ParquetPartition.Transform(rawValue: name), known != .identity else {
                let near = name == "day" ? "; did you mean `date`?" : suggestion(for: name, among: ["date", "hour"])
                diagnostics.report(node, "unknown partitioning `\(name)`\(near.isEmpty ? "; there are date and hour" : near)")
                return nil
            }
            transform = known
        }
        let name = String(match.output.2 ?? match.output.3 ?? "")
        guard let column = diagnostics.column(name, node, input) else { return nil }
        let type = input.schema.fields[column].type
        if transform == .identity {
            guard type == .string || type == .int64 || type == .bool else {
                let hint = type == .timestamp ? "; write date(\(name)) or hour(\(name))" : ""
                diagnostics.report(node, "files cannot be partitioned by `\(name)`, a \(type): string, int64 or bool can\(hint)")
                return nil
            }
            return ParquetPartition(name: name, column: column, transform: .identity)
        }
        guard type == .timestamp else {
            diagnostics.report(node, "\(transform.rawValue)(\(name)) takes a timestamp, `\(name)` is a \(type)")
            return nil
        }
        let level = "\(name)_\(transform.rawValue)"
        guard !columns.contains(where: { input.schema.fields[$0].name == level }) else {
            diagnostics.report(
                node, "the directories of \(text) are named `\(level)`, and there is a column of that name; leave it out with `columns`")
            return nil
        }
        return ParquetPartition(name: level, column: column, transform: transform)
    }
}
