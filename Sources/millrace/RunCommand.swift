import Admin
import Foundation
import JobFile
import KafkaClient
import KafkaLog
import Runtime
import State
import Telemetry

/// `millrace run`: jobs, and the log if the daemon file has one.
struct RunCommand {
    private let daemon: Daemon
    private let mode: RunMode
    private let files: [String]
    private let savepoint: SavepointStart?
    private let droppableState: Set<String>

    init(_ arguments: inout Arguments) throws(UsageError) {
        daemon = try Daemon(&arguments)
        let untilEnd = arguments.flag("--until-end")
        let flush = arguments.flag("--flush")
        if flush, !untilEnd { throw UsageError("--flush closes the windows that are open at the end: it goes with --until-end") }
        mode = untilEnd ? .untilEnd(flush: flush) : .continuous
        savepoint = try arguments.value("--from-savepoint").map { text throws(UsageError) in
            guard let start = SavepointStart(text) else { throw UsageError("--from-savepoint is latest, ID, JOB/latest or JOB/ID, not `\(text)`") }
            return start
        }
        var droppable: Set<String> = []
        while let name = try arguments.value("--drop-state") { droppable.insert(name) }
        droppableState = droppable
        let named = try arguments.operands()
        files = named.isEmpty ? daemon.settings.jobs : named
        guard !files.isEmpty else { throw UsageError("no job: name a job file, or list some under `jobs` in the daemon file") }
        if files.count > 1, savepoint != nil || !droppable.isEmpty {
            throw UsageError("--from-savepoint and --drop-state are about one job: name its file alone")
        }
    }

    func run() -> ExitCode {
        let plans = loadPlans()
        let signals = Signals()
        let directory: InstanceDirectory
        do throws(InstanceDirectory.Failure) {
            directory = try InstanceDirectory(daemon.settings.state.directory)
        } catch {
            daemon.log.error(error.description)
            return .failed
        }
        let storage: any CheckpointStorage
        do throws(StateError) {
            storage = try daemon.openStorage()
        } catch {
            daemon.log.error("the checkpoint storage cannot be used", ["error": .string(error.description)])
            return .failed
        }
        let server = daemon.startLog()
        let ended = DispatchSemaphore(value: 0)
        let cache = HomeCache(bytes: MemoryShares.cache(of: daemon.settings.state.memory))
        let cores = ProcessInfo.processInfo.activeProcessorCount
        let jobs = plans.map { plan in
            let (access, isEmbedded) = daemon.access(to: plan, server)
            var settings = RuntimeSettings(
                instance: directory.instance, stateDirectory: directory.path, stateMemory: daemon.settings.state.memory / plans.count,
                storage: storage, interval: daemon.settings.checkpoint.interval, workers: daemon.settings.workers ?? cores,
                brokers: access.brokers, isEmbedded: isEmbedded, properties: access.properties)
            settings.savepoint = savepoint
            settings.droppableState = droppableState
            return JobRunner(
                plan, settings, mode: mode, homeCache: cache, metrics: daemon.metrics, log: daemon.log, onEnd: { ended.signal() })
        }
        let http = daemon.startHTTP(
            Endpoints(jobs: jobs, metrics: daemon.metrics, logNotReady: { server.flatMap { $0.status.reason } }))
        daemon.stop(jobs, on: signals)
        for job in jobs { job.start() }
        wait(for: jobs, ended)
        for job in jobs { job.join() }
        server?.stop()
        withExtendedLifetime(http) {}
        let failed = jobs.contains { if case .failed = $0.board.current.phase { true } else { false } }
        return failed ? .failed : .done
    }

    private func wait(for jobs: [JobRunner], _ ended: DispatchSemaphore) {
        var progress = Progress("processed")
        var left = jobs.count
        while left > 0 {
            if ended.wait(timeout: .now() + .milliseconds(200)) == .success { left -= 1 }
            let all = jobs.compactMap { $0.board.current.progress }
            guard !all.isEmpty else { continue }
            progress.show(Int(all.reduce(0) { $0 + $1.done }), of: Int(all.reduce(0) { $0 + $1.total }), force: left == 0)
        }
        if mode != .continuous { progress.end() }
    }

    /// All errors of all files before anything starts.
    private func loadPlans() -> [JobPlan] {
        var plans: [JobPlan] = []
        var errors = ""
        for file in files {
            do throws(JobFileError) {
                plans.append(try JobPlan.load(
                    file, environment: ProcessInfo.processInfo.environment, reservedProperties: ReservedProperties.reasons))
            } catch {
                errors += "\(error)\n"
            }
        }
        for conflict in JobPlan.conflicts(among: plans, in: daemon.settings) { errors += "\(conflict)\n" }
        if !errors.isEmpty { Program.finish(.configuration, errors) }
        for name in droppableState.sorted() {
            for problem in plans.compactMap({ $0.problem(ofDropping: name) }) { errors += "millrace: --drop-state: \(problem)\n" }
        }
        if !errors.isEmpty { Program.finish(.usage, errors) }
        return plans
    }
}
