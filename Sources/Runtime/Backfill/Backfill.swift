import Foundation
import JobFile
import KafkaClient
import Parquet
import State
import Telemetry

/// A bounded replay of a job over retained history: begun once, continued as often as it takes, published whole.
package struct Backfill: Sendable {
    package struct Failure: Error, CustomStringConvertible, Sendable {
        package enum Kind: Sendable {
            /// What was asked for does not go together with what is there.
            case refused
            case failed
        }

        package let kind: Kind
        package let description: String

        init(_ kind: Kind, _ description: String) {
            self.kind = kind
            self.description = description
        }
    }

    /// Of each question to the cluster.
    private static let timeout = Duration.seconds(30)

    /// The job's, as its file has it.
    package let plan: JobPlan
    package let run: RunID
    package let range: BackfillRange
    /// By Parquet sink.
    package let outputs: [String: BackfillOutput]
    package let storage: any CheckpointStorage
    private let client: ClientConfiguration

    package init(_ plan: JobPlan, _ run: RunID, _ range: BackfillRange, storage: any CheckpointStorage, client: ClientConfiguration) {
        self.plan = plan
        self.run = run
        self.range = range
        self.storage = storage
        self.client = client
        var outputs: [String: BackfillOutput] = [:]
        for sink in plan.sinks {
            if case .parquet(let target) = sink.target { outputs[sink.name] = BackfillOutput(path: target.path, run: run) }
        }
        self.outputs = outputs
    }

    /// The name of everything that is the run's own: group, state, checkpoints.
    package var name: String { run.name(of: plan.name) }

    /// The job as the run does it.
    package var replayedPlan: JobPlan { plan.backfill(run, outputs: outputs) }

    /// What an earlier start of this run has left, if this start asks for the same; nil when there was none.
    package func existing() throws(Failure) -> BackfillRecord? {
        let found = try failing { () throws(StateError) in try BackfillRecord.load(name, from: storage) }
        guard let found else {
            for output in outputs.values where output.isPublished || output.isHidden {
                throw Failure(
                    .refused,
                    "\(output.isPublished ? output.directory : output.hidden) is there already, and no record of such a run in the checkpoint storage: "
                        + "use another --run-id, or take it away")
            }
            return nil
        }
        let differences = found.differences(from: (range.from, range.to, plan.describe(), outputs))
        guard differences.isEmpty else {
            throw Failure(
                .refused,
                "the run `\(run)` of job `\(plan.name)` was begun otherwise: \(differences.joined(separator: "; ")). Use another --run-id")
        }
        return found
    }

    /// The run as it would begin now.
    /// - Returns: also the partitions whose first records retention may have deleted.
    package func resolved() throws(Failure) -> (record: BackfillRecord, cut: [TopicPartition]) {
        let found = try failing { try range.offsets(of: plan.sources.filter { $0.shuffle == nil }, in: try ClusterLookUp(client)) }
        let record = BackfillRecord(
            job: plan.name, run: run.description, from: range.from, to: range.to, partitions: found.partitions, plan: plan.describe(),
            outputs: outputs)
        return (record, found.cut)
    }

    /// The run as it was begun, now if it never was.
    package func begin(_ log: Log) throws(Failure) -> BackfillRecord {
        if let found = try existing() { return found }
        let (record, cut) = try resolved()
        for partition in cut {
            log.warn(
                "the range begins at or before the oldest record that is there: retention may have deleted some of it",
                ["partition": .string("\(partition)")])
        }
        try failing { () throws(StateError) in try record.store(name, in: storage) }
        return record
    }

    /// How far an earlier start has come, by partition.
    package func positions() throws(Failure) -> [TopicPartition: Int64] {
        let committed = try failing { try ClusterLookUp(client).committedOffsets(of: name, timeout: Self.timeout) }
        return Dictionary(uniqueKeysWithValues: committed.compactMap { place in place.offset.map { (place.partition, $0) } })
    }

    /// How many partitions the topics have that the run writes to; those that are not there are left out.
    package func outputTopics() throws(Failure) -> [String: Int32] {
        let topics = try failing { try ClusterLookUp(client).topics(timeout: Self.timeout) }
        return topics.filter { name, _ in replayedPlan.outputTopics.contains(name) }
    }

    /// Creates the run's topics with as many partitions as the job's own have, so that the two can be compared and exchanged.
    package func prepareTopics() throws(Failure) {
        try failing {
            let admin = try AdminClient(client)
            for topic in Set(plan.outputTopics).sorted() {
                let partitions = try admin.describe(topic, timeout: Self.timeout) ?? -1
                _ = try admin.ensure(NewTopic(run.name(of: topic), partitions: partitions), timeout: Self.timeout)
            }
        }
    }

    package func mode(of record: BackfillRecord, recordsPerSecond: Int?) -> RunMode {
        .replay(
            Replay(
                job: plan.name, ranges: record.ranges, recordsPerSecond: recordsPerSecond, parquetSinks: outputs.count))
    }

    /// Everything has been processed and committed: from here on the run is published, by this start or the next.
    package func seal(_ record: BackfillRecord, _ totals: ReplayTotals) throws(Failure) -> BackfillRecord {
        for (sink, output) in outputs.sorted(by: { $0.key < $1.key }) {
            let count = try failing { () throws(ParquetError) in try output.complete() }
            let expected = totals.files[sink, default: 0]
            guard count == expected else {
                throw Failure(
                    .failed, "\(output.hidden) has \(count) files where the run has written \(expected): somebody has changed it. Use another --run-id")
            }
        }
        var sealed = record
        sealed.phase = .publishing
        sealed.summary = BackfillRecord.Summary(totals)
        try failing { () throws(StateError) in try sealed.store(name, in: storage) }
        return sealed
    }

    /// Gives every directory its final name. May be done again at any time.
    package func publish(_ record: BackfillRecord) throws(Failure) -> BackfillRecord {
        for (_, output) in outputs.sorted(by: { $0.key < $1.key }) {
            let isThere = try failing { () throws(ParquetError) in try output.publish() }
            guard isThere else {
                throw Failure(
                    .failed, "\(output.directory), which the run has written, is gone: use another --run-id to write it again")
            }
        }
        var published = record
        published.phase = .complete
        if published != record { try failing { () throws(StateError) in try published.store(name, in: storage) } }
        return published
    }

    /// Drops what only a run that goes on would need: checkpoints and local state. The record stays.
    package func tidy(localDirectory: String) throws(Failure) {
        try failing { () throws(StateError) in
            var parts: Set<Substring> = []
            for object in try storage.list(name) {
                let below = object.name.dropFirst(name.count + 1).split(separator: "/")
                if below.count > 1, let first = below.first { parts.insert(first) }
            }
            for part in parts.sorted() { try storage.delete("\(name)/\(part)") }
        }
        try? FileManager.default.removeItem(atPath: localDirectory)
    }

    private func failing<Result, Cause: Error>(_ body: () throws(Cause) -> Result) throws(Failure) -> Result {
        do throws(Cause) {
            return try body()
        } catch {
            throw Failure(.failed, "\(error)")
        }
    }
}
