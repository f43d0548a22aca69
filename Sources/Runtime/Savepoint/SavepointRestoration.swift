import Foundation
import JobFile
import KafkaClient
import State

/// Puts a job where a savepoint says, before its first session: the state first, under names of a fresh epoch that no earlier life of
/// the job has used, then the group's offsets, which lead to it, in one transaction. Up to its commit the job is where it was; from then on it is
/// where the savepoint says. Each step may be repeated, also after a kill.
package struct SavepointRestoration {
    /// The group has to let go of instances that ended a moment ago: static members do not say good-bye.
    private static let patience = Duration.seconds(15)
    private static let timeout = Duration.seconds(30)

    let context: JobContext
    let start: SavepointStart
    private let shelf: SavepointShelf
    private let cluster: any GroupObserver

    private var plan: JobPlan { context.plan }
    private var storage: any CheckpointStorage { context.settings.storage }

    package init(_ context: JobContext, _ start: SavepointStart) throws(RuntimeFailure) {
        self.context = context
        self.start = start
        shelf = SavepointShelf(context.settings.storage)
        do throws(ConfigurationError) {
            cluster = try context.surroundings.makeGroupObserver(context)
        } catch {
            throw RuntimeFailure(remedy: .fail, description: "\(error)")
        }
    }

    /// Returns when the job may run: because it has been put where the savepoint says, or because that was done before.
    package func run() throws(RuntimeFailure) {
        do throws(StateError) {
            try perform()
        } catch {
            let remedy: RuntimeFailure.Remedy = error.kind == .inputOutput || error.kind == .noSpace ? .recover : .fail
            throw RuntimeFailure(remedy: remedy, description: "the job cannot start from a savepoint: \(error)")
        }
    }

    private func perform() throws(StateError) {
        let began = context.surroundings.clock.now()
        var hasMoved = false
        while true {
            let committed = try asking { () throws(KafkaClientError) in
                try cluster.committedOffsets(of: plan.name, stable: false, timeout: Self.timeout)
            }
            let (present, index) = try present(committed)
            guard let savepoint = try choose(present) else { return }
            guard plan.shuffles.isEmpty else {
                throw StateError(
                    .foreign, "job \(plan.name)", "its shuffle `\(plan.shuffles[0].name)` may still carry what was written after the savepoint",
                    remedy: "starting a job with shuffles from a savepoint is not supported yet; start it under another name, without one")
            }
            if try present.hasStarted(from: savepoint) {
                let said = hasMoved ? "the job starts from a savepoint" : "the job has started from the savepoint before, and goes on from where it is"
                return context.log.info(said, ["savepoint": .string("\(savepoint.name)")])
            }
            // A refusal must not disturb a job that runs: it comes before this instance joins the group.
            try SavepointSeeds(context, savepoint, cluster, present, index).check()
            let others = try others()
            if others.isEmpty {
                hasMoved = try move(to: savepoint)
                if !hasMoved { try pause() }
                continue
            }
            guard context.surroundings.clock.now() - began < Self.patience else {
                throw StateError(
                    .foreign, "group \(plan.name)", "it has members: \(others.joined(separator: ", "))",
                    remedy: "stop all instances of the job first; one that was killed counts for 10 s more")
            }
            try wait("for members of the group to be gone: \(others.joined(separator: ", "))")
        }
    }

    /// Members of the group that are not this instance, in words.
    private func others() throws(StateError) -> [String] {
        let group = try asking { () throws(KafkaClientError) in try cluster.describe(groups: [plan.name], timeout: Self.timeout) }
        return group.flatMap(\.members).filter { $0.instanceID != context.memberName }.map { "\($0.instanceID ?? $0.id) at \($0.host)" }
    }

    /// - Returns: false when it has to be looked at again.
    private func move(to savepoint: Savepoint) throws(StateError) -> Bool {
        let member = try SoleMember(context)
        defer { member.close() }
        guard try others().isEmpty else { return false }
        let committed: [CommittedOffset]
        do throws(KafkaClientError) {
            committed = try cluster.committedOffsets(of: plan.name, stable: true, timeout: Self.timeout)
        } catch {
            // Whoever has a transaction open, with offsets in it that the group has taken, may still commit it.
            guard error.isUndecided else { throw failure(error) }
            try wait("for a transaction of an instance that was killed; brokers end it after 60 s")
            return false
        }
        let (present, index) = try present(committed)
        if try present.hasStarted(from: savepoint) { return false }
        let offsets = try SavepointSeeds(context, savepoint, cluster, present, index).write()
        do throws(ProducerError) {
            try member.commit(offsets)
        } catch {
            // Another instance may have joined, perhaps to do the same; a lost reply may have been a good one.
            context.log.warn("the group's offsets will be looked at again", ["error": .string("\(error)")])
        }
        return true
    }

    private func pause() throws(StateError) {
        guard context.surroundings.pause(.seconds(1), context.requests) else {
            throw StateError(.foreign, "job \(plan.name)", "it was stopped before it started", remedy: "start it again")
        }
    }

    private func wait(_ reason: String) throws(StateError) {
        context.board.update { $0.notReady = "starting from a savepoint waits \(reason)" }
        context.log.info("waiting \(reason)")
        try pause()
    }

    private func present(_ committed: [CommittedOffset]) throws(StateError) -> (present: PresentState, index: CheckpointIndex) {
        let index = try CheckpointIndex(ofJob: plan.name, in: storage)
        return (PresentState(committed.filter { offset in plan.sources.contains { $0.topic == offset.partition.topic } }, index), index)
    }

    /// The savepoint to start from; nil when the job goes on from where it is.
    private func choose(_ present: PresentState) throws(StateError) -> Savepoint? {
        let job = start.job ?? plan.name
        let ids = try shelf.ids(ofJob: job)
        guard let id = start.id ?? ids.last else {
            throw StateError(.missing, "job \(job)", "there is no savepoint of it", remedy: "take one with `millrace savepoint \(job)`")
        }
        let name = SavepointName(job: job, id: id)
        guard let savepoint = try shelf.savepoint(name) else {
            let known = ids.isEmpty ? "there are none" : "there are \(ids.suffix(5).joined(separator: ", "))"
            throw StateError(.missing, "\(name)", "there is no such savepoint; of job \(job) \(known)", remedy: "see `millrace savepoint \(job) --list`")
        }
        // With `latest` a restart of the same command line must not jump to a savepoint of the life that it began.
        guard start.id == nil, let origin = present.origin, origin != name else { return savepoint }
        guard job == plan.name ? savepoint.startedFrom == origin.description : origin.job == job else { return savepoint }
        context.log.info(
            "the job has started from a savepoint before, and goes on from where it is; name a newer one to go to that",
            ["savepoint": .string("\(origin)"), "newest": .string("\(name)")])
        return nil
    }

    private func asking<Answer>(_ question: () throws(KafkaClientError) -> Answer) throws(StateError) -> Answer {
        do throws(KafkaClientError) {
            return try question()
        } catch {
            throw failure(error)
        }
    }

    private func failure(_ error: KafkaClientError) -> StateError {
        StateError(.inputOutput, "group \(plan.name)", "\(error)", remedy: "will be tried again")
    }
}

/// Where the job is now.
struct PresentState {
    private struct Partition {
        var savepoint: SavepointName?
        var isSeed = false
    }

    let committed: [CommittedOffset]
    private var partitions: [TopicPartition: Partition] = [:]

    /// What cannot be read is no reason not to start from a savepoint: it may be the reason for it.
    init(_ committed: [CommittedOffset], _ index: CheckpointIndex) {
        self.committed = committed
        for offset in committed {
            let header = try? index.tip(of: offset).delta.header
            partitions[offset.partition] = Partition(
                savepoint: header.flatMap { StateRegistry(extras: $0.extras).savepoint }, isSeed: header?.isSeed ?? false)
        }
    }

    /// The savepoint that all of it came from; nil if it did not.
    var origin: SavepointName? {
        let all = Set(partitions.values.map(\.savepoint))
        return all.count == 1 ? all.first.flatMap { $0 } : nil
    }

    /// Every task of the savepoint is here, or is what came of it here.
    /// - Throws: when that holds for some, of which one has gone on: the others would be another time's.
    func hasStarted(from savepoint: Savepoint) throws(StateError) -> Bool {
        let all = savepoint.tasks.map { TopicPartition($0.topic, $0.partition) }
        let mine = all.filter { partitions[$0]?.savepoint == savepoint.name }
        if mine.count == all.count { return true }
        if mine.allSatisfy({ partitions[$0]?.isSeed == true }) { return false }
        let others = Set(all).subtracting(mine).sorted().map(\.description).joined(separator: " ")
        throw StateError(
            .foreign, "\(savepoint.name)", "the job started from it and has gone on since, but the offsets of \(others) are of another time",
            remedy: "somebody has changed the group's offsets; start from the savepoint under another job name")
    }
}
