import Foundation
import KafkaClient
import Runtime
import State

/// `millrace state`: what the checkpoint of a job holds.
struct StateCommand {
    /// The running job deletes what newer snapshots make unnecessary, perhaps while it is read.
    private static let attempts = 5

    private let target: JobTarget
    private let output: Output
    private let task: Int?

    init(_ arguments: inout Arguments) throws(UsageError) {
        output = Output(isJSON: arguments.flag("--json"))
        task = try arguments.number("--task", in: 0...Int(Int32.max))
        target = try JobTarget(&arguments)
    }

    func run() -> ExitCode {
        LogTarget.run(output) {
            let reports = try target.withCommittedOffsets { committed in try self.reports(committed) }
            guard !reports.isEmpty else {
                throw UsageError(task.map { "job \(target.name) has committed nothing of partition \($0)" } ?? "job \(target.name) has committed nothing")
            }
            show(reports)
            return .done
        }
    }

    private func reports(_ committed: () throws(KafkaClientError) -> [CommittedOffset]) throws -> [StateReport] {
        var attempt = 1
        while true {
            let offsets = try committed().filter { offset in
                target.topics?.contains(offset.partition.topic) ?? true && task.map { Int(offset.partition.partition) == $0 } ?? true
            }
            do throws(StateError) {
                let index = try CheckpointIndex(ofJob: target.name, in: target.storage)
                var reports: [StateReport] = []
                for offset in offsets {
                    let scratch = FileManager.default.temporaryDirectory.path + "/millrace-state-\(getpid())-\(reports.count)"
                    reports.append(
                        try StateReport(try index.committedTask(offset), job: target.name, in: target.storage, scratch: scratch))
                }
                return reports.sorted { $0.committed.task < $1.committed.task }
            } catch {
                guard error.kind == .missing || error.kind == .inputOutput, attempt < Self.attempts else { throw error }
                attempt += 1
            }
        }
    }

    private func show(_ reports: [StateReport]) {
        output.table("task", reports.map(row))
        if !output.isJSON { output.line("") }
        output.table(
            "state",
            reports.flatMap { report in
                report.parts.map { part in
                    [
                        "task": .text(report.committed.task.name), "transform": .text(part.name), "entries": .number(Int64(part.entries)),
                        "bytes": .number(Int64(part.bytes)), "definition": .text(part.fingerprint),
                    ]
                }
            })
    }

    private func row(_ report: StateReport) -> Fields {
        let committed = report.committed
        let header = committed.tip.header
        let watermark = report.watermark.map { Date(timeIntervalSince1970: Double($0) / 1_000_000) }
        return [
            "task": .text(committed.task.name), "topic": .text(committed.partition.topic), "offset": .number(committed.offset),
            "epoch": .number(Int64(header.reference.epoch)), "delta": .text(header.reference.idText),
            "watermark": watermark.map { .text($0.ISO8601Format(.iso8601.time(includingFractionalSeconds: true).year().month().day())) } ?? .none,
            "deltas": .number(Int64(committed.deltas.count)), "delta_bytes": .number(Int64(report.deltaBytes)),
            "snapshot_epoch": committed.snapshot.map { .number(Int64($0.reference.epoch)) } ?? .none,
            "snapshot_bytes": report.snapshotBytes.map { .number(Int64($0)) } ?? .none,
            "savepoint": report.savepoint.map { .text($0) } ?? .none,
        ]
    }
}
