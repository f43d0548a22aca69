import Batch
import Expression
import Foundation
import JobFile
import Testing

@Test func theExampleOfTheDesignLoads() throws {
    let plan = try plan(sessionsJob)
    #expect(plan.name == "clickstream-sessions")
    #expect(plan.kafka == KafkaPlan(brokers: .embedded, properties: [:]))
    #expect(plan.deadLetter.topic == "clicks.dead-letter")

    let source = try #require(plan.sources.first)
    #expect(source.topic == "clicks")
    #expect(source.key == 1)
    #expect(source.eventTime == EventTimePlan(column: 2, outOfOrderness: 60_000_000, idleTimeout: 30_000_000, maxAhead: 3_600_000_000))
    #expect(source.start == .earliest)
    #expect(source.onOffsetOutOfRange == .fail)
    #expect(!source.mustHaveOnePartition)
    #expect(source.fields[2] == SourceField(name: "ts", type: .timestamp, isNullable: false, path: ["ts"], timestampForm: .milliseconds))
    #expect(
        source.fields[5]
            == SourceField(name: "amount", type: .decimal(precision: 12, scale: 2), isNullable: true, path: ["amount"], timestampForm: nil))
    #expect(source.fields[6] == SourceField(name: "os", type: .string, isNullable: true, path: ["device", "os"], timestampForm: nil))

    #expect(plan.transforms.map(\.name) == ["unique", "sessions"])
    #expect(plan.transforms.map(\.from) == [.source(0), .transform(0)])
    guard case .dedupe(let dedupe) = plan.transforms[0].operation else { throw Unexpected() }
    #expect(dedupe == DedupePlan(columns: [0], within: 86_400_000_000))
    guard case .window(let window) = plan.transforms[1].operation else { throw Unexpected() }
    #expect(window.groupBy == [1])
    #expect(window.kind == .session(gap: 1_800_000_000, max: nil))
    #expect(window.allowedLateness == 0)
    #expect(window.aggregates.map(\.name) == ["events", "purchases", "revenue", "pages", "first_url"])
    #expect(window.aggregates.map(\.call.function) == [.count, .count, .sum, .countDistinct, .first])
    #expect(window.aggregates.map { $0.call.condition != nil } == [false, true, false, false, false])
    #expect(
        plan.transforms[1].output
            == Schema([
                Field("user_id", .string), Field("window_start", .timestamp), Field("window_end", .timestamp), Field("events", .int64),
                Field("purchases", .int64), Field("revenue", .decimal(precision: 38, scale: 2), isNullable: true), Field("pages", .int64),
                Field("first_url", .string, isNullable: true),
            ]))

    #expect(plan.sinks.map(\.name) == ["sessions_topic", "sessions_files"])
    #expect(plan.sinks[0].target == .kafka(KafkaSinkPlan(topic: "sessions", key: 0, format: .json)))
    #expect(
        plan.sinks[1].target
            == .parquet(
                ParquetSinkPlan(
                    path: "./data/lake/sessions",
                    partitionBy: [ParquetPartition(name: "window_start_date", column: 1, transform: .date)], rollEvery: 300_000_000,
                    rollSize: 128 << 20, compression: .zstd)))
    #expect(plan.sinks.allSatisfy { $0.columns == Array(0..<8) })
}

struct Unexpected: Error {}

@Test func theDescriptionOfAPlanShowsWhatIsReadComputedKeptAndWritten() throws {
    let description = try plan(sessionsJob).describe()
    #expect(
        description == """
            job clickstream-sessions
              kafka: the embedded log
            source clicks <- topic clicks (json)
              key: user_id
              event time: ts, out of order by at most 1m, idle after 30s, at most 1h ahead
              start: earliest; offset out of range: fail
              fields:
                event_id: string
                user_id: string
                ts: timestamp_ms
                event_type: string
                url: string
                amount: decimal(12,2)?
                os: string? at device.os
            transform unique <- clicks: dedupe by event_id within 1d
              keeps 16 bytes for each record of the last 1d
              in:  event_id: string, user_id: string, ts: timestamp, event_type: string, url: string, amount: decimal(12,2)?, os: string?
              out: event_id: string, user_id: string, ts: timestamp, event_type: string, url: string, amount: decimal(12,2)?, os: string?
            transform sessions <- unique: session windows with a gap of 30m by user_id
              events = count()
              purchases = count(where event_type = 'purchase')
              revenue = sum(amount)
              pages = count_distinct(url)
              first_url = first(url)
              keeps the open windows of each key, with every distinct value of count_distinct
              in:  event_id: string, user_id: string, ts: timestamp, event_type: string, url: string, amount: decimal(12,2)?, os: string?
              out: user_id: string, window_start: timestamp, window_end: timestamp, events: int64, purchases: int64, revenue: decimal(38,2)?, pages: int64, first_url: string?
            sink sessions_topic <- sessions -> topic sessions (json, key user_id)
              columns: user_id: string, window_start: timestamp, window_end: timestamp, events: int64, purchases: int64, revenue: decimal(38,2)?, pages: int64, first_url: string?
            sink sessions_files <- sessions -> parquet files in ./data/lake/sessions
              directories: window_start_date=...
              a new file every 5m or 128MiB, zstd
              columns: user_id: string, window_start: timestamp, window_end: timestamp, events: int64, purchases: int64, revenue: decimal(38,2)?, pages: int64, first_url: string?
            dead letters -> topic clicks.dead-letter
            """)
}

private let minimal = """
    job: small
    kafka: {brokers: "a:9092,b:9092", properties: {security.protocol: SASL_SSL}}
    sources:
      in:
        topic: in
        fields: {id: int64, at: timestamp, "text": string?}
        event_time: {field: at, out_of_orderness: 0s, max_ahead: 0s}
        start: 2026-01-31T12:00:00+01:00
        on_offset_out_of_range: latest
    sinks:
      out: {from: in, columns: [text, id], kafka: {topic: out}}
    """

@Test func whatIsLeftOutHasItsDefault() throws {
    let plan = try plan(minimal)
    #expect(plan.kafka == KafkaPlan(brokers: .addresses("a:9092,b:9092"), properties: ["security.protocol": "SASL_SSL"]))
    #expect(plan.deadLetter.topic == "small.dead-letter")
    #expect(plan.sources[0].format == .json)
    #expect(plan.sources[0].key == nil)
    #expect(plan.sources[0].eventTime == EventTimePlan(column: 1, outOfOrderness: 0, idleTimeout: nil, maxAhead: 0))
    #expect(plan.sources[0].start == .timestamp(1_769_857_200_000_000))
    #expect(plan.sources[0].onOffsetOutOfRange == .latest)
    #expect(!plan.sources[0].mustHaveOnePartition)
    #expect(plan.transforms.isEmpty)
    #expect(plan.sinks[0].columns == [2, 0])
    #expect(plan.sinks[0].target == .kafka(KafkaSinkPlan(topic: "out", key: nil, format: .json)))
}

@Test func transformsStandInTheOrderInWhichRecordsFlow() throws {
    let plan = try plan(
        minimal.replacing(
            "sinks:",
            with: """
                transforms:
                  last: {from: middle, where: n > 1}
                  other: {from: in, where: true}
                  middle: {from: first, select: {n: id * 2, id: id}}
                  first: {from: in, where: text is not null}
                sinks:
                """
        ).replacing("from: in, columns: [text, id]", with: "from: last") + "\n  more: {from: other, kafka: {topic: other}}")
    #expect(plan.transforms.map(\.name) == ["first", "middle", "last", "other"])
    #expect(plan.transforms.map(\.from) == [.source(0), .transform(0), .transform(1), .source(0)])
    #expect(plan.transforms[2].output == Schema([Field("n", .int64, isNullable: true), Field("id", .int64)]))
    #expect(plan.sinks.map(\.from) == [.transform(2), .transform(3)])
}

@Test func aSourceWithoutKeyMayHaveOnePartitionWhereRecordsAreComparedWithOthers() throws {
    let text = minimal.replacing("from: in, columns: [text, id]", with: "from: t")
    func withTransform(_ transform: String) throws -> JobPlan {
        try plan(text.replacing("sinks:", with: "transforms:\n  t: {from: in, \(transform)}\nsinks:"))
    }
    #expect(try !withTransform("where: id > 1").sources[0].mustHaveOnePartition)
    #expect(try withTransform("dedupe: {by: id, within: 1h}").sources[0].mustHaveOnePartition)
    let windowed = try withTransform("group_by: id, window: {tumbling: {size: 1h}}, aggregate: {n: count()}")
    #expect(windowed.sources[0].mustHaveOnePartition)
    #expect(windowed.describe().contains("the topic must have one partition"))
}

@Test func theKeyMayBeRenamedOnTheWayToAWindow() throws {
    let renamed = job("dedupe: {by: event_id, within: 24h}", "select: {who: user_id, event_type: event_type, amount: amount, url: url}")
        .replacing("group_by: [user_id]", with: "group_by: [event_type, who]").replacing("key: user_id, format", with: "key: who, format")
    let plan = try plan(renamed)
    guard case .window(let window) = plan.transforms[1].operation else { throw Unexpected() }
    #expect(window.groupBy == [1, 0])
    #expect(window.kind == .session(gap: 1_800_000_000, max: nil))
}

@Test func windowsOverWindowsKeepTheKey() throws {
    let plan = try plan(
        sessionsJob.replacing(
            "sinks:",
            with: """
                  daily:
                    from: sessions
                    group_by: user_id
                    window: {tumbling: {size: 1d}}
                    aggregate: {sessions: count(), longest: max(events)}
                sinks:
                  daily: {from: daily, kafka: {topic: daily}}
                """))
    #expect(
        plan.transforms[2].output.fields.map(\.description) == [
            "user_id: string", "window_start: timestamp", "window_end: timestamp", "sessions: int64", "longest: int64?",
        ])
}

@Test func bothFilesOfTheProjectLoad() throws {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let daemon = try DaemonFile.load("/\(root)/config/millrace.yaml", environment: [:])
    #expect(daemon.jobs == ["config/jobs/clickstream-sessions.yaml"])
    let plan = try JobPlan.load("/\(root)/config/jobs/clickstream-sessions.yaml", environment: ["MILLRACE_BROKERS": "kafka:9092"])
    #expect(plan.kafka.brokers == .addresses("kafka:9092"))
    #expect(JobPlan.conflicts(among: [plan], in: daemon) == [])
}

@Test func aFileThatCannotBeReadSaysWhy() {
    let error = #expect(throws: JobFileError.self) { try JobPlan.load("/nowhere/job.yaml", environment: [:]) }
    #expect(error?.description == "/nowhere/job.yaml:1:1: the file cannot be read: No such file or directory")
    #expect(throws: JobFileError.self) { try DaemonFile.load("/nowhere/millrace.yaml", environment: [:]) }
    #expect((try? DaemonFile.load("/nowhere/millrace.yaml", environment: [:], mayBeMissing: true)) == .withoutFile)
}

@Test func jobsThatCannotRunTogetherAreNamed() throws {
    let first = try plan(sessionsJob)
    let second = try plan(
        sessionsJob.replacing("job: clickstream-sessions", with: "job: other").replacing("./data/lake/sessions", with: "data/lake"))
    #expect(JobPlan.conflicts(among: [first], in: .withoutFile) == [])
    #expect(
        JobPlan.conflicts(among: [first, second, first], in: DaemonFile()) == [
            "job `clickstream-sessions` uses the embedded log (brokers: embedded), but the daemon file has no `log`",
            "job `other` uses the embedded log (brokers: embedded), but the daemon file has no `log`",
            "the jobs `clickstream-sessions` and `other` both write to topic `sessions`",
            "the jobs `clickstream-sessions` and `other` write to `./data/lake/sessions` and `data/lake`, which are one directory or one inside the other",
            "two jobs are named `clickstream-sessions`",
            "job `clickstream-sessions` uses the embedded log (brokers: embedded), but the daemon file has no `log`",
            "the jobs `other` and `clickstream-sessions` both write to topic `sessions`",
            "the jobs `other` and `clickstream-sessions` write to `data/lake` and `./data/lake/sessions`, which are one directory or one inside the other",
        ])
}

@Test func theExamplesOfTheReferencePageLoad() throws {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let page = try String(contentsOfFile: "/\(root)/docs/job-file.md", encoding: .utf8)
    let blocks = page.split(separator: "```yaml\n").dropFirst().compactMap { $0.split(separator: "```").first.map(String.init) }
    #expect(blocks.count == 3)
    let example = try plan(blocks[0])
    #expect(example.transforms.count == 2)
    let indented = (blocks[1] + blocks[2]).split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
    let sinks = ["slim", "pages"].map { "\n  \($0): {from: \($0), kafka: {topic: \($0)}}" }.joined()
    let withTransforms = try plan(blocks[0].replacing("sinks:", with: "\(indented)\nsinks:\(sinks)"))
    #expect(withTransforms.transforms.map(\.name) == ["unique", "sessions", "paid", "slim", "pages"])
    #expect(withTransforms.shuffles.map(\.name) == ["by_page"])
}
