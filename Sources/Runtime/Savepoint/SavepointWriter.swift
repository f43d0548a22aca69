import Foundation
import JobFile
import KafkaClient
import State

/// Takes savepoints of a job from the checkpoint storage and the group's committed offsets alone: whether the job runs, on how many
/// instances, or not at all, makes no difference to it, nor it to the job.
package struct SavepointWriter: Sendable {
    /// A running job deletes what newer snapshots make unnecessary, perhaps while it is copied.
    private static let attempts = 5
    /// What a killed writer left is deleted by a later one.
    private static let leftoverSeconds: TimeInterval = 24 * 3_600

    private let job: String
    private let storage: any CheckpointStorage
    private let topics: Set<String>?
    private let now: @Sendable () -> Date
    private let random: @Sendable () -> UInt64

    /// - Parameters:
    ///   - topics: that the job reads; nil for all that its group has offsets of.
    ///   - random: for the end of an id, so that two of one millisecond differ.
    package init(
        job: String, storage: any CheckpointStorage, topics: Set<String>? = nil, now: @escaping @Sendable () -> Date = { Date() },
        random: @escaping @Sendable () -> UInt64 = { UInt64.random(in: 0...UInt64.max) }
    ) {
        self.job = job
        self.storage = storage
        self.topics = topics
        self.now = now
        self.random = random
    }

    /// Takes a savepoint of what is committed now.
    /// - Parameter committed: asks for all committed offsets of the group at once: they are of one moment then.
    package func take(committed: () throws(KafkaClientError) -> [CommittedOffset]) throws(StateError) -> Savepoint {
        try removeLeftovers()
        var attempt = 1
        while true {
            let name = SavepointName(job: job, at: now(), random: random())
            do throws(StateError) {
                return try take(as: name, offsets(committed))
            } catch {
                try? storage.delete(name.directory)
                let maySettle = error.kind == .missing || error.kind == .cut || error.kind == .damaged || error.kind == .inputOutput
                guard maySettle, attempt < Self.attempts else { throw error }
                attempt += 1
            }
        }
    }

    private func offsets(_ committed: () throws(KafkaClientError) -> [CommittedOffset]) throws(StateError) -> [CommittedOffset] {
        let all: [CommittedOffset]
        do throws(KafkaClientError) {
            all = try committed()
        } catch {
            throw StateError(.inputOutput, "group \(job)", "its offsets cannot be looked up: \(error)", remedy: "try again when the brokers answer")
        }
        let mine = all.filter { $0.offset != nil && topics?.contains($0.partition.topic) ?? true }
        guard !mine.isEmpty else {
            throw StateError(.foreign, "group \(job)", "the job has committed nothing yet", remedy: "is the job's name right, and are these its brokers?")
        }
        return mine
    }

    private func take(as name: SavepointName, _ committed: [CommittedOffset]) throws(StateError) -> Savepoint {
        // What is between the tasks of two sides is in no task's state.
        if let shuffled = committed.first(where: { ShufflePlan.isTopic($0.partition.topic, ofJob: job) }) {
            throw StateError(
                .foreign, "job \(job)", "it has a shuffle (\(shuffled.partition.topic)), and what is on its way through that would be missing from a savepoint",
                remedy: "savepoints of jobs with shuffles are not supported yet; a backfill computes a changed job's results from history")
        }
        let index = try CheckpointIndex(ofJob: job, in: storage)
        var tasks: [Savepoint.Task] = []
        var origins: Set<SavepointName> = []
        for offset in committed.sorted(by: { $0.partition < $1.partition }) {
            let found = try index.committedTask(offset)
            if let origin = StateRegistry(extras: found.tip.header.extras).savepoint { origins.insert(origin) }
            tasks.append(try copy(found, into: name))
        }
        let savepoint = Savepoint(
            job: name.job, id: name.id, taken: now().timeIntervalSince1970, startedFrom: origins.count == 1 ? origins.first?.description : nil,
            tasks: tasks)
        try storage.put(savepoint.encoded(), as: SavepointShelf.manifest(name))
        return savepoint
    }

    private func copy(_ found: CommittedTask, into name: SavepointName) throws(StateError) -> Savepoint.Task {
        let header = found.tip.header
        var objects: [Savepoint.Object] = []
        let directory = "\(name.directory)/\(found.task.name)"
        func note(_ object: String, _ bytes: [UInt8]) {
            objects.append(.init(name: String(object.dropFirst(name.directory.count + 1)), bytes: bytes.count, crc32c: crc32c(bytes[...])))
        }
        // What is deleted soonest goes first.
        if let snapshot = found.snapshot {
            let target = "\(directory)/\(snapshot.name.split(separator: "/").last ?? "")"
            try storage.copyDirectory(snapshot.name, to: target)
            for object in try storage.list(target) {
                guard let bytes = try storage.get(object.name) else {
                    throw StateError(.missing, object.name, "it was deleted while the savepoint was taken", remedy: "take another one")
                }
                note(object.name, bytes)
            }
        }
        for delta in found.deltas + (found.deltas.isEmpty ? [found.tip] : []) {
            let reference = delta.header.reference
            let target = "\(directory)/\(DeltaChain.fileName(reference))"
            try storage.put(delta.bytes, as: target)
            note(target, delta.bytes)
        }
        let watermark = header.watermarks[found.partition.topic]
        return Savepoint.Task(
            source: found.task.source, topic: found.partition.topic, partition: found.partition.partition, offset: found.offset,
            epoch: header.reference.epoch, delta: header.reference.idText, watermark: watermark == EventTimeRange.noWatermark ? nil : watermark,
            snapshotEpoch: found.snapshot?.reference.epoch,
            states: StateRegistry(extras: header.extras).stored.values.sorted { $0.name < $1.name }
                .map { .init(name: $0.name, fingerprint: $0.fingerprint) },
            objects: objects)
    }

    private func removeLeftovers() throws(StateError) {
        let limit = SavepointName(job: job, at: now() - Self.leftoverSeconds, random: 0).id
        for content in try SavepointShelf(storage).contents(ofJob: job) where !content.isComplete && content.id < limit {
            try storage.delete(SavepointName(job: job, id: content.id).directory)
        }
    }
}
