import Foundation
import JobFile
import KafkaClient
import State

/// A task as its last commit left it.
///
/// Unchecked: the thread that built it hands it over whole and keeps nothing of it.
struct RecoveredTask: @unchecked Sendable {
    var task: Task
    var home: Home
    var chain: DeltaChain
    /// Somebody has staged files of epochs after the committed one.
    var hasLeftovers: Bool
    /// Of a backfill: what the task has committed since the run began.
    var totals = ReplayTotals()
}

/// Brings tasks back: any thread, one task a call.
struct TaskRecovery: Sendable {
    /// Deltas of a task that are fetched at the same time.
    private static let deltasAtOnce = 8

    let plan: JobPlan
    let settings: RuntimeSettings
    let context: JobContext
    let clock: RuntimeClock
    let files: any FileStore
    let consumer: any GroupConsumer
    /// Of every topic that the job reads.
    let partitions: [String: Int32]

    /// Restores the task of `partition` to what Kafka says is committed (DESIGN §5): the group's offset and its metadata name
    /// a delta; the chain of its parents leads to what the home or a snapshot is complete to.
    func recover(_ id: TaskID, _ partition: TopicPartition, _ source: SourcePlan) throws(RuntimeFailure) -> RecoveredTask {
        let began = clock.now()
        var attempt = 1
        while true {
            do throws(StateError) {
                var times = RecoveryTimes(clock)
                let recovered = try recoverOnce(id, partition, source, &times)
                let took = clock.now() - began
                context.metrics.recoveryDuration.observe(took.seconds)
                context.log.info(
                    "task recovered",
                    [
                        "task": .string(id.name), "offset": .integer(Int(recovered.task.progress.position)),
                        "epoch": .integer(recovered.chain.tip?.epoch ?? 0), "seconds": .double(took.seconds),
                        "offset_seconds": times[.offset], "deltas_seconds": times[.deltas], "home_seconds": times[.home],
                        "load_seconds": times[.load],
                    ])
                return recovered
            } catch {
                // Whoever has or had the task may be tidying up: what was there a moment ago has made room for something newer. What
                // is really gone is gone at the third look too.
                let maySettle = error.kind == .missing || error.kind == .foreign || error.kind == .damaged || error.kind == .cut
                if maySettle, attempt < 3 {
                    attempt += 1
                    context.log.warn("what is committed will be looked at again", ["task": .string(id.name), "error": .string("\(error)")])
                    continue
                }
                let remedy: RuntimeFailure.Remedy =
                    switch error.kind {
                    case .inputOutput, .noSpace, .damagedHome: .recover
                    default: .fail
                    }
                throw RuntimeFailure(remedy: remedy, description: "task \(id.name) cannot be recovered: \(error)")
            }
        }
    }

    private func recoverOnce(
        _ id: TaskID, _ partition: TopicPartition, _ source: SourcePlan, _ times: inout RecoveryTimes
    ) throws(StateError) -> RecoveredTask {
        let committed: CommittedOffset?
        do throws(KafkaClientError) {
            committed = try times.measure(.offset) { () throws(KafkaClientError) in
                try consumer.committed([partition], timeout: .seconds(60)).first
            }
        } catch {
            throw StateError(.inputOutput, "group \(plan.name), \(partition)", "\(error)", remedy: "will be tried again")
        }
        guard let committed, let offset = committed.offset else { return try begin(id, partition, source) }
        guard let metadata = CommitMetadata(committed.metadata) else {
            throw StateError(
                .foreign, "group \(plan.name), \(partition)",
                "the committed offset \(offset) carries \"\(committed.metadata)\" instead of an epoch of this job",
                remedy: "somebody else has set it. To start over at an offset of your own, use another job name and delete the old state")
        }
        return try restore(id, source, offset, DeltaReference(epoch: metadata.epoch, id: metadata.delta), &times)
    }

    /// A task that never committed: empty, at the job's start position.
    private func begin(
        _ id: TaskID, _ partition: TopicPartition, _ source: SourcePlan
    ) throws(StateError) -> RecoveredTask {
        let directory = DeltaChain.directory(job: plan.name, task: id)
        var seeds: Set<DeltaReference> = []
        for object in try settings.storage.list(directory) {
            guard let part = object.name.dropFirst(directory.count + 1).split(separator: "/").first,
                let reference = DeltaChain.reference(of: part)
            else { continue }
            // First epochs that did not commit are no sign of lost offsets, nor are starts from a savepoint: nobody built on them.
            var isBuiltOn = !seeds.contains(reference)
            if part.hasSuffix(".delta"), let bytes = try settings.storage.get(object.name) {
                let header = try DeltaFile(decoding: bytes, name: object.name).header
                if header.isSeed { seeds.insert(reference) }
                isBuiltOn = header.parent != nil && !header.isSeed
            }
            if isBuiltOn {
                throw StateError(
                    .foreign, object.name, "the group \(plan.name) has no committed offset for \(partition), but there is state of it",
                    remedy: "if the topic or the group was deleted on purpose, delete \(directory) in the checkpoint storage as well; "
                        + "otherwise find out where the committed offsets went")
            }
        }
        try? FileManager.default.removeItem(atPath: context.localDirectory(id))
        let hasLeftovers = clean(id, source, upTo: 0, keeping: [])
        let position = try start(of: partition, source)
        let registry = StateRegistry()
        let (pipeline, home, filled) = try build(id, source, registry)
        let task = Task(
            id: id, plan: plan, source: source, pipeline: pipeline, registry: filled, position: position,
            watermark: EventTimeRange.noWatermark, metrics: context.taskMetrics(partition), clock: clock)
        return RecoveredTask(
            task: task, home: home, chain: DeltaChain(job: plan.name, task: id, tip: nil, unflushed: [], linksMax: settings.deltasMax, bytesMax: settings.memory.deltas),
            hasLeftovers: hasLeftovers)
    }

    private func start(of partition: TopicPartition, _ source: SourcePlan) throws(StateError) -> Int64 {
        if let range = context.mode.replay?.ranges[partition] { return range.lowerBound }
        do throws(KafkaClientError) {
            let ends = try consumer.watermarks(of: partition, timeout: .seconds(30))
            switch source.start {
            case .earliest: return ends.low
            case .latest: return ends.lastStableOffset
            case .timestamp(let microseconds):
                let found = try consumer.offsets(for: [(partition, microseconds / 1_000)], timeout: .seconds(30))
                return found.first.flatMap { $0 } ?? ends.lastStableOffset
            }
        } catch {
            throw StateError(.inputOutput, "\(partition)", "its ends cannot be asked for: \(error)", remedy: "will be tried again")
        }
    }

    private func restore(
        _ id: TaskID, _ source: SourcePlan, _ offset: Int64, _ tip: DeltaReference, _ times: inout RecoveryTimes
    ) throws(StateError) -> RecoveredTask {
        let newest = try times.measure(.deltas) { () throws(StateError) in
            try DeltaFile.load(tip, job: plan.name, task: id, from: settings.storage)
        }
        let header = newest.header
        try checkGrowth(of: source, since: header)
        for file in header.files {
            let staged = StagedFile(staging: file.stagingName, final: file.finalName, bytes: Int(file.bytes), rows: Int(file.rows))
            do {
                context.noteIfGone(try files.publish(staged), staged)
            } catch {
                throw StateError(
                    error.code == ENOSPC ? .noSpace : .inputOutput, file.finalName, "a committed file cannot be published: \(error)",
                    remedy: "make room or mend its directory; will be tried again")
            }
        }
        let hasLeftovers = clean(id, source, upTo: tip.epoch, keeping: Set(header.files.map(\.stagingName)))

        let (pipeline, home, registry) = try build(id, source, StateRegistry(extras: header.extras))
        let hasEnded = header.extras[Replay.endKey] != nil
        if hasEnded { try home.remove() }
        let (deltas, links) = hasEnded ? ([], []) : try chain(id, from: newest, home: home, &times)
        try times.measure(.load) { () throws(StateError) in try pipeline.load(deltas, now: clock.now()) }
        let watermark = header.watermarks[source.topic] ?? EventTimeRange.noWatermark
        let task = Task(
            id: id, plan: plan, source: source, pipeline: pipeline, registry: registry, position: offset, watermark: watermark,
            upstream: UpstreamWatermarks(header.watermarks, of: source.topic), metrics: context.taskMetrics(TopicPartition(source.topic, id.partition)),
            clock: clock, deletions: registry.deletions)
        return RecoveredTask(
            task: task, home: home,
            chain: DeltaChain(job: plan.name, task: id, tip: tip, unflushed: links, linksMax: settings.deltasMax, bytesMax: settings.memory.deltas),
            hasLeftovers: hasLeftovers, totals: ReplayTotals(extras: header.extras))
    }

    /// The deltas from `newest` back to what the home is complete to, oldest first. A home that is not on the chain (left by a crash, or of
    /// another life) is replaced by the newest snapshot that is, or by nothing if the chain goes back to the first epoch.
    private func chain(
        _ id: TaskID, from newest: DeltaFile, home: Home, _ times: inout RecoveryTimes
    ) throws(StateError) -> (deltas: [DeltaFile], links: [DeltaChain.Link]) {
        let tip = newest.header.reference
        let stored = try times.measure(.deltas) { () throws(StateError) in
            try StoredState(of: id, job: plan.name, in: settings.storage)
        }
        var chain = ChainWalk(from: newest, job: plan.name, task: id, storage: settings.storage)
        let width = context.surroundings.hasThreads ? Self.deltasAtOnce : 1

        var base: DeltaReference?
        let known = try times.measure(.home) { () throws(StateError) in try completeTo(home, id) }
        if let known {
            try times.measure(.deltas) { () throws(StateError) in
                chain.fetchAhead(stored.deltas(above: known.epoch, upTo: tip.epoch), width: width)
                try chain.walk(backTo: known)
            }
            base = try home.usable(isOnChain: { chain.references.contains($0) })
        }
        if base == nil {
            try times.measure(.deltas) { () throws(StateError) in
                chain.fetchAhead(stored.deltas(above: stored.newestSnapshot(upTo: tip.epoch), upTo: tip.epoch), width: width)
                // As far as there are deltas: which snapshots are on the chain shows only then.
                try chain.walk(backTo: nil)
            }
            try home.remove()
            if let found = chain.references.first(where: { stored.snapshots[$0] != nil }), let snapshot = stored.snapshots[found] {
                try times.measure(.home) { () throws(StateError) in
                    try settings.storage.getDirectory(snapshot, to: home.directory)
                    try check(home, against: found, snapshot)
                }
                base = found
            }
        }
        if base == nil, let missing = chain.deltas.last?.header.parent {
            throw StateError(
                .missing, DeltaChain.name(missing, job: plan.name, task: id),
                "the delta of epoch \(missing.epoch) is needed, and neither it nor a snapshot of it is there",
                remedy: "restore the task's directory in the checkpoint storage from a backup")
        }
        let missed = chain.deltas.prefix { $0.header.reference != base }.reversed()
        return (Array(missed), missed.map { .init(reference: $0.header.reference, bytes: $0.changeByteCount) })
    }

    /// What the local state is complete to; nil when there is none or it is not readable. A full disk is no reason to throw it away.
    private func completeTo(_ home: Home, _ id: TaskID) throws(StateError) -> DeltaReference? {
        do throws(StateError) {
            return try home.completeTo()
        } catch {
            if error.kind == .noSpace { throw error }
            context.log.warn("the local state is not usable and will be restored", ["task": .string(id.name), "error": .string("\(error)")])
            return nil
        }
    }

    /// A home that has just been taken from a snapshot and cannot be used is no cache that may be thrown away: trying again
    /// would end here again.
    private func check(_ home: Home, against reference: DeltaReference, _ snapshot: String) throws(StateError) {
        let problem: String
        do throws(StateError) {
            let found = try home.completeTo()
            if found == reference { return }
            problem = "it is complete to \(found.map { "epoch \($0.epoch)" } ?? "nothing")"
        } catch {
            guard error.kind == .damagedHome else { throw error }
            problem = error.problem
        }
        throw StateError(
            .damaged, snapshot, "the snapshot of epoch \(reference.epoch) cannot be used: \(problem)",
            remedy: "restore it from a copy of the checkpoint storage, or delete the job's checkpoints and its consumer group's offsets to start over")
    }

    /// What the stored state comes to with the job file as it is now.
    private func build(
        _ id: TaskID, _ source: SourcePlan, _ stored: StateRegistry
    ) throws(StateError) -> (Pipeline, Home, StateRegistry) {
        // The group may give all of the partitions to this instance.
        var tasks = max(1, partitions.values.reduce(0) { $0 + Int($1) })
        // The one that is read and the one before or after it.
        if JobSession.readsInTurn(context.mode, plan) { tasks = min(tasks, settings.workers * 2) }
        let fitted = try context.fit(
            stored, of: id, source, tasks: tasks, partitions: partitions,
            fileRule: context.mode.replay.map { .byRows(pendingBytesMax: $0.pendingBytesMax) } ?? .byAge)
        for component in fitted.registry.dropping {
            context.log.warn(
                "state that does not fit the job file is dropped, as --drop-state allows",
                ["task": .string(id.name), "transform": .string(component.name), "was": .string(component.fingerprint)])
        }
        return (fitted.pipeline, fitted.home, fitted.registry)
    }

    /// Deletes what the task has staged up to `epoch`, but for the files of that epoch.
    /// - Returns: whether files of later epochs are left.
    func clean(_ id: TaskID, _ source: SourcePlan, upTo epoch: Int, keeping: Set<String>) -> Bool {
        var isLeft = false
        for sink in plan.sinks where plan.sources[plan.source(of: sink.from)].name == source.name {
            if case .parquet(let target) = sink.target {
                if FilePublisher.clean(files, path: target.path, job: plan.name, task: id, upTo: epoch, keeping: keeping) { isLeft = true }
            }
        }
        return isLeft
    }
}
