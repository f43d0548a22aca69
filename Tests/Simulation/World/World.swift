import Foundation
import JobFile
import KafkaClient
import Runtime
import Seeded
import State
import Telemetry

/// A group of instances of one job on a simulated broker, storage and clock: one thread, one schedule, no chance.
///
/// Instances are interleaved at every call by which the engine reaches out: while one stands still in a call, the world goes on
/// above it on the stack.
final class World: @unchecked Sendable {
    // Unchecked: a world belongs to one thread.
    let schedule: Schedule
    let mutation: Mutation?
    /// Microseconds.
    private(set) var time: Int64 = 0
    /// What happened, one line each, if somebody wants to read it.
    var story: [String]?
    private(set) var failure: String?

    private(set) var broker: Broker!
    private(set) var instances: [Instance] = []
    var objects: [String: [UInt8]] = [:]
    var staged: [String: FileContent] = [:]
    var published: [String: FileContent] = [:]

    /// Where whoever starts is to start.
    private(set) var savepoint: SavepointStart?
    /// Who has committed dies before it has published.
    private(set) var cutsBeforePublishing = false
    /// Nobody may start.
    private(set) var isBeingStopped = false
    /// An instance has started from it.
    var hasStartedOver = false

    private var nextStep = 0
    private var startsOver = false
    private var nextFault = 0
    private var callsToFault = 0
    private var depth = 0
    private var isDraining = false
    private var ids = SplitMix64(seed: 0x5EED)
    /// Calls by which the engine reached the world.
    private(set) var calls = 0

    static let gap: Int64 = 10_000
    static let outOfOrderness: Int64 = 5_000

    var plan: JobPlan { schedule.isShuffled ? Self.shuffledPlan : Self.plan }

    init(_ schedule: Schedule, mutation: Mutation? = nil, tells: Bool = false) {
        self.schedule = schedule
        self.mutation = mutation
        if tells { story = [] }
        broker = Broker(self)
        for number in 0..<schedule.instances { instances.append(Instance(self, number)) }
        callsToFault = schedule.faults.first?.gap ?? 0
        instances[0].isWanted = true
        // What another run has left is not on this one's disks.
        if schedule.hasHomes { Instance.removeState() }
    }

    /// Runs the schedule, then lets everything come to rest, and compares.
    /// - Returns: what is wrong; nil when all is as it has to be.
    func run() -> String? {
        while nextStep < schedule.steps.count, failure == nil { turn() }
        if failure == nil { drain() }
        if failure == nil { failure = Oracle(self).verdict() }
        for instance in instances { instance.discard() }
        if schedule.hasHomes { Instance.removeState() }
        return failure
    }

    func tell(_ instance: Instance?, _ text: @autoclosure () -> String) {
        guard story != nil else { return }
        let seconds = String(time / 1_000_000)
        let rest = String(1_000_000 + time % 1_000_000).dropFirst().prefix(3)
        story?.append("\(seconds).\(rest)  \(instance?.label ?? "-")  \(String(repeating: "  ", count: depth))\(text())")
    }

    func fail(_ reason: String) {
        if failure == nil { failure = reason }
    }

    func makeID() -> UInt64 {
        if mutation == .reuseDeltaNames { return 7 }
        return ids.next() | 1
    }

    // MARK: Time

    func advance(_ microseconds: Int64) {
        time += microseconds
        broker.tick()
    }

    // MARK: Calls

    /// What is to become of a call.
    enum Fate {
        case proceed
        case refuse
        /// Takes effect, then this.
        case then(Fault)
    }

    /// Whether anything may happen at calls now: recovery from it has to have time to end.
    private var hasFaults: Bool { !isDraining && nextFault < schedule.faults.count }

    func before(_ instance: Instance, _ what: @autoclosure () -> String, at place: Fault.Place = .anywhere) -> Fate {
        calls += 1
        if instance.isDead { return .refuse }
        tell(instance, what())
        if instance.outage > 0 {
            instance.outage -= isDraining ? instance.outage : 1
            tell(instance, "  which fails, as all does now")
            return .refuse
        }
        guard hasFaults else { return .proceed }
        switch schedule.faults[nextFault].place {
        case .maintenance where !instance.isMaintaining: return .proceed
        case .finale where place != .finale: return .proceed
        default: break
        }
        if callsToFault > 0 {
            callsToFault -= 1
            return .proceed
        }
        let fault = schedule.faults[nextFault]
        nextFault += 1
        callsToFault = nextFault < schedule.faults.count ? schedule.faults[nextFault].gap : 0
        switch fault.kind {
        case .crashBefore:
            instance.die(wipesState: fault.detail % 4 == 0)
            return .refuse
        case .freezeBefore, .slowBefore:
            stall(instance, fault)
            return instance.isDead ? .refuse : .proceed
        case .outage:
            instance.outage = Int(fault.detail & 7)
            fallthrough
        case .refuse:
            tell(instance, "  which fails")
            return .refuse
        case .crashAfter, .freezeAfter, .slowAfter, .loseReply, .delay:
            return .then(fault)
        }
    }

    /// - Returns: false when the caller gets no good answer, though the call took effect.
    func after(_ instance: Instance, _ fate: Fate) -> Bool {
        guard case .then(let fault) = fate else { return !instance.isDead }
        switch fault.kind {
        case .crashAfter:
            instance.die(wipesState: fault.detail % 4 == 0)
            return false
        case .freezeAfter, .slowAfter:
            stall(instance, fault)
            return !instance.isDead
        default:
            tell(instance, "  which is done, but the answer is lost")
            return false
        }
    }

    /// The others go on while `instance` stands still in a call.
    private func stall(_ instance: Instance, _ fault: Fault) {
        let isFrozen = fault.kind == .freezeBefore || fault.kind == .freezeAfter
        tell(instance, isFrozen ? "  freezes here" : "  takes its time here")
        if isFrozen { instance.isFrozen = true } else { instance.isBusy += 1 }
        defer { if isFrozen { instance.isFrozen = false } else { instance.isBusy -= 1 } }
        depth += 1
        defer { depth -= 1 }
        let jump: Int64 = [0, 11_000_000, 70_000_000, 1_000_000][Int(fault.detail >> 6)]
        if jump > 0 {
            tell(nil, "\(jump / 1_000_000) s pass")
            advance(jump)
        }
        guard depth <= 3 else { return }
        for _ in 0..<(Int(fault.detail & 31) * (fault.place == .maintenance ? 3 : 1)) where failure == nil { turn() }
        tell(instance, isFrozen ? "goes on where it froze" : "gets its answer")
    }

    // MARK: Turns

    private func turn() {
        if nextStep == schedule.startsOverAt, !startsOver {
            startsOver = true
            startOver()
        }
        // When the steps are over, everybody's job and workers in turn.
        let code =
            nextStep < schedule.steps.count
            ? Int(schedule.steps[nextStep]) : nextStep % instances.count + (nextStep / instances.count % 2) * 14 << 2
        nextStep += 1
        let instance = instances[(code & 3) % instances.count]
        let detail = code >> 8
        for other in instances where other.frozenTurns > 0 { other.frozenTurns -= 1 }
        let isUsable = !instance.stands
        switch code >> 2 & 31 {
        case 0..<13:
            if isUsable { instance.jobTurn() }
            if schedule.hasHomes, detail & 3 == 0 { instance.maintain() }
        case 13..<20: if isUsable { instance.work(detail, finishes: true) }
        case 20..<23: if isUsable { instance.work(detail, finishes: false) }
        case 23..<26: broker.reveal(detail)
        case 26: if isUsable { instance.maintain() }
        case 27:
            if instance.session != nil, !instance.stands, detail & 1 == 0 {
                instance.die(wipesState: detail & 2 == 0)
                instance.buryIfDead()
            }
        case 28:
            tell(nil, "a while passes")
            advance([200_000, 1_000_000, 3_000_000, 11_000_000][detail & 3])
        case 29: if isUsable, detail & 3 == 0 { instance.requestStop() }
        case 30:
            if isUsable, instance.session != nil {
                tell(instance, "freezes between two turns")
                instance.frozenTurns = 3 + detail & 15
                if detail & 16 != 0 { advance(11_000_000) }
            }
        default:
            if !broker.deliverDelayed(), isUsable, detail & 7 == 0 { instance.jumpClock(detail >> 3) }
        }
    }

    /// Everything is stopped, but for what stands still somewhere and does not know. A savepoint is taken, and whoever starts from now on
    /// is told to start from it.
    private func startOver() {
        tell(nil, "everything is stopped, to start from a savepoint")
        // Files may be committed and not have their names yet.
        cutsBeforePublishing = (schedule.startsOverAt ?? 0) % 2 == 0
        advance(1_500_000)
        for instance in instances where cutsBeforePublishing && instance.session != nil {
            instance.workThroughAll()
            for _ in 0..<3 { instance.jobTurn() }
        }
        cutsBeforePublishing = false
        for instance in instances where !instance.isFrozen {
            instance.die(wipesState: false)
            instance.buryIfDead()
        }
        // The group lets go of all, and no transaction stays open.
        advance(75_000_000)
        guard let first = instances.first(where: { !$0.stands && $0.isBusy == 0 }) else { return }
        isBeingStopped = true
        defer { isBeingStopped = false }
        do throws(StateError) {
            let writer = SavepointWriter(
                job: Self.plan.name, storage: SimulatedStorage(first), now: { [time] in Date(timeIntervalSince1970: 1.7e9 + Double(time) / 1e6) },
                random: { [self] in makeID() })
            let taken = try writer.take { () throws(KafkaClientError) in
                broker.committed.values.sorted { $0.partition < $1.partition }
            }
            tell(nil, "savepoint \(taken.id)")
            savepoint = SavepointStart(taken.id)
        } catch {
            return tell(nil, "there is no savepoint: \(error)")
        }
        isBeingStopped = false
        // Nobody of an earlier life wakes up before it is done, or given up.
        for _ in 0..<20 where !hasStartedOver && failure == nil { first.jobTurn() }
        if !hasStartedOver { savepoint = nil }
    }

    /// No more faults: everything has to be done in the end.
    private func drain() {
        isDraining = true
        tell(nil, "nothing goes wrong any more")
        for instance in instances {
            instance.frozenTurns = 0
            guard schedule.endsInPowerCut, instance.session != nil else { continue }
            instance.die(wipesState: true)
            instance.buryIfDead()
        }
        while broker.deliverDelayed() {}
        broker.revealAll()
        var rounds = 0
        while failure == nil, !broker.isAllCommitted {
            rounds += 1
            if rounds > 400 { return fail("it hangs: \(broker.progress)") }
            round()
            if rounds % 20 == 0 { advance(5_000_000) }
        }
        // Old rows become files, a rebalance that is still under way permitting.
        let rows = Oracle(self).rowCount
        for _ in 0..<10 where failure == nil && published.values.reduce(0, { $0 + $1.rows.count }) < rows {
            advance(3_000_000)
            for _ in 0..<3 { round() }
        }
        for instance in instances where instance.session != nil && failure == nil { instance.stopOrderly() }
    }

    private func round() {
        for instance in instances where instance.isWanted && failure == nil {
            instance.jobTurn()
            instance.workThroughAll()
            instance.maintain()
        }
    }
}
