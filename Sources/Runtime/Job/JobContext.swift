import Foundation
import JobFile
import KafkaClient
import State
import Synchronization
import Telemetry

/// What all sessions of a job share.
package struct JobContext: Sendable {
    package let plan: JobPlan
    package let settings: RuntimeSettings
    let mode: RunMode
    let client: ClientConfiguration
    let board: JobStatusBoard
    let metrics: JobMetrics
    let registry: MetricsRegistry
    let log: Log
    package let requests: JobRequests
    let homeCache: HomeCache
    let surroundings: any Surroundings
    let transactionTimeout = TransactionTimeout()
    let spareRecords = SpareRecords()

    package init(
        plan: JobPlan, settings: RuntimeSettings, mode: RunMode, client: ClientConfiguration, board: JobStatusBoard,
        metrics: JobMetrics, registry: MetricsRegistry, log: Log, requests: JobRequests, homeCache: HomeCache,
        surroundings: any Surroundings
    ) {
        self.plan = plan
        self.settings = settings
        self.mode = mode
        self.client = client
        self.board = board
        self.metrics = metrics
        self.registry = registry
        self.log = log
        self.requests = requests
        self.homeCache = homeCache
        self.surroundings = surroundings
    }

    /// This instance among the static members of the job's group.
    var memberName: String { "\(plan.name)-\(settings.instance)" }

    /// Where the local state of a task is.
    func localDirectory(_ task: TaskID) -> String { "\(settings.stateDirectory)/\(plan.name)/\(task.name)" }

    /// A committed file should be under one of its names; that it is not is nothing to stop for, and nothing to be silent about.
    func noteIfGone(_ isThere: Bool, _ file: StagedFile) {
        guard !isThere else { return }
        log.warn(
            "a committed file is neither staged nor published: taken away by its reader, or deleted",
            ["file": .string(file.final), "rows": .integer(file.rows)])
    }

    func taskMetrics(_ partition: TopicPartition) -> TaskMetrics {
        TaskMetrics(registry, job: plan.name, topic: partition.topic, partition: partition.partition)
    }
}

/// What other threads ask of a job's thread.
package final class JobRequests: @unchecked Sendable {
    // Unchecked: everything below is only touched while `condition` is locked.
    private let condition = NSCondition()
    private var stop = false
    private var stopsAt: Date?
    private var commit = false
    private var waiting: [Mailbox<Int>] = []
    private var wake: (@Sendable () -> Void)?

    package init() {}

    /// Ends the waits of the job's thread; set while it may be waiting for its consumer.
    var wakeUp: (@Sendable () -> Void)? {
        get { condition.withLock { wake } }
        set { condition.withLock { wake = newValue } }
    }

    package var isStopRequested: Bool { condition.withLock { stop } }

    /// The time is over in which a stop may still wait for its last commit.
    var isGraceOver: Bool { condition.withLock { stopsAt.map { $0 < Date() } ?? false } }

    /// Commit a last time and stop; give that up after `grace`.
    package func requestStop(grace: TimeInterval) {
        let wake = condition.withLock {
            stop = true
            stopsAt = min(stopsAt ?? .distantFuture, Date(timeIntervalSinceNow: grace))
            condition.broadcast()
            return self.wake
        }
        wake?()
    }

    package func requestCommit() {
        condition.withLock { commit = true }
    }

    /// Commits and gives the epoch that everything before this call is in, or nil after `timeout`.
    func commitNow(timeout: TimeInterval) -> Int? {
        let answer = Mailbox<Int>()
        let wake = condition.withLock {
            commit = true
            waiting.append(answer)
            return self.wake
        }
        wake?()
        return answer.wait(until: Date(timeIntervalSinceNow: timeout)).first
    }

    func takeCommitRequest() -> Bool {
        condition.withLock {
            defer { commit = false }
            return commit
        }
    }

    func answerCommit(epoch: Int) {
        // Whoever asked while the epoch was under way asked for a later one, and has set `commit` again.
        let answered = condition.withLock {
            if commit { return [Mailbox<Int>]() }
            defer { waiting = [] }
            return waiting
        }
        for answer in answered { answer.send(epoch) }
    }

    /// Waits; false at once when a stop was requested.
    func sleep(for duration: Duration) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        let until = Date(timeIntervalSinceNow: duration.seconds)
        while !stop, condition.wait(until: until) {}
        return !stop
    }
}
