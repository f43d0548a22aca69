import Runtime
import Telemetry

/// A job's status as JSON.
enum StatusText {
    static func json(_ status: JobStatus, withPlan: Bool) -> String {
        var fields: [(String, String)] = [("name", JSONText.quoted(status.name))]
        switch status.phase {
        case .starting: fields.append(("state", "\"starting\""))
        case .running: fields.append(("state", "\"running\""))
        case .waiting: fields.append(("state", "\"waiting\""))
        case .failed: fields.append(("state", "\"failed\""))
        case .stopped: fields.append(("state", "\"stopped\""))
        }
        fields.append(("ready", status.notReady == nil ? "true" : "false"))
        fields.append(("reason", optional(status.notReady)))
        fields.append(("last_error", optional(status.lastError)))
        fields.append(("epoch", String(status.epoch)))
        fields.append(("last_commit", status.lastCommitSeconds.map { String($0) } ?? "null"))
        if let median = status.commitSeconds?.median, let high = status.commitSeconds?.p99 {
            fields.append(("commit_p50", String(median)))
            fields.append(("commit_p99", String(high)))
        }
        fields.append(("ledger", ledger(status.ledger)))
        fields.append(("produced", object(status.produced.sorted { $0.key < $1.key }.map { ($0.key, String($0.value)) })))
        fields.append(("tasks", "[" + status.tasks.map(task).joined(separator: ",") + "]"))
        if let progress = status.progress {
            fields.append((
                "progress",
                object([
                    ("done", String(progress.done)), ("total", String(progress.total)),
                    ("per_second", progress.perSecond.map { String($0) } ?? "null"),
                    ("seconds_left", progress.secondsLeft.map { String($0) } ?? "null"),
                ])
            ))
        }
        if withPlan { fields.append(("plan", JSONText.quoted(status.plan))) }
        return object(fields)
    }

    private static func ledger(_ ledger: Ledger) -> String {
        object([
            ("consumed", String(ledger.consumed)), ("aggregated", String(ledger.aggregated)), ("filtered", String(ledger.filtered)),
            ("duplicate", String(ledger.duplicate)), ("dead_lettered", String(ledger.deadLettered)),
            ("dead_letters", object(DeadLetterReason.allCases.map { ($0.rawValue, String(ledger[$0])) })),
        ])
    }

    private static func task(_ task: JobStatus.TaskStatus) -> String {
        let lag = task.lastStableOffset.map { String(max(0, $0 - task.position)) } ?? "null"
        return object([
            ("task", JSONText.quoted(task.name)), ("topic", JSONText.quoted(task.topic)), ("partition", String(task.partition)),
            ("position", String(task.position)), ("last_stable_offset", task.lastStableOffset.map { String($0) } ?? "null"),
            ("lag", lag), ("watermark_ms", task.watermark.map { String($0 / 1_000) } ?? "null"),
            ("idle", task.isIdle ? "true" : "false"),
        ])
    }

    private static func optional(_ text: String?) -> String { text.map(JSONText.quoted) ?? "null" }

    private static func object(_ fields: [(String, String)]) -> String {
        "{" + fields.map { "\(JSONText.quoted($0.0)):\($0.1)" }.joined(separator: ",") + "}"
    }
}
