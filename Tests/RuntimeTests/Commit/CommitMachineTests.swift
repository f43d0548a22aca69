import Runtime
import Seeded
import Testing

private typealias Machine = CommitMachine

/// Kafka, the storage and the workers as the machine sees them, with outcomes drawn at random.
private struct World {
    var random: SplitMix64
    var machine = Machine(after: 0)
    let all: [TaskID] = (0..<4).map { TaskID(source: "clicks", partition: $0) }
    var owned: Set<TaskID>
    var prepared: Set<Machine.DeltaID> = []
    var committed: [TaskID: Machine.DeltaID] = [:]
    var published: Set<Machine.DeltaID> = []
    var confirmed: Set<Machine.DeltaID> = []
    /// Epochs for which a commit may have happened without an answer.
    var isUnknown = false
    var frozen: [TaskID: Machine.DeltaID] = [:]
    var lossRate: Int
    var log: [String] = []

    init(seed: UInt64, lossRate: Int) {
        random = SplitMix64(seed: seed)
        self.lossRate = lossRate
        owned = Set(all)
    }

    mutating func fails() -> Bool { Int.random(in: 0..<100, using: &random) < lossRate }

    /// Performs one action; returns the event that answers it.
    mutating func perform(_ action: Machine.Action) throws -> Machine.Event? {
        log.append("\(action)")
        switch action {
        case .freeze:
            frozen = [:]
            var answer: [Machine.FrozenTask] = []
            for task in owned.sorted() where Bool.random(using: &random) {
                let id = random.next()
                frozen[task] = id
                answer.append(.init(task: task, delta: id, ledger: Ledger()))
            }
            return .froze(answer)
        case .prepare:
            if fails() { return .prepareFailed("disk full") }
            prepared.formUnion(machine.tasks.values)
            return .prepared
        case .commit:
            try #require(!isUnknown, "committed before the outcome of the last commit was known")
            try #require(machine.tasks.values.allSatisfy { prepared.contains($0) }, "committed what is not on disk")
            try #require(
                machine.tasks.allSatisfy { committed[$0.key] != $0.value }, "committed the same epoch twice")
            if fails() {
                if Bool.random(using: &random) { return .commitFailed(.abortable, "produce failed") }
                isUnknown = true
                if Bool.random(using: &random) { committed.merge(machine.tasks) { $1 } }
                return .commitFailed(.outcomeUnknown, "timed out")
            }
            committed.merge(machine.tasks) { $1 }
            return .committed
        case .abort:
            if fails() { isUnknown = true }
            return isUnknown ? .abortFailed("timed out") : .aborted
        case .settle:
            if fails() { return .settleFailed("broker away") }
            isUnknown = false
            return .settled(Dictionary(uniqueKeysWithValues: machine.tasks.keys.map { ($0, committed[$0]) }))
        case .confirm(_, let tasks):
            for (task, delta) in tasks {
                try #require(committed[task] == delta, "confirmed what is not committed")
                confirmed.insert(delta)
            }
            return nil
        case .publish:
            for (task, delta) in machine.tasks { try #require(committed[task] == delta, "published before the commit") }
            if fails() { return .publishFailed("disk full") }
            published.formUnion(machine.tasks.values)
            return .published
        case .release(let tasks):
            for task in tasks {
                try #require(frozen[task].map { committed[task] == $0 } ?? true, "gave up a task before its commit")
            }
            owned.subtract(tasks)
            return nil
        case .drop(let tasks):
            owned.subtract(tasks)
            return nil
        case .backOff:
            return .retry
        case .recover(let reason), .fail(let reason):
            Issue.record("gave up: \(reason)")
            return nil
        case .stopped:
            return nil
        }
    }

    /// Handles `event` and everything that follows, with losses of tasks in between.
    mutating func run(_ event: Machine.Event) throws {
        log.append("> \(event)")
        var actions = machine.handle(event)
        while !actions.isEmpty {
            let action = actions.removeFirst()
            let answer = try perform(action)
            if lossRate > 0, Int.random(in: 0..<40, using: &random) == 0, let lost = owned.randomElement(using: &random) {
                actions += machine.handle(.lose([lost]))
                frozen[lost] = nil
            }
            if let answer, !machine.hasEnded { actions += machine.handle(answer) }
        }
    }
}

@Test(arguments: 0..<2_000)
func anEpochIsPublishedOnlyOnceCommittedAndCommittedOnlyOnceWhateverFails(seed: Int) throws {
    var world = World(seed: UInt64(seed), lossRate: seed % 60)
    do {
        for _ in 0..<30 {
            switch Int.random(in: 0..<6, using: &world.random) {
            case 0:
                let task = world.all.randomElement(using: &world.random)!
                if world.owned.contains(task) { try world.run(.revoke([task])) }
            case 1: world.owned.insert(world.all.randomElement(using: &world.random)!)
            default: try world.run(.due)
            }
            #expect(world.machine.isIdle)
        }
        world.lossRate = 0
        try world.run(.stop)
    } catch {
        Issue.record("seed \(seed): \(error)\n\(world.log.joined(separator: "\n"))")
    }
    #expect(world.machine.hasEnded)
    #expect(world.published == world.confirmed)
}

@Test func anUnbalancedLedgerStopsTheJobBeforeAnythingIsWritten() {
    var machine = CommitMachine(after: 7)
    #expect(machine.handle(.due) == [.freeze(epoch: 8, releasing: [])])
    var ledger = Ledger()
    ledger.consumed = 3
    ledger.aggregated = 2
    let actions = machine.handle(.froze([.init(task: TaskID(source: "clicks", partition: 2), delta: 1, ledger: ledger)]))
    guard case .fail(let reason)? = actions.first, actions.count == 1 else {
        Issue.record("\(actions)")
        return
    }
    #expect(reason.contains("clicks-2") && reason.contains("epoch 8"))
    #expect(machine.hasEnded)
}

@Test func anEpochWithoutChangesCommitsNothing() {
    var machine = CommitMachine(after: 0)
    _ = machine.handle(.due)
    #expect(machine.handle(.froze([])) == [])
    #expect(machine.isIdle)
    #expect(machine.committedEpoch == 0)
}

@Test func aRevocationInMidEpochGetsAnEpochOfItsOwn() {
    let task = TaskID(source: "clicks", partition: 0)
    var machine = CommitMachine(after: 0)
    _ = machine.handle(.due)
    _ = machine.handle(.froze([.init(task: task, delta: 1, ledger: Ledger())]))
    #expect(machine.handle(.revoke([task])) == [])
    _ = machine.handle(.prepared)
    _ = machine.handle(.committed)
    #expect(machine.handle(.published) == [.freeze(epoch: 2, releasing: [task])])
    #expect(machine.handle(.froze([])) == [.release([task])])
}

@Test func aMixedOutcomeMeansSomebodyElseWroteTheOffsets() {
    let tasks = (0..<2).map { TaskID(source: "clicks", partition: $0) }
    var machine = CommitMachine(after: 0)
    _ = machine.handle(.due)
    _ = machine.handle(.froze(tasks.map { .init(task: $0, delta: 5, ledger: Ledger()) }))
    _ = machine.handle(.prepared)
    #expect(machine.handle(.commitFailed(.outcomeUnknown, "timed out")) == [.settle(epoch: 1)])
    guard case .recover? = machine.handle(.settled([tasks[0]: 5, tasks[1]: 4])).first else {
        Issue.record("went on")
        return
    }
}

@Test func anEpochThatSomebodyElseHasCommittedOverIsNotCommittedAgain() {
    var machine = CommitMachine(after: 0)
    _ = machine.handle(.due)
    _ = machine.handle(.froze([.init(task: TaskID(source: "clicks", partition: 0), delta: 5, ledger: Ledger())]))
    _ = machine.handle(.prepared)
    _ = machine.handle(.commitFailed(.outcomeUnknown, "timed out"))
    #expect(machine.handle(.overtaken("by another instance")) == [.recover("by another instance")])
    #expect(machine.hasEnded)
}
