import Foundation
import JobFile
import KafkaClient
import State
import Synchronization
import Telemetry

/// Runs one job on a thread of its own, recovering it as often as it takes, until it is stopped, done, or beyond help.
package final class JobRunner: Sendable {
    package let board: JobStatusBoard
    private let context: JobContext
    private let thread = Mutex<NamedThread?>(nil)
    private let onEnd: @Sendable () -> Void

    /// - Parameter onEnd: called on the job's thread when it has ended, however.
    package init(
        _ plan: JobPlan, _ settings: RuntimeSettings, mode: RunMode, homeCache: HomeCache, metrics: MetricsRegistry, log: Log,
        onEnd: @escaping @Sendable () -> Void
    ) {
        board = JobStatusBoard(name: plan.name, plan: plan.describe())
        let log = log.with(["job": .string(plan.name)])
        let client = ClientConfiguration(
            brokers: settings.brokers, clientID: "millrace-\(plan.name)",
            properties: settings.properties.merging(plan.kafka.properties) { $1 },
            log: { level, facility, text in
                // librdkafka repeats every lost connection as an error of several of its parts.
                log.emit(level <= 3 ? .warn : .debug, text, ["facility": .string(facility)])
            })
        context = JobContext(
            plan: plan, settings: settings, mode: mode, client: client, board: board, metrics: JobMetrics(metrics, job: plan.name),
            registry: metrics, log: log, requests: JobRequests(), homeCache: homeCache,
            surroundings: LiveSurroundings())
        self.onEnd = onEnd
    }

    package func start() {
        thread.withLock { $0 = NamedThread("job") { [self] in run() } }
    }

    /// Commits a last time and stops, giving that up after `grace` seconds. Returns at once.
    package func requestStop(grace: TimeInterval) {
        context.requests.requestStop(grace: grace)
    }

    package var isStopRequested: Bool { context.requests.isStopRequested }

    /// Waits until the job has ended.
    package func join() {
        thread.withLock { $0.take() }?.join()
    }

    /// Commits now.
    /// - Returns: the epoch that everything consumed before this call is in, or nil if that took longer than `timeout`.
    package func commitNow(timeout: TimeInterval) -> Int? {
        context.requests.commitNow(timeout: timeout)
    }

    /// Commits, and takes a savepoint of what all instances of the job have committed then. Takes as long as copying the state does.
    package func takeSavepoint() throws(StateError) -> Savepoint {
        guard commitNow(timeout: 10) != nil else {
            throw StateError(
                .inputOutput, "job \(context.plan.name)", board.current.notReady ?? "the commit takes longer than 10 s",
                remedy: "`millrace savepoint` takes one of the last commit")
        }
        let cluster: any GroupObserver
        do throws(ConfigurationError) {
            cluster = try context.surroundings.makeGroupObserver(context)
        } catch {
            throw StateError(.inputOutput, "job \(context.plan.name)", "\(error)", remedy: "correct the job's `kafka`")
        }
        let writer = SavepointWriter(
            job: context.plan.name, storage: context.settings.storage, topics: Set(context.plan.sources.map(\.topic)))
        return try writer.take { () throws(KafkaClientError) in
            try cluster.committedOffsets(of: context.plan.name, stable: false, timeout: .seconds(30))
        }
    }

    /// What comes before the first session.
    private func prepare() throws(RuntimeFailure) {
        try context.checkDroppableState()
        if let start = context.settings.savepoint {
            board.update { $0.notReady = "starting from a savepoint" }
            try SavepointRestoration(context, start).run()
        }
    }

    private static func message(_ error: RuntimeFailure, mayRecover: Bool) -> String {
        if mayRecover { return "the job starts over from its last commit" }
        // Nothing is lost: it is as after a kill.
        if error.remedy == .recover { return "stopped without a last commit: what came since the one before will be done again" }
        return "the job has failed"
    }

    private func run() {
        defer { onEnd() }
        var pause = Duration.milliseconds(200)
        var isPrepared = false
        while true {
            let began = ContinuousClock.now
            do throws(RuntimeFailure) {
                if !isPrepared { try prepare() }
                isPrepared = true
                try JobSession(context).run()
                board.update {
                    $0.phase = .stopped
                    $0.notReady = "stopped"
                }
                return
            } catch {
                let mayRecover = error.remedy == .recover && !context.requests.isStopRequested
                context.log.error(Self.message(error, mayRecover: mayRecover), ["error": .string(error.description)])
                board.update {
                    $0.phase = mayRecover ? .waiting(error.description) : .failed(error.description)
                    $0.notReady = error.description
                    $0.lastError = error.description
                }
                guard mayRecover else { return }
            }
            // A session that ran for a while had recovered: what ended it is a new trouble.
            if ContinuousClock.now - began > .seconds(60) { pause = .milliseconds(200) }
            guard context.requests.sleep(for: pause) else {
                board.update {
                    $0.phase = .failed($0.lastError ?? "stopped before it had recovered")
                    $0.notReady = "stopped"
                }
                return
            }
            pause = min(pause * 2, .seconds(30))
        }
    }
}
