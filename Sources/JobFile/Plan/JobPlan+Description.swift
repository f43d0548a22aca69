import Batch
import Expression

extension JobPlan {
    /// The plan for people: what is read, computed, kept and written. Several lines, the last without a line break.
    package func describe() -> String {
        var lines = ["job \(name)", "  kafka: \(brokersText)"]
        for property in kafka.properties.keys.sorted() { lines.append("    \(property)") }
        for source in sources where source.shuffle == nil { lines += describe(source) }
        var described: Set<Int> = []
        for transform in transforms { lines += describeShuffles(above: transform.from, &described) + describe(transform) }
        for sink in sinks { lines += describeShuffles(above: sink.from, &described) + describe(sink) }
        lines.append("dead letters -> topic \(deadLetter.topic)")
        return lines.joined(separator: "\n")
    }

    private var brokersText: String {
        switch kafka.brokers {
        case .embedded: "the embedded log"
        case .addresses(let addresses): addresses
        }
    }

    private func describe(_ source: SourcePlan) -> [String] {
        let time = source.eventTime
        let idle = time.idleTimeout.map { "idle after \(text($0))" } ?? "never idle"
        var lines = [
            "source \(source.name) <- topic \(source.topic) (\(source.format.rawValue))",
            "  key: \(source.key.map { source.fields[$0].name } ?? "none")",
            "  event time: \(source.fields[time.column].name), out of order by at most \(text(time.outOfOrderness)), \(idle), at most \(text(time.maxAhead)) ahead",
            "  start: \(describe(source.start)); offset out of range: \(source.onOffsetOutOfRange.rawValue)",
        ]
        if source.mustHaveOnePartition { lines.append("  the topic must have one partition, since the source has no key") }
        lines.append("  fields:")
        for field in source.fields {
            let form = field.timestampForm.map(\.rawValue) ?? "\(field.type)"
            let path = field.path == [field.name] ? "" : " at \(field.path.joined(separator: "."))"
            lines.append("    \(field.name): \(form)\(field.isNullable ? "?" : "")\(path)")
        }
        return lines
    }

    private func describe(_ start: StartPosition) -> String {
        switch start {
        case .earliest: "earliest"
        case .latest: "latest"
        case .timestamp(let time): Calendar.text(time)
        }
    }

    /// Those between the stage and the transform or source before, unless they are among `described`.
    private func describeShuffles(above stage: StagePlan, _ described: inout Set<Int>) -> [String] {
        guard case .source(let source) = stage, let index = sources[source].shuffle, described.insert(index).inserted else { return [] }
        return describeShuffles(above: shuffles[index].from, &described) + describe(shuffles[index])
    }

    private func describe(_ shuffle: ShufflePlan) -> [String] {
        let content =
            switch shuffle.content {
            case .rows: "rows"
            case .partialWindows(let window): "partial windows of \(transforms[window].name)"
            }
        let columns = shuffle.by.map { shuffle.input.fields[$0].name }.joined(separator: ", ")
        let origin = sources[source(of: shuffle.from)].topic
        var lines = [
            "shuffle \(shuffle.name) <- \(inputName(shuffle.from)): \(content) by \(columns), through topic \(shuffle.topic)",
            "  why: \(shuffle.reason)", "  partitions: \(shuffle.partitions.map(String.init) ?? "as many as topic \(origin) has")",
        ]
        if shuffle.salt > 1 { lines.append("  the rows of a key are spread over up to \(shuffle.salt) partitions") }
        for window in shuffle.windows where isFirstCut(below: shuffle.from) {
            let lateness = window.allowedLateness > 0 ? " and an allowed lateness of \(text(window.allowedLateness))" : ""
            lines.append("  dead letters here: rows that are late for \(describe(window.kind))\(lateness)")
        }
        return lines
    }

    /// Whether rows come to the stage from a topic of the file, or from a window, without another shuffle between.
    private func isFirstCut(below stage: StagePlan) -> Bool {
        switch stage {
        case .source(let index): return sources[index].shuffle == nil
        case .transform(let index):
            if case .window = transforms[index].operation { return true }
            return isFirstCut(below: transforms[index].from)
        }
    }

    private func inputName(_ stage: StagePlan) -> String {
        if case .source(let index) = stage, sources[index].shuffle != nil { return "shuffle \(sources[index].name)" }
        return name(of: stage)
    }

    private func describe(_ transform: TransformPlan) -> [String] {
        let head = "transform \(transform.name) <- \(inputName(transform.from))"
        let names = transform.input.fields.map(\.name)
        var lines: [String]
        switch transform.operation {
        case .filter(let condition): lines = ["\(head): where \(condition.text.oneLine)", "  keeps no state"]
        case .select(let columns):
            lines = ["\(head): select"]
            lines += columns.map { "  \($0.name) = \($0.expression.text.oneLine)" }
            lines.append("  keeps no state")
        case .dedupe(let dedupe):
            lines = [
                "\(head): dedupe by \(dedupe.columns.map { names[$0] }.joined(separator: ", ")) within \(text(dedupe.within))",
                "  keeps 16 bytes for each record of the last \(text(dedupe.within))",
            ]
        case .window(let window):
            lines = ["\(head): \(describe(window.kind)) by \(window.groupBy.map { names[$0] }.joined(separator: ", "))"]
            if window.allowedLateness > 0 { lines.append("  allowed lateness: \(text(window.allowedLateness))") }
            lines += window.aggregates.map { "  \($0.name) = \($0.call.text.oneLine)" }
            lines.append(
                "  keeps the open windows of each key\(window.keepsDistinctValues ? ", with every distinct value of count_distinct" : "")")
        }
        lines.append("  in:  \(describe(transform.input))")
        lines.append("  out: \(describe(transform.output))")
        return lines
    }

    private func describe(_ kind: WindowKind) -> String {
        switch kind {
        case .session(let gap, let max): "session windows with a gap of \(text(gap))\(max.map { ", at most \(text($0)) long," } ?? "")"
        case .tumbling(let size): "tumbling windows of \(text(size))"
        }
    }

    private func describe(_ sink: SinkPlan) -> [String] {
        let columns = Schema(sink.columns.map { sink.input.fields[$0] })
        let head = "sink \(sink.name) <- \(inputName(sink.from)) ->"
        switch sink.target {
        case .kafka(let kafka):
            let key = kafka.key.map { "key \(sink.input.fields[$0].name)" } ?? "no key"
            return ["\(head) topic \(kafka.topic) (\(kafka.format.rawValue), \(key))", "  columns: \(describe(columns))"]
        case .parquet(let parquet):
            var lines = ["\(head) parquet files in \(parquet.path)"]
            if !parquet.partitionBy.isEmpty {
                lines.append("  directories: \(parquet.partitionBy.map { "\($0.name)=..." }.joined(separator: "/"))")
            }
            lines.append(
                "  a new file every \(text(parquet.rollEvery)) or \(Diagnostics.text(size: parquet.rollSize)), \(parquet.compression == .none ? "not compressed" : parquet.compression.rawValue)"
            )
            lines.append("  columns: \(describe(columns))")
            return lines
        }
    }

    private func describe(_ schema: Schema) -> String {
        schema.fields.map(\.description).joined(separator: ", ")
    }

    private func text(_ microseconds: Int64) -> String { Diagnostics.text(duration: microseconds) }
}

extension WindowPlan {
    fileprivate var keepsDistinctValues: Bool {
        aggregates.contains { $0.call.function == .countDistinct }
    }
}

extension String {
    /// Expressions may be written over several lines.
    fileprivate var oneLine: String {
        contains(where: \.isNewline) ? split(whereSeparator: \.isWhitespace).joined(separator: " ") : self
    }
}
