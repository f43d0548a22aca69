import Foundation
import JobFile
import KafkaClient
import State
import Synchronization

/// Restores tasks on threads of its own while the session goes on with those that it has. Belongs to the job's thread, which has to `end` it.
final class BackgroundRecovery: Sendable {
    private struct Outcome: Sendable {
        var partition: TopicPartition
        /// Nil when it was withdrawn before it began.
        var result: Result<RecoveredTask, RuntimeFailure>?
    }

    private struct State {
        /// Begun, and not handed over yet.
        var pending: Set<TopicPartition> = []
        var withdrawn: Set<TopicPartition> = []
        var outcomes: [Outcome] = []
        var threads: [NamedThread] = []
        /// Why what is pending did not succeed the last time.
        var troubles: [TopicPartition: String] = [:]
    }

    /// Tasks that are restored at the same time: each mostly waits for a disk or a store.
    private static let tasksAtOnce = 4

    private let state = Mutex(State())
    private let outcomes = Mailbox<Outcome>()

    var pending: Set<TopicPartition> { state.withLock { $0.pending } }

    /// Why a task is still pending; nil when nothing went wrong so far.
    var trouble: String? { state.withLock { $0.troubles.min { $0.key < $1.key }?.value } }

    /// - Parameter onOutcome: called on another thread whenever `finished` has something new.
    func begin(
        _ partitions: [(partition: TopicPartition, source: SourcePlan)], _ recovery: TaskRecovery, onOutcome: @escaping @Sendable () -> Void
    ) {
        guard !partitions.isEmpty else { return }
        state.withLock { $0.pending.formUnion(partitions.map(\.partition)) }
        let thread = NamedThread("recovery") { [self] in
            _ = inParallel(partitions, width: Self.tasksAtOnce) { [self] partition, source in
                outcomes.send(Outcome(partition: partition, result: recover(partition, source, recovery, onTrouble: onOutcome)))
                onOutcome()
            }
        }
        state.withLock { $0.threads.append(thread) }
    }

    /// Tries until it succeeds, is withdrawn, or nobody but an operator can help: that a store is away is no reason to give up the tasks that work.
    private func recover(
        _ partition: TopicPartition, _ source: SourcePlan, _ recovery: TaskRecovery, onTrouble: () -> Void
    ) -> Result<RecoveredTask, RuntimeFailure>? {
        let id = TaskID(source: source.name, partition: partition.partition)
        var pause = 0.2
        while true {
            if state.withLock({ $0.withdrawn.contains(partition) }) { return nil }
            do throws(RuntimeFailure) {
                let recovered = try recovery.recover(id, partition, source)
                state.withLock { $0.troubles[partition] = nil }
                return .success(recovered)
            } catch {
                if error.remedy == .fail { return .failure(error) }
                recovery.context.log.warn(
                    "a task could not be recovered; will be tried again",
                    ["task": .string(id.name), "seconds": .double(pause), "error": .string(error.description)])
                state.withLock { $0.troubles[partition] = error.description }
                onTrouble()
            }
            let end = Date(timeIntervalSinceNow: pause)
            while Date() < end, !state.withLock({ $0.withdrawn.contains(partition) }) { Thread.sleep(forTimeInterval: 0.05) }
            pause = min(pause * 2, 5)
        }
    }

    /// Hands over what has been restored since the last call.
    func finished() throws(RuntimeFailure) -> [RecoveredTask] {
        collect(outcomes.drain())
        return try handOver { _ in true }
    }

    /// Hands over what has been restored of `partitions`, waiting until nothing of theirs is under way; those that have not begun never will.
    /// Their local state may be opened anew once that of what this gives has been closed.
    /// - Parameter isGraceOver: asked now and then; true ends the wait with a failure.
    func withdraw(_ partitions: [TopicPartition], isGraceOver: () -> Bool) throws(RuntimeFailure) -> [RecoveredTask] {
        state.withLock { $0.withdrawn.formUnion($0.pending.intersection(partitions)) }
        defer { state.withLock { $0.withdrawn = [] } }
        collect(outcomes.drain())
        while !state.withLock({ $0.pending.subtracting($0.outcomes.map(\.partition)).isDisjoint(with: partitions) }) {
            if isGraceOver() { throw RuntimeFailure(remedy: .fail, description: "stopped while tasks were being recovered") }
            collect(outcomes.wait(until: Date(timeIntervalSinceNow: 0.5)))
        }
        return try handOver { partitions.contains($0) }
    }

    /// Waits for what is under way, which is then forgotten.
    func end() {
        let threads = state.withLock { state in
            state.withdrawn = state.pending
            return state.threads
        }
        for thread in threads { thread.join() }
        collect(outcomes.drain())
        let left = state.withLock { state in
            defer { state = State() }
            return state.outcomes
        }
        for outcome in left { if case .success(let recovered) = outcome.result { recovered.home.close() } }
    }

    private func collect(_ outcomes: [Outcome]) {
        state.withLock { $0.outcomes += outcomes }
    }

    private func handOver(_ isWanted: (TopicPartition) -> Bool) throws(RuntimeFailure) -> [RecoveredTask] {
        let (outcomes, threads) = state.withLock { state in
            let wanted = state.outcomes.filter { isWanted($0.partition) }
            state.outcomes.removeAll { isWanted($0.partition) }
            state.pending.subtract(wanted.map(\.partition))
            for outcome in wanted { state.troubles[outcome.partition] = nil }
            guard state.pending.isEmpty else { return (wanted, [NamedThread]()) }
            defer { state.threads = [] }
            return (wanted, state.threads)
        }
        for thread in threads { thread.join() }
        var recovered: [RecoveredTask] = []
        for outcome in outcomes { if let result = outcome.result { recovered.append(try result.get()) } }
        return recovered
    }
}
