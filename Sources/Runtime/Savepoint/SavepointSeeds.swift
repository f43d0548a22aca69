import Foundation
import JobFile
import KafkaClient
import State

extension DeltaHeader {
    private static let seedKey = "seed"

    /// It is where a task begins that starts from a savepoint: nothing has been processed in its epoch.
    var isSeed: Bool {
        get { extras[Self.seedKey] != nil }
        set { extras[Self.seedKey] = newValue ? "1" : nil }
    }
}

/// What a job's tasks begin with when it starts from a savepoint: for each a delta without changes, but for what is dropped, in an epoch above all that the
/// job has ever used, and a snapshot that is complete to it.
struct SavepointSeeds {
    private static let timeout = Duration.seconds(30)

    private struct Seed {
        var source: SourcePlan
        var stored: Savepoint.Task
        /// Oldest first, as this job's.
        var deltas: [DeltaFile]
        var fitted: FittedPipeline
    }

    private let context: JobContext
    private let savepoint: Savepoint
    private let cluster: any GroupObserver
    private let present: PresentState
    private let epoch: Int

    init(
        _ context: JobContext, _ savepoint: Savepoint, _ cluster: any GroupObserver, _ present: PresentState, _ index: CheckpointIndex
    ) {
        self.context = context
        self.savepoint = savepoint
        self.cluster = cluster
        self.present = present
        let epochs = present.committed.compactMap { CommitMetadata($0.metadata)?.epoch } + savepoint.tasks.map(\.epoch)
        epoch = 1 + max(index.highestEpoch, epochs.max() ?? 0)
    }

    private var plan: JobPlan { context.plan }
    private var storage: any CheckpointStorage { context.settings.storage }

    /// Refuses a savepoint that does not fit the job or its topics.
    func check() throws(StateError) { _ = try checked() }

    /// Checks, then writes the seeds. Nobody looks at them before the offsets say so.
    /// - Returns: the offsets that do.
    func write() throws(StateError) -> [OffsetToCommit] {
        let seeds = try checked()
        var offsets: [OffsetToCommit] = []
        for seed in seeds {
            guard !context.requests.isStopRequested else {
                throw StateError(.foreign, "job \(plan.name)", "it was stopped before it started", remedy: "start it again")
            }
            offsets.append(try write(seed))
        }
        for partition in present.committed.map(\.partition) where !offsets.contains(where: { $0.partition == partition }) {
            if let offset = try writeBeginning(partition) { offsets.append(offset) }
        }
        return offsets
    }

    // MARK: Checks

    private func checked() throws(StateError) -> [Seed] {
        var problems: [String] = []
        var seeds: [Seed] = []
        var conflicts: [String: StateError] = [:]
        for task in savepoint.tasks {
            guard let source = plan.sources.first(where: { $0.name == task.source }) else {
                let kept = task.states.map(\.name).filter { !context.settings.droppableState.contains($0) }
                if !kept.isEmpty {
                    problems.append(
                        "source `\(task.source)` is no longer in the job, and \(kept.map { "`\($0)`" }.joined(separator: ", ")) below it kept state; "
                            + "put it back, or give it up with \(kept.map { "`--drop-state \($0)`" }.joined(separator: " "))")
                }
                continue
            }
            guard source.topic == task.topic else {
                problems.append("source `\(task.source)` read topic \(task.topic) and now reads \(source.topic), whose offsets are others")
                continue
            }
            let deltas = try deltas(of: task)
            guard let newest = deltas.last else { throw damaged(task.task.name, "it has no delta") }
            var registry = StateRegistry(extras: newest.header.extras)
            registry.savepoint = savepoint.name
            do throws(StateError) {
                seeds.append(
                    Seed(
                        source: source, stored: task, deltas: deltas,
                        fitted: try context.fit(registry, of: task.task, source, tasks: 1)))
            } catch {
                conflicts["\(error)"] = error
            }
        }
        if let conflict = conflicts.sorted(by: { $0.key < $1.key }).first?.value { throw conflict }
        problems += try topicProblems(seeds)
        guard problems.isEmpty else {
            throw StateError(
                .foreign, "\(savepoint.name)", Set(problems).sorted().joined(separator: "; "),
                remedy: "change the job file, or start from another savepoint")
        }
        return seeds
    }

    private func topicProblems(_ seeds: [Seed]) throws(StateError) -> [String] {
        var problems: [String] = []
        let topics = try asking { () throws(KafkaClientError) in try cluster.topics(timeout: Self.timeout) }
        let there = seeds.filter { seed in
            let count = topics[seed.stored.topic] ?? 0
            if seed.stored.partition >= count {
                problems.append("it has state of \(seed.stored.topic)/\(seed.stored.partition), and the topic has \(count) partitions")
            }
            return seed.stored.partition < count
        }
        let ends = try asking { () throws(KafkaClientError) in
            try cluster.ends(of: there.map { TopicPartition($0.stored.topic, $0.stored.partition) }, timeout: Self.timeout)
        }
        for (seed, end) in zip(there, ends) {
            if seed.stored.offset > end.end {
                problems.append("it is at offset \(seed.stored.offset) of \(end.partition), which ends at \(end.end): is it another topic of that name?")
            } else if seed.stored.offset < end.start, seed.source.onOffsetOutOfRange == .fail {
                problems.append(
                    "it is at offset \(seed.stored.offset) of \(end.partition), which begins at \(end.start): records were deleted since; "
                        + "`on_offset_out_of_range` of source `\(seed.source.name)` says whether to go on without them")
            }
        }
        return problems
    }

    private func deltas(of task: Savepoint.Task) throws(StateError) -> [DeltaFile] {
        var deltas: [DeltaFile] = []
        for name in task.deltaNames {
            let bytes = try object(name, of: task)
            let place = "\(savepoint.name.directory)/\(name)"
            let delta = try DeltaFile(decoding: bytes, name: place)
            try delta.check(job: savepoint.job, task: task.task.name, reference: nil)
            deltas.append(delta.belonging(toJob: plan.name))
        }
        guard deltas.last?.header.reference == task.reference else { throw damaged(task.task.name, "its newest delta is not the committed one") }
        return deltas
    }

    private func object(_ name: String, of task: Savepoint.Task) throws(StateError) -> [UInt8] {
        guard let object = task.objects.first(where: { $0.name == name }), let bytes = try storage.get("\(savepoint.name.directory)/\(name)") else {
            throw damaged(name, "it is not there")
        }
        guard bytes.count == object.bytes, crc32c(bytes[...]) == object.crc32c else {
            throw damaged(name, "its \(bytes.count) bytes are not the \(object.bytes) that the manifest has the checksum of")
        }
        return bytes
    }

    private func damaged(_ what: String, _ problem: String) -> StateError {
        StateError(.damaged, "\(savepoint.name.directory)/\(what)", problem, remedy: "use another savepoint, or restore it from a copy")
    }

    // MARK: Writing

    private func write(_ seed: Seed) throws(StateError) -> OffsetToCommit {
        let task = seed.stored
        let home = seed.fitted.home
        try home.remove()
        if let snapshot = task.snapshotName {
            for object in task.objects where object.name.hasPrefix("\(snapshot)/") { _ = try self.object(object.name, of: task) }
            try storage.getDirectory("\(savepoint.name.directory)/\(snapshot)", to: home.directory)
            _ = try home.adopt()
        }
        guard let newest = seed.deltas.last?.header else { throw damaged(task.task.name, "it has no delta") }
        var header = self.header(task.task, parent: newest.reference, seed.fitted.registry)
        header.positions = newest.positions
        header.watermarks = newest.watermarks
        // Of its own job's files the committed ones may still lie in the staging directory.
        if savepoint.job == plan.name { header.files = newest.files }
        let delta = try store(header, seed.fitted.registry.deletions)
        for component in seed.fitted.registry.dropping {
            context.log.warn(
                "state that does not fit the job file is dropped, as --drop-state allows",
                ["task": .string(task.task.name), "transform": .string(component.name), "was": .string(component.fingerprint)])
        }
        try home.apply(seed.deltas + [delta])
        try snapshot(home, task.task, header.reference)
        return offset(TopicPartition(task.topic, task.partition), task.offset, header.reference)
    }

    /// A partition of which the savepoint knows nothing begins as it would have begun then.
    private func writeBeginning(_ partition: TopicPartition) throws(StateError) -> OffsetToCommit? {
        guard let source = plan.sources.first(where: { $0.topic == partition.topic }) else { return nil }
        let id = TaskID(source: source.name, partition: partition.partition)
        let position = try asking { () throws(KafkaClientError) in
            guard let ends = try cluster.ends(of: [partition], timeout: Self.timeout).first else { return Int64(0) }
            switch source.start {
            case .earliest: return ends.start
            case .latest: return ends.lastStable
            case .timestamp(let microseconds):
                return try cluster.offsets(at: microseconds / 1_000, of: [partition], timeout: Self.timeout).first.flatMap { $0 } ?? ends.lastStable
            }
        }
        var registry = StateRegistry()
        registry.savepoint = savepoint.name
        var header = self.header(id, parent: nil, try context.fit(registry, of: id, source, tasks: 1).registry)
        header.positions = [.init(topic: partition.topic, partition: partition.partition, offset: position)]
        header.watermarks = [partition.topic: EventTimeRange.noWatermark]
        _ = try store(header, ChangeSet())
        return offset(partition, position, header.reference)
    }

    private func header(_ task: TaskID, parent: DeltaReference?, _ registry: StateRegistry) -> DeltaHeader {
        var header = DeltaHeader(
            job: plan.name, task: task.name, reference: DeltaReference(epoch: epoch, id: context.surroundings.makeDeltaID()), parent: parent)
        header.extras = registry.extras
        header.isSeed = true
        return header
    }

    private func store(_ header: DeltaHeader, _ changes: ChangeSet) throws(StateError) -> DeltaFile {
        let name = "\(plan.name)/\(header.task)/\(DeltaChain.fileName(header.reference))"
        let bytes = DeltaFile.encode(header, changes)
        try storage.put(bytes, as: name)
        return try DeltaFile(decoding: bytes, name: name)
    }

    private func snapshot(_ home: Home, _ task: TaskID, _ reference: DeltaReference) throws(StateError) {
        let local = "\(home.directory).snapshot"
        try? FileManager.default.removeItem(atPath: local)
        try home.checkpoint(to: local)
        defer { try? FileManager.default.removeItem(atPath: local) }
        home.close()
        try storage.putDirectory(local, as: DeltaChain.snapshotName(reference, job: plan.name, task: task))
    }

    private func offset(_ partition: TopicPartition, _ offset: Int64, _ reference: DeltaReference) -> OffsetToCommit {
        OffsetToCommit(partition: partition, offset: offset, metadata: CommitMetadata(epoch: reference.epoch, delta: reference.id).text)
    }

    private func asking<Answer>(_ question: () throws(KafkaClientError) -> Answer) throws(StateError) -> Answer {
        do throws(KafkaClientError) {
            return try question()
        } catch {
            throw StateError(.inputOutput, "job \(plan.name)", "\(error)", remedy: "will be tried again")
        }
    }
}
