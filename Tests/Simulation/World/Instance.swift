import Foundation
import KafkaClient
import Runtime
import State
import Telemetry

/// A process that runs the job, from one life to the next.
final class Instance: @unchecked Sendable {
    // Unchecked: belongs to the world's thread.
    unowned let world: World
    let number: Int
    private(set) var session: JobSession?
    private var context: JobContext?
    private var queues: [SimulatedQueue] = []
    private(set) var life = 0
    /// It was started and not stopped for good.
    var isWanted = false
    private(set) var isDead = false
    var isFrozen = false
    /// Calls of its job's thread that take long.
    var isBusy = 0
    var frozenTurns = 0
    /// Its maintenance is at work.
    private(set) var isMaintaining = false
    /// Calls that fail from now on.
    var outage = 0
    private var clockOffset: Int64 = 0
    private var wallOffset: Int64 = 0
    private var pollsInTurn = 0

    init(_ world: World, _ number: Int) {
        self.world = world
        self.number = number
    }

    var name: String { "instance-\(number)" }
    var label: String { ["A", "B", "C"][number] }

    /// Neither its job's thread nor its workers may have a turn.
    var stands: Bool { isFrozen || frozenTurns > 0 || isDead }

    /// Its heartbeats reach the broker.
    var hasPulse: Bool { context != nil && !isDead && !isFrozen && frozenTurns == 0 }

    var now: Int64 { world.time + clockOffset }
    var wall: Int64 { world.time + wallOffset }

    private static let stateRoot = "/dev/shm/simulation-\(getpid())"
    private static let registry = MetricsRegistry()
    private static let metrics = JobMetrics(registry, job: World.plan.name)
    private static let cache = HomeCache(bytes: 8 << 20)
    private static let silence = Log(levelMin: .error, write: { _ in })

    static func removeState() { try? FileManager.default.removeItem(atPath: stateRoot) }

    private var stateDirectory: String { "\(Self.stateRoot)/\(name)" }

    // MARK: Turns

    /// The job's thread gets a turn: starts if need be.
    func jobTurn() {
        guard !stands, isBusy == 0, session != nil || !world.isBeingStopped else { return }
        isWanted = true
        pollsInTurn = 0
        do throws(RuntimeFailure) {
            if let session {
                try session.step()
                if session.hasStopped {
                    world.tell(self, "has stopped")
                    finish()
                }
            } else {
                try begin()
            }
        } catch {
            ended(by: error)
        }
        buryIfDead()
    }

    private func begin() throws(RuntimeFailure) {
        life += 1
        lastObject = nil
        world.tell(self, "starts, life \(life)")
        var settings = RuntimeSettings(
            instance: name, stateDirectory: stateDirectory, stateMemory: 1 << 30, storage: SimulatedStorage(self), interval: 100_000,
            workers: world.schedule.workers, brokers: "", isEmbedded: false, deltasMax: world.schedule.deltasMax, freezeSlice: 1)
        settings.savepoint = world.savepoint
        let context = JobContext(
            plan: world.plan, settings: settings, mode: .continuous, client: ClientConfiguration(brokers: ""),
            board: JobStatusBoard(name: World.plan.name, plan: ""), metrics: Self.metrics, registry: Self.registry,
            log: world.story == nil ? Self.silence : Log(format: .text, write: { [unowned self] in 
                // Without the time of day.
                world.tell(self, "| \($0.dropLast().drop { $0 != " " }.dropFirst())")
            }),
            requests: JobRequests(), homeCache: Self.cache, surroundings: SimulatedSurroundings(self))
        self.context = context
        if let start = settings.savepoint {
            try SavepointRestoration(context, start).run()
            if !isDead { world.hasStartedOver = true }
        }
        let session = try JobSession(context)
        self.session = session
        queues = session.workers.compactMap { $0.queue as? SimulatedQueue }
        for (queue, worker) in zip(queues, session.workers) { queue.turns = WorkerTurns(worker) }
        try session.open()
    }

    private func ended(by error: RuntimeFailure) {
        if isDead { return }
        world.tell(self, "starts over: \(error.description)")
        // Refused while another instance is at it; whoever started this one does so again.
        let isRefusal = world.savepoint != nil && error.description.contains("it has members")
        // Told to stop before it could even begin: nothing is left to be done in order.
        let wasStopped = context?.requests.isStopRequested == true && error.description.hasPrefix("stopped while waiting")
        if error.remedy == .fail, !isRefusal, !wasStopped { world.fail("\(label) gives up: \(error.description)") }
        finish()
    }

    /// Ends a session in order.
    private func finish() {
        if let session {
            maintain(session)
            session.end()
        }
        discard()
    }

    private func maintain(_ session: JobSession) {
        isMaintaining = true
        session.maintenance.turn()
        isMaintaining = false
    }

    func discard() {
        for queue in queues { queue.turns = nil }
        queues = []
        session = nil
        context = nil
    }

    func work(_ detail: Int, finishes: Bool) {
        guard !stands, session != nil, !queues.isEmpty else { return }
        work(queues[detail / 16 % queues.count], 1 + detail % 8, finishes: finishes)
    }

    /// All workers take all there is.
    func workThroughAll() {
        guard !stands, session != nil else { return }
        for queue in queues { work(queue, .max, finishes: true) }
    }

    private func work(_ queue: SimulatedQueue, _ appetite: Int, finishes: Bool) {
        queue.appetite = appetite
        queue.turn(finishes: finishes)
        buryIfDead()
    }

    func maintain() {
        guard !stands, let session, !isMaintaining else { return }
        maintain(session)
        buryIfDead()
    }

    // MARK: Ends

    /// The process is gone; what is still on its stack reaches nobody any more.
    func die(wipesState: Bool) {
        guard !isDead, session != nil || context != nil else { return }
        world.tell(self, wipesState ? "dies, and loses its disk" : "dies")
        isDead = true
        if world.mutation == .acknowledgeDeltasEarly, let lastObject { world.objects[lastObject] = nil }
        if wipesState, world.schedule.hasHomes { wipesAtBurial = true }
        context?.requests.requestStop(grace: -3_600)
    }

    private var wipesAtBurial = false
    /// Stored last in this life: for a defect.
    var lastObject: String?

    /// Takes away what is left of a dead process, once nothing of it is on the stack.
    func buryIfDead() {
        guard isDead, isBusy == 0, !isFrozen else { return }
        discard()
        isDead = false
        frozenTurns = 0
        outage = 0
        if wipesAtBurial { try? FileManager.default.removeItem(atPath: stateDirectory) }
        wipesAtBurial = false
    }

    func requestStop() {
        guard session != nil, !isDead else { return }
        world.tell(self, "is asked to stop")
        context?.requests.requestStop(grace: 3_600)
    }

    func stopOrderly() {
        requestStop()
        for _ in 0..<20 where session != nil { jobTurn() }
        if session != nil { world.fail("\(label) does not stop") }
    }

    func jumpClock(_ detail: Int) {
        world.tell(self, "'s clocks jump")
        clockOffset += Int64(detail & 7) * 1_000_000
        wallOffset += Int64(detail >> 3 & 7) * 3_600_000_000 - 10_000_000_000
    }

    /// A turn that never ends is a hang.
    func countPoll() {
        pollsInTurn += 1
        if pollsInTurn > 5_000, !isDead {
            world.fail("\(label) waits for ever within one turn")
            die(wipesState: false)
        }
    }
}
