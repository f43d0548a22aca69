import KafkaLogCoordination
import KafkaLogGroups
import Seeded

// Time, crashes, and the end.
extension GroupWorld {
    func crash() throws {
        crashes += 1
        let found = Int.random(in: durable...journal.count, using: &random)
        journal.removeSubrange(found...)
        let wasDurable = durable
        model = base
        for (index, change) in changes where index < found { model.apply(change) }
        if chance(30) {
            var seen: Set<[UInt8]> = []
            journal = journal.reversed().filter { seen.insert($0.key).inserted && $0.value != nil }.reversed()
        }
        durable = journal.count
        held = []
        waitingSince = [:]
        for index in clients.indices {
            clients[index].waiting = nil
            if case .stable = clients[index].phase { continue }
            clients[index].phase = .out
        }
        // A generation that nobody got work in may be lost, and with it who came back as whom.
        instances = instances.filter { $0.value.generation <= stableGeneration }
        coordinator = GroupCoordinator(configuration: configuration, random: SplitMix64(seed: random.next()))
        for record in journal { try coordinator.restore(record) }
        perform(coordinator.start(now))
        // The transaction coordinator comes with its decisions again: completing goes on where it was torn.
        if let outcome, outcome.journal > wasDurable {
            perform(coordinator.completeTransaction(producerID: outcome.producerID, commit: outcome.commit, groups: ["g"]))
            self.outcome = (outcome.producerID, outcome.commit, journal.count)
        } else {
            outcome = nil
        }
        // When it became empty may have been lost.
        emptySince = nil
        wasEmpty = [.empty, .dead].contains(coordinator.describe(groupID: "g").state)
        for partition in 0..<4 { check(TopicPartition("t", Int32(partition))) }
        base = model
        changes = []
    }

    /// The clients are gone. Everybody who waits is answered, and the group becomes empty.
    func settle() {
        for index in clients.indices { clients[index].waiting = nil }
        for producerID in 0..<Int64(clients.count) { complete(producerID) }
        for _ in 0..<200 { advance(5_000) }
        if !waitingSince.isEmpty { fail("requests wait for ever: \(waitingSince)") }
        let state = coordinator.describe(groupID: "g").state
        if state != .dead { fail("nobody is there, nothing is kept, and the group is \(state)") }
        if !model.committed.isEmpty { fail("offsets live on: \(model.committed)") }
    }
}
