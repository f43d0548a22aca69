import Foundation
import JobFile
import KafkaClient
import State

/// What is remembered of a backfill, in the checkpoint storage as `<job>.backfill.<run>/run.json`. Written before anything is
/// read: the offsets are looked up once, so that the run means the same records however often it is started.
package struct BackfillRecord: Codable, Equatable, Sendable {
    package enum Phase: String, Codable, Sendable {
        /// Records are being processed; output is hidden.
        case reading
        /// All is processed and committed; the directories are being renamed.
        case publishing
        case complete
    }

    package struct Partition: Codable, Equatable, Sendable {
        package var topic: String
        package var partition: Int32
        /// The first offset of the range, and one past its last.
        package var start: Int64
        package var end: Int64

        package init(topic: String, partition: Int32, start: Int64, end: Int64) {
            self.topic = topic
            self.partition = partition
            self.start = start
            self.end = end
        }
    }

    /// What the run did, once it is over.
    package struct Summary: Codable, Equatable, Sendable {
        package var consumed: Int
        package var aggregated: Int
        package var filtered: Int
        package var duplicate: Int
        package var deadLetters: [String: Int]
        /// By topic of a Kafka sink, name of a Parquet sink.
        package var rows: [String: Int]
        /// By Parquet sink.
        package var files: [String: Int]
    }

    private static let formatNow = 1

    private var format = formatNow
    package var job: String
    package var run: String
    /// The range `[from, to)` of Kafka timestamps, milliseconds since 1970 UTC.
    package var from: Int64
    package var to: Int64
    package var partitions: [Partition]
    /// The job as it was understood: what another text would compute has no place in this run.
    package var plan: String
    /// By Parquet sink.
    package var outputs: [String: BackfillOutput]
    package var phase = Phase.reading
    package var summary: Summary?

    package init(
        job: String, run: String, from: Int64, to: Int64, partitions: [Partition], plan: String, outputs: [String: BackfillOutput]
    ) {
        self.job = job
        self.run = run
        self.from = from
        self.to = to
        self.partitions = partitions
        self.plan = plan
        self.outputs = outputs
    }

    package var ranges: [TopicPartition: Range<Int64>] {
        Dictionary(uniqueKeysWithValues: partitions.map { (TopicPartition($0.topic, $0.partition), $0.start..<max($0.start, $0.end)) })
    }

    /// Offsets to read; markers of transactions and what a compaction has removed count too.
    package var offsetCount: Int64 { partitions.reduce(0) { $0 + max(0, $1.end - $1.start) } }

    private static func name(_ directory: String) -> String { "\(directory)/run.json" }

    /// - Parameter directory: of the run in the checkpoint storage.
    /// - Returns: nil when the run was never begun.
    package static func load(_ directory: String, from storage: any CheckpointStorage) throws(StateError) -> BackfillRecord? {
        let name = name(directory)
        guard let bytes = try storage.get(name) else {
            guard try storage.list(directory).isEmpty else {
                throw StateError(
                    .foreign, name, "there is state under \(directory), and no record of a backfill",
                    remedy: "it belongs to a job of that name, or the record was deleted: use another --run-id")
            }
            return nil
        }
        do {
            let record = try JSONDecoder().decode(BackfillRecord.self, from: Data(bytes))
            guard record.format == formatNow else {
                throw StateError(
                    .newerFormat, name, "the record has format \(record.format), this Millrace knows \(formatNow)",
                    remedy: "finish the run with the version that began it, or use another --run-id")
            }
            return record
        } catch let error as StateError {
            throw error
        } catch {
            throw StateError(.damaged, name, "this is no record of a backfill: \(error)", remedy: "use another --run-id")
        }
    }

    func store(_ directory: String, in storage: any CheckpointStorage) throws(StateError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        let bytes: Data
        do {
            bytes = try encoder.encode(self)
        } catch {
            preconditionFailure("a record has nothing that JSON cannot say: \(error)")
        }
        try storage.put([UInt8](bytes), as: Self.name(directory))
    }

    /// What of `other`, a start of the same run, is not as it was at the first start; empty when all is.
    package func differences(from other: (from: Int64, to: Int64, plan: String, outputs: [String: BackfillOutput])) -> [String] {
        var differences: [String] = []
        if from != other.from { differences.append("--from was \(from) and is \(other.from) (milliseconds since 1970)") }
        if to != other.to { differences.append("--to was \(to) and is \(other.to) (milliseconds since 1970)") }
        if plan != other.plan {
            let old = plan.split(separator: "\n"), new = other.plan.split(separator: "\n")
            let place = zip(old, new).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? min(old.count, new.count)
            func line(_ lines: [Substring]) -> String { place < lines.count ? "`\(lines[place].trimmingCharacters(in: .whitespaces))`" : "nothing" }
            differences.append("the job file said \(line(old)) and says \(line(new))")
        }
        for (sink, output) in outputs.sorted(by: { $0.key < $1.key }) {
            if let now = other.outputs[sink], now != output {
                differences.append("sink `\(sink)` wrote to \(output.directory) and would write to \(now.directory): start it in the same directory")
            }
        }
        return differences
    }
}

extension BackfillRecord.Summary {
    package init(_ totals: ReplayTotals) {
        let ledger = totals.ledger
        self.init(
            consumed: ledger.consumed, aggregated: ledger.aggregated, filtered: ledger.filtered, duplicate: ledger.duplicate,
            deadLetters: Dictionary(
                uniqueKeysWithValues: DeadLetterReason.allCases.filter { ledger[$0] > 0 }.map { ($0.rawValue, ledger[$0]) }),
            rows: totals.rows, files: totals.files)
    }
}
