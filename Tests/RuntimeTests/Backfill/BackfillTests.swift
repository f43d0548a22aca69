import Foundation
import JobFile
import KafkaClient
import Runtime
import State
import Testing

struct BackfillTests {
    private let directory = FileManager.default.temporaryDirectory.appending(path: "backfill-\(UUID())").path
    private let run: RunID

    init() throws {
        run = try #require(RunID("june"))
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    private func remove() { try? FileManager.default.removeItem(atPath: directory) }

    private func plan() throws -> JobPlan {
        try JobPlan.parse(
            """
            job: sessions
            kafka: {brokers: "127.0.0.1:1"}
            sources:
              clicks:
                topic: clicks
                format: json
                key: user_id
                fields: {user_id: string, ts: timestamp_ms}
                event_time: {field: ts, out_of_orderness: 2s, idle_timeout: 30s}
                on_offset_out_of_range: latest
            sinks:
              copy: {from: clicks, kafka: {topic: copy, key: user_id, format: json}}
              files: {from: clicks, parquet: {path: \(directory)/files}}
              more: {from: clicks, parquet: {path: \(directory)/more}}
            """, file: "job.yaml", environment: [:])
    }

    private func backfill() throws -> Backfill {
        Backfill(
            try plan(), run, BackfillRange(from: 1, to: 2), storage: try DirectoryStorage(root: "\(directory)/checkpoints"),
            client: ClientConfiguration(brokers: "127.0.0.1:1"))
    }

    private func record(_ backfill: Backfill) -> BackfillRecord {
        BackfillRecord(
            job: "sessions", run: "june", from: 1, to: 2, partitions: [.init(topic: "clicks", partition: 0, start: 3, end: 9)],
            plan: backfill.plan.describe(), outputs: backfill.outputs)
    }

    @Test func theRunHasNamesOfItsOwnAndNothingThatDependsOnTheClock() throws {
        defer { remove() }
        let backfill = try backfill()
        let plan = backfill.replayedPlan
        #expect(plan.name == "sessions.backfill.june")
        #expect(plan.outputTopics == ["copy.backfill.june", "sessions.dead-letter.backfill.june"])
        #expect(plan.sources.allSatisfy { $0.eventTime.idleTimeout == nil && $0.onOffsetOutOfRange == .fail && $0.topic == "clicks" })
        let paths = plan.sinks.compactMap { if case .parquet(let target) = $0.target { target.path } else { nil } }
        #expect(paths == ["\(directory)/files.backfill/.june", "\(directory)/more.backfill/.june"])
    }

    @Test func anIDIsPartOfNames() {
        for good in ["june", "2026-06_x", String(repeating: "a", count: 64)] { #expect(RunID(good) != nil) }
        for bad in ["", "a.b", "a/b", "-a", "ä", "a b", String(repeating: "a", count: 65)] { #expect(RunID(bad) == nil) }
    }

    @Test func aKillBetweenTwoDirectoriesIsFinishedByTheNextStart() throws {
        defer { remove() }
        let backfill = try backfill()
        for output in backfill.outputs.values {
            try FileManager.default.createDirectory(atPath: output.hidden + "/.staging", withIntermediateDirectories: true)
            try Data("left".utf8).write(to: URL(filePath: output.hidden + "/.staging/x.tmp"))
        }
        let sealed = try backfill.seal(record(backfill), ReplayTotals())
        #expect(sealed.phase == .publishing)
        // The first is renamed, then the process ends.
        let first = try #require(backfill.outputs["files"])
        try FileManager.default.moveItem(atPath: first.hidden, toPath: first.directory)

        let found = try #require(try self.backfill().existing())
        #expect(found.phase == .publishing)
        let published = try backfill.publish(found)
        #expect(published.phase == .complete)
        for output in backfill.outputs.values {
            #expect(output.isPublished && !output.isHidden)
            #expect(try FileManager.default.contentsOfDirectory(atPath: output.directory).isEmpty)
        }
        #expect(try self.backfill().existing()?.phase == .complete)
        // And once more.
        #expect(try backfill.publish(published) == published)
    }

    @Test func aDirectoryThatSomebodyHasChangedIsNotPublished() throws {
        defer { remove() }
        let backfill = try backfill()
        let output = try #require(backfill.outputs["more"])
        try FileManager.default.createDirectory(atPath: output.hidden, withIntermediateDirectories: true)
        try Data().write(to: URL(filePath: output.hidden + "/foreign.parquet"))
        #expect(throws: Backfill.Failure.self) { try backfill.seal(record(backfill), ReplayTotals()) }
        #expect(!output.isPublished)
    }

    @Test func whatIsThereUnderThePublishedNameStays() throws {
        defer { remove() }
        let backfill = try backfill()
        let sealed = try backfill.seal(record(backfill), ReplayTotals())
        let output = try #require(backfill.outputs["more"])
        try FileManager.default.createDirectory(atPath: output.directory, withIntermediateDirectories: true)
        #expect(throws: Backfill.Failure.self) { try backfill.publish(sealed) }
        #expect(output.isPublished && output.isHidden)
    }

    @Test func stateOfThatNameWithoutARecordIsSomebodyElses() throws {
        defer { remove() }
        let backfill = try backfill()
        try DirectoryStorage(root: "\(directory)/checkpoints").put([1], as: "sessions.backfill.june/clicks-0/1.delta")
        #expect(throws: Backfill.Failure.self) { try backfill.existing() }
    }
}
