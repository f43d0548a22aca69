import Foundation
import KafkaClient
import State

/// Restores what belongs to partitions on threads of its own while the session goes on with those that it has. Belongs to the job's
/// thread, which has to `end` it.
package final class BackgroundRecovery<Recovered: Sendable>: @unchecked Sendable {
    // Unchecked: `state` is only touched while `condition` is locked.
    private let condition = NSCondition()
    private var state = State()
    private let atOnce: Int
    private let firstPause: TimeInterval
    private let longestPause: TimeInterval

    /// How partitions are brought back.
    package struct Work: Sendable {
        var recover: @Sendable (TopicPartition) throws(RuntimeFailure) -> Recovered
        var failed: @Sendable (TopicPartition, RuntimeFailure, TimeInterval) -> Void
        var changed: @Sendable () -> Void

        /// All are called by other threads.
        /// - Parameters:
        ///   - recover: brings one back. After a failure it is called again, unless nobody but an operator can help.
        ///   - failed: it will be called again, after so many seconds.
        ///   - changed: `finished` or `trouble` may have something new.
        package init(
            recover: @escaping @Sendable (TopicPartition) throws(RuntimeFailure) -> Recovered,
            failed: @escaping @Sendable (TopicPartition, RuntimeFailure, TimeInterval) -> Void, changed: @escaping @Sendable () -> Void
        ) {
            self.recover = recover
            self.failed = failed
            self.changed = changed
        }
    }

    private struct Outcome: Sendable {
        var partition: TopicPartition
        /// Nil when it was withdrawn before it succeeded.
        var result: Result<Recovered, RuntimeFailure>?

        var failure: RuntimeFailure? {
            if case .failure(let failure) = result { failure } else { nil }
        }
    }

    private struct State {
        /// Begun, and not handed over yet; with the number of its beginning, since it may be withdrawn and begun anew before a thread has
        /// come to it.
        var pending: [TopicPartition: Int] = [:]
        var beginnings = 0
        /// Of those, what a thread works on.
        var underWay: Set<TopicPartition> = []
        /// Of those, what is wanted no more.
        var withdrawn: Set<TopicPartition> = []
        /// In the order in which they came to their end.
        var outcomes: [Outcome] = []
        var threads: [NamedThread] = []
        /// Why what is pending did not succeed the last time.
        var troubles: [TopicPartition: String] = [:]
    }

    /// - Parameters:
    ///   - atOnce: restored at the same time: each mostly waits for a disk or a store.
    ///   - firstPause: seconds after a failure, doubled after each further one up to `longestPause`.
    package init(atOnce: Int = 4, firstPause: TimeInterval = 0.2, longestPause: TimeInterval = 5) {
        self.atOnce = atOnce
        self.firstPause = firstPause
        self.longestPause = longestPause
    }

    /// Begun, and not handed over yet.
    package var pending: Set<TopicPartition> { condition.withLock { Set(state.pending.keys) } }

    /// Why something is still pending; nil when nothing went wrong so far.
    package var trouble: String? { condition.withLock { state.troubles.min { $0.key < $1.key }?.value } }

    /// Begins with `partitions`, in their order. None may be pending.
    package func begin(_ partitions: [TopicPartition], _ work: Work) {
        guard !partitions.isEmpty else { return }
        let number = condition.withLock {
            state.beginnings += 1
            for partition in partitions { state.pending[partition] = state.beginnings }
            return state.beginnings
        }
        let thread = NamedThread("recovery") { [self, atOnce] in
            _ = inParallel(partitions, width: atOnce) { [self] partition in
                guard takeUp(partition, number) else { return }
                let outcome = Outcome(partition: partition, result: recover(partition, work))
                condition.withLock {
                    state.underWay.remove(partition)
                    state.outcomes.append(outcome)
                    condition.broadcast()
                }
                work.changed()
            }
        }
        condition.withLock { state.threads.append(thread) }
    }

    /// Whether it is still wanted.
    private func takeUp(_ partition: TopicPartition, _ number: Int) -> Bool {
        condition.withLock {
            guard state.pending[partition] == number else { return false }
            state.underWay.insert(partition)
            return true
        }
    }

    /// Tries until it succeeds, is withdrawn, or nobody but an operator can help: that a store is away is no reason to give up what works.
    private func recover(_ partition: TopicPartition, _ work: Work) -> Result<Recovered, RuntimeFailure>? {
        var pause = firstPause
        while !condition.withLock({ state.withdrawn.contains(partition) }) {
            do throws(RuntimeFailure) {
                let recovered = try work.recover(partition)
                condition.withLock { state.troubles[partition] = nil }
                return .success(recovered)
            } catch {
                if error.remedy == .fail { return .failure(error) }
                condition.withLock { state.troubles[partition] = error.description }
                work.failed(partition, error, pause)
                work.changed()
            }
            wait(pause, unlessWithdrawn: partition)
            pause = min(pause * 2, longestPause)
        }
        return nil
    }

    private func wait(_ seconds: TimeInterval, unlessWithdrawn partition: TopicPartition) {
        condition.lock()
        defer { condition.unlock() }
        let end = Date(timeIntervalSinceNow: seconds)
        while !state.withdrawn.contains(partition), condition.wait(until: end) {}
    }

    /// Hands over what has been restored since the last call, in the order in which that succeeded.
    /// - Throws: what nobody but an operator can help with. What was restored beside it is left to `end`.
    package func finished() throws(RuntimeFailure) -> [Recovered] {
        try handOver { _ in true }
    }

    /// Hands over what has been restored of `partitions`, waiting until nothing of theirs is under way; those that have not begun never will.
    /// They may be begun anew when what this gives has been closed.
    /// - Parameter isGraceOver: asked now and then; true ends the wait with a failure.
    package func withdraw(_ partitions: [TopicPartition], isGraceOver: () -> Bool) throws(RuntimeFailure) -> [Recovered] {
        withdraw(partitions)
        defer { condition.withLock { state.withdrawn.subtract(partitions) } }
        while !awaitEnd(of: partitions) {
            if isGraceOver() { throw RuntimeFailure(remedy: .fail, description: "stopped while tasks were being recovered") }
        }
        return try handOver { partitions.contains($0) }
    }

    private func withdraw(_ partitions: some Collection<TopicPartition>) {
        condition.withLock {
            let begun = state.underWay.union(state.outcomes.map(\.partition))
            for partition in partitions where !begun.contains(partition) { state.pending[partition] = nil }
            state.withdrawn.formUnion(state.underWay.intersection(partitions))
            condition.broadcast()
        }
    }

    /// Waits for a while.
    /// - Returns: whether nothing of `partitions` is under way.
    private func awaitEnd(of partitions: [TopicPartition]) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        let end = Date(timeIntervalSinceNow: 0.5)
        while !state.underWay.isDisjoint(with: partitions) { if !condition.wait(until: end) { return false } }
        return true
    }

    /// Waits for what is under way, and forgets everything.
    /// - Returns: what was restored and not handed over: the caller's to close.
    package func end() -> [Recovered] {
        withdraw(pending)
        for thread in condition.withLock({ state.threads }) { thread.join() }
        let left = condition.withLock {
            defer { state = State() }
            return state.outcomes
        }
        return left.compactMap { try? $0.result?.get() }
    }

    private func handOver(_ isWanted: (TopicPartition) -> Bool) throws(RuntimeFailure) -> [Recovered] {
        condition.lock()
        let wanted = state.outcomes.filter { isWanted($0.partition) }
        if let failure = wanted.lazy.compactMap(\.failure).first {
            condition.unlock()
            throw failure
        }
        state.outcomes.removeAll { isWanted($0.partition) }
        for outcome in wanted {
            state.pending[outcome.partition] = nil
            state.troubles[outcome.partition] = nil
        }
        var done: [NamedThread] = []
        if state.pending.isEmpty { swap(&done, &state.threads) }
        condition.unlock()
        for thread in done { thread.join() }
        return wanted.compactMap { try? $0.result?.get() }
    }
}
