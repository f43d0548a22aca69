import JobFile
import KafkaClient
import Runtime

/// What `backfill` tells people.
struct BackfillText {
    let backfill: Backfill
    let record: BackfillRecord

    private var title: String {
        "backfill `\(backfill.run)` of job `\(backfill.plan.name)`: records of \(PointInTime.text(record.from)) up to "
            + "\(PointInTime.text(record.to)), by Kafka timestamp"
    }

    /// What would be read and written, and what is there of it.
    /// - Parameters:
    ///   - positions: how far an earlier start has come; nil when there was none.
    ///   - topics: those of the run that are there, with their partitions.
    func dryRun(positions: [TopicPartition: Int64]?, topics: [String: Int32], cut: [TopicPartition]) -> String {
        var lines = [title, "would read"]
        for partition in record.partitions {
            let place = TopicPartition(partition.topic, partition.partition)
            let count = partition.end - partition.start
            var line = "  \(place): \(count == 0 ? "nothing" : "offsets \(partition.start) to \(partition.end - 1), at most \(count) records")"
            if count > 0, let position = positions?[place] {
                line += position >= partition.end ? ", done" : position > partition.start ? ", done up to \(position - 1)" : ""
            }
            if cut.contains(place) { line += "; begins at the oldest record that is there, older ones may have been deleted" }
            lines.append(line)
        }
        lines.append("  in all at most \(record.offsetCount) records (the markers of transactions count)")
        lines.append("would write")
        for sink in backfill.plan.sinks {
            switch sink.target {
            case .kafka(let target): lines.append("  \(sink.name): \(topic(target.topic, topics))")
            case .parquet:
                guard let output = backfill.outputs[sink.name] else { continue }
                let state = output.isPublished ? "is there" : output.isHidden ? "begun, hidden as \(output.hidden)" : "new"
                lines.append("  \(sink.name): files in \(output.directory) (\(state))")
            }
        }
        lines.append("  dead letters: \(topic(backfill.plan.deadLetter.topic, topics))")
        lines.append("group, state and checkpoints: \(backfill.name)")
        let outcome =
            switch (positions, record.phase) {
            case (nil, _): "the run would begin; nothing is replaced"
            case (_, .reading): "the run was begun and would go on; nothing is replaced"
            case (_, .publishing): "everything is processed; only the directories would be renamed; nothing is replaced"
            case (_, .complete): "the run is complete; nothing would be done"
            }
        lines.append(outcome)
        return lines.joined(separator: "\n") + "\n"
    }

    private func topic(_ name: String, _ topics: [String: Int32]) -> String {
        let name = backfill.run.name(of: name)
        return "topic \(name) (\(topics[name].map { "is there, \($0) partitions" } ?? "new"))"
    }

    /// What a run that is complete has done.
    func summary() -> String {
        guard let summary = record.summary else { return title + "\n" }
        let letters = summary.deadLetters.sorted { $0.key < $1.key }
        let reasons = letters.isEmpty ? "" : " (\(letters.map { "\($0.key) \($0.value)" }.joined(separator: ", ")))"
        var lines = [
            title + ": complete",
            "  consumed \(summary.consumed) = aggregated \(summary.aggregated) + filtered \(summary.filtered) + duplicate \(summary.duplicate)"
                + " + dead-lettered \(letters.reduce(0) { $0 + $1.value })\(reasons)",
        ]
        for sink in backfill.plan.sinks {
            switch sink.target {
            case .kafka(let target):
                let topic = backfill.run.name(of: target.topic)
                lines.append("  \(sink.name): \(summary.rows[topic, default: 0]) records in topic \(topic)")
            case .parquet:
                lines.append(
                    "  \(sink.name): \(summary.rows[sink.name, default: 0]) rows in \(summary.files[sink.name, default: 0]) files, "
                        + "\(backfill.outputs[sink.name]?.directory ?? "")")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
