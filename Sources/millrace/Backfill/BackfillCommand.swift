import Admin
import Foundation
import JobFile
import KafkaClient
import Runtime
import State
import Telemetry

/// `millrace backfill`: a bounded replay of a job over retained history.
struct BackfillCommand {
    private static let reportSeconds = 10.0
    /// A commit costs time and an earlier one only saves work after a kill.
    private static let intervalsEach: Int64 = 10

    private let daemon: Daemon
    private let file: String
    private let runID: RunID
    private let range: BackfillRange
    private let recordsPerSecond: Int?
    private let isDryRun: Bool

    init(_ arguments: inout Arguments) throws(UsageError) {
        daemon = try Daemon(&arguments)
        let from = try Self.time("--from", &arguments), to = try Self.time("--to", &arguments)
        guard from < to else { throw UsageError("--from has to be before --to: the range ends before --to") }
        guard Double(to) <= Date().timeIntervalSince1970 * 1_000 else {
            throw UsageError("--to lies in the future: what belongs to the range is not all there yet")
        }
        range = BackfillRange(from: from, to: to)
        guard let name = try arguments.value("--run-id") else {
            throw UsageError("backfill needs --run-id: the same ID again continues the run, or finds it done")
        }
        guard let runID = RunID(name) else { throw UsageError("--run-id has 1 to 64 of A-Z a-z 0-9 _ - and no - in front, not `\(name)`") }
        self.runID = runID
        recordsPerSecond = try arguments.number("--rate", in: 1...1_000_000_000)
        isDryRun = arguments.flag("--dry-run")
        file = try arguments.operand("job file")
    }

    private static func time(_ option: String, _ arguments: inout Arguments) throws(UsageError) -> Int64 {
        guard let text = try arguments.value(option) else { throw UsageError("backfill needs \(option): \(PointInTime.form)") }
        guard let time = PointInTime.milliseconds(text) else { throw UsageError("\(option) is \(PointInTime.form), not `\(text)`") }
        return time
    }

    func run() -> ExitCode {
        let plan = loadPlan()
        let signals = Signals()
        let storage: any CheckpointStorage
        do throws(StateError) {
            storage = try daemon.openStorage()
        } catch {
            daemon.log.error("the checkpoint storage cannot be used", ["error": .string(error.description)])
            return .failed
        }
        let log = BackfillLog(plan, daemon)
        defer { log.server?.stop() }
        let client = ClientConfiguration(
            brokers: log.access.brokers, clientID: "millrace-\(runID.name(of: plan.name))",
            properties: log.access.properties.merging(plan.kafka.properties) { $1 })
        let backfill = Backfill(plan, runID, range, storage: storage, client: client)
        do throws(Backfill.Failure) {
            return isDryRun ? try show(backfill) : try perform(backfill, log, signals)
        } catch {
            daemon.log.error(error.description, ["job": .string(backfill.name)])
            switch error.kind {
            case .refused: return .configuration
            case .failed: return .failed
            }
        }
    }

    private func loadPlan() -> JobPlan {
        do throws(JobFileError) {
            let plan = try JobPlan.load(
                file, environment: ProcessInfo.processInfo.environment, reservedProperties: ReservedProperties.reasons)
            let obstacles = plan.obstacles(to: runID) + JobPlan.conflicts(among: [plan], in: daemon.settings)
            if !obstacles.isEmpty { Program.finish(.configuration, obstacles.map { "millrace: \($0)\n" }.joined()) }
            return plan
        } catch {
            Program.finish(.configuration, "\(error)\n")
        }
    }

    private func show(_ backfill: Backfill) throws(Backfill.Failure) -> ExitCode {
        let topics = try backfill.outputTopics()
        if let record = try backfill.existing() {
            let text = BackfillText(backfill: backfill, record: record)
            print(text.dryRun(positions: try backfill.positions(), topics: topics, cut: []), terminator: "")
        } else {
            let (record, cut) = try backfill.resolved()
            print(BackfillText(backfill: backfill, record: record).dryRun(positions: nil, topics: topics, cut: cut), terminator: "")
        }
        return .done
    }

    private func perform(_ backfill: Backfill, _ log: BackfillLog, _ signals: Signals) throws(Backfill.Failure) -> ExitCode {
        let path = "\(daemon.settings.state.directory)/\(backfill.name)"
        let directory: InstanceDirectory
        do throws(InstanceDirectory.Failure) {
            directory = try InstanceDirectory(path)
        } catch {
            daemon.log.error(error.description)
            return .failed
        }
        defer { withExtendedLifetime(directory) {} }
        var record = try backfill.begin(daemon.log)
        if record.phase == .reading {
            try backfill.prepareTopics()
            let status = process(backfill, record, log, signals)
            guard let totals = status.replayed else {
                if case .failed = status.phase { return .failed }
                daemon.log.info("the backfill was stopped; the same command goes on from its last commit", ["job": .string(backfill.name)])
                return .done
            }
            record = try backfill.seal(record, totals)
        }
        record = try backfill.publish(record)
        try backfill.tidy(localDirectory: path)
        print(BackfillText(backfill: backfill, record: record).summary(), terminator: "")
        return .done
    }

    /// Runs the job over the range, as far as it gets.
    private func process(_ backfill: Backfill, _ record: BackfillRecord, _ log: BackfillLog, _ signals: Signals) -> JobStatus {
        let cores = ProcessInfo.processInfo.activeProcessorCount
        let memory = daemon.settings.state.memory
        // One process does a run: whoever starts it again is the same member of its group, wherever that is.
        let settings = RuntimeSettings(
            instance: "run", stateDirectory: daemon.settings.state.directory, stateMemory: memory, storage: backfill.storage,
            interval: daemon.settings.checkpoint.interval * Self.intervalsEach, workers: daemon.settings.workers ?? cores,
            brokers: log.access.brokers, isEmbedded: false, properties: log.access.properties)
        let ended = DispatchSemaphore(value: 0)
        let job = JobRunner(
            backfill.replayedPlan, settings, mode: backfill.mode(of: record, recordsPerSecond: recordsPerSecond),
            homeCache: HomeCache(bytes: MemoryShares.cache(of: memory)), metrics: daemon.metrics, log: daemon.log, onEnd: { ended.signal() })
        let http = openHTTP(job, log)
        daemon.stop([job], on: signals)
        job.start()
        report(on: job, ended)
        job.join()
        withExtendedLifetime(http) {}
        return job.board.current
    }

    /// The daemon's own HTTP, unless a daemon is there.
    private func openHTTP(_ job: JobRunner, _ log: BackfillLog) -> HTTPServer? {
        let server = log.server
        do throws(HTTPServerError) {
            return try daemon.openHTTP(Endpoints(jobs: [job], metrics: daemon.metrics, logNotReady: { server.flatMap { $0.status.reason } }))
        } catch {
            daemon.log.info("http.listen is taken: progress is in this log only", ["reason": .string(error.description)])
            return nil
        }
    }

    private func report(on job: JobRunner, _ ended: DispatchSemaphore) {
        var line = Progress("processed")
        var before: Int64?
        var last = ContinuousClock.now
        var isOver = false
        while !isOver {
            isOver = ended.wait(timeout: .now() + .milliseconds(200)) == .success
            guard let progress = job.board.current.progress else { continue }
            before = before ?? progress.done
            line.show(Int(progress.done), of: Int(progress.total), before: Int(before ?? 0), force: isOver)
            guard isOver || ContinuousClock.now - last >= .seconds(Self.reportSeconds) else { continue }
            last = .now
            daemon.log.info(
                "progress",
                [
                    "job": .string(job.board.current.name), "done": .integer(Int(progress.done)), "total": .integer(Int(progress.total)),
                    "per_second": .double(progress.perSecond ?? 0), "seconds_left": .double(progress.secondsLeft ?? 0),
                ])
        }
        line.end()
    }
}
