import JobFile
import Testing

/// The example of the design.
let sessionsJob = """
    job: clickstream-sessions
    kafka: {brokers: embedded}              # or host:9092,...
    sources:
      clicks:
        topic: clicks
        format: json
        key: user_id                        # what the topic is partitioned by
        fields:                             # name: type, or {type, path}; '?' = may be absent or null
          event_id: string
          user_id: string
          ts: timestamp_ms
          event_type: string
          url: string
          amount: decimal(12,2)?
          os: {type: string?, path: device.os}
        event_time: {field: ts, out_of_orderness: 60s, idle_timeout: 30s}
        start: earliest
        on_offset_out_of_range: fail
    transforms:
      unique:
        from: clicks
        dedupe: {by: event_id, within: 24h}
      sessions:
        from: unique
        group_by: [user_id]
        window: {session: {gap: 30m}}
        allowed_lateness: 0s
        aggregate:
          events: count()
          purchases: count(where event_type = 'purchase')
          revenue: sum(amount)
          pages: count_distinct(url)
          first_url: first(url)
    sinks:
      sessions_topic: {from: sessions, kafka: {topic: sessions, key: user_id, format: json}}
      sessions_files:
        from: sessions
        parquet: {path: ./data/lake/sessions, partition_by: [date(window_start)], roll: {every: 5m, size: 128MiB}}
    dead_letter: {topic: clicks.dead-letter}
    """

/// `sessionsJob` with one piece of text replaced. Its lines keep their numbers when the replacement has no line break.
func job(_ old: String, _ new: String) -> String {
    precondition(sessionsJob.contains(old), "the example has no \(old)")
    return sessionsJob.replacing(old, with: new)
}

func plan(_ text: String, _ environment: [String: String] = [:]) throws(JobFileError) -> JobPlan {
    try JobPlan.parse(text, file: "job.yaml", environment: environment)
}

/// Every refusal of a job file, as it is printed, without the file's name.
func refusals(_ text: String, _ environment: [String: String] = [:]) -> [String] {
    do {
        _ = try plan(text, environment)
        return []
    } catch {
        return error.issues.map { "\($0.line):\($0.column): \($0.message)" }
    }
}

func refusals(daemon text: String, _ environment: [String: String] = [:]) -> [String] {
    do {
        _ = try DaemonFile.parse(text, file: "millrace.yaml", environment: environment)
        return []
    } catch {
        return error.issues.map { "\($0.line):\($0.column): \($0.message)" }
    }
}

/// The example with one text replaced, and what is said about it.
struct Refusal: Sendable, CustomTestStringConvertible {
    let old: String
    let new: String
    let messages: [String]

    init(_ old: String, _ new: String, _ messages: String...) {
        self.old = old
        self.new = new
        self.messages = messages
    }

    var testDescription: String { new }
}
