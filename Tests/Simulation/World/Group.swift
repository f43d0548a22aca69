import KafkaClient

/// A consumer group with cooperative rebalancing and static members (KIP-429, KIP-345), seen from both sides: what the coordinator
/// holds, and what each member's client has been told.
final class Group {
    struct Member {
        var id: Int
        var consumer: SimulatedConsumer
        var assigned: Set<TopicPartition> = []
        /// Still its own until it answers.
        var revoking: Set<TopicPartition> = []
        var lastSeen: Int64
    }

    private unowned let world: World
    private(set) var members: [Member] = []
    private(set) var generation = 0
    private var wantsRebalance = false
    private var nextID = 1

    static let sessionTimeout: Int64 = 10_000_000

    init(_ world: World) { self.world = world }

    private var partitions: [TopicPartition] { world.broker.partitions }

    /// A topic has been made that the members subscribe to.
    func partitionsChanged() {
        if !members.isEmpty { wantsRebalance = true }
    }

    func isCurrent(member: Int?, generation: Int) -> Bool {
        self.generation == generation && members.contains { $0.id == member }
    }

    func join(_ consumer: SimulatedConsumer) {
        nextID += 1
        consumer.member = nextID
        if let index = members.firstIndex(where: { $0.consumer.instance === consumer.instance }) {
            // A static member that is back: its partitions are where they were, and its former self is fenced.
            let old = members[index]
            var member = Member(id: nextID, consumer: consumer, lastSeen: world.time)
            member.assigned = old.assigned.union(old.revoking)
            members[index] = member
            consumer.generation = generation
            consumer.tell(.assign(member.assigned.sorted()))
            if !old.revoking.isEmpty { wantsRebalance = true }
            rebalanceIfPossible()
            return
        }
        members.append(Member(id: nextID, consumer: consumer, lastSeen: world.time))
        wantsRebalance = true
        rebalanceIfPossible()
    }

    func answerRevocation(_ consumer: SimulatedConsumer, _ partitions: [TopicPartition]) {
        guard let index = members.firstIndex(where: { $0.id == consumer.member }) else { return }
        guard !members[index].revoking.isEmpty else { return }
        members[index].revoking.subtract(partitions)
        if members[index].revoking.isEmpty { wantsRebalance = true }
        rebalanceIfPossible()
    }

    /// Time has passed: who has given no sign of life for too long is put out.
    func tick() {
        var isChanged = false
        for index in members.indices.reversed() {
            let consumer = members[index].consumer
            if consumer.isAlive, consumer.instance.hasPulse {
                members[index].lastSeen = world.time
            } else if world.time - members[index].lastSeen > Self.sessionTimeout {
                let member = members.remove(at: index)
                world.tell(nil, "the group puts \(consumer.instance.label) out")
                consumer.putOut(wasRevoking: !member.revoking.isEmpty)
                isChanged = true
            }
        }
        if isChanged { wantsRebalance = true }
        rebalanceIfPossible()
    }

    /// A rebalance waits for everybody: for who is frozen, and for who still has to give something back.
    private func rebalanceIfPossible() {
        guard wantsRebalance, !members.isEmpty else { return }
        guard members.allSatisfy({ $0.revoking.isEmpty && $0.consumer.isAlive && $0.consumer.instance.hasPulse }) else { return }
        wantsRebalance = false
        generation += 1
        let most = (partitions.count + members.count - 1) / members.count
        var given: [Int: [TopicPartition]] = [:]
        var taken: [Int: [TopicPartition]] = [:]
        let owned = members.reduce(into: Set<TopicPartition>()) { $0.formUnion($1.assigned) }
        for partition in partitions where !owned.contains(partition) {
            guard let least = members.indices.min(by: { members[$0].assigned.count < members[$1].assigned.count }) else { return }
            members[least].assigned.insert(partition)
            given[least, default: []].append(partition)
        }
        for index in members.indices {
            members[index].consumer.generation = generation
            while members[index].assigned.count > most, members.contains(where: { $0.assigned.count + 1 <= most && $0.id != members[index].id }) {
                guard let last = members[index].assigned.subtracting(given[index] ?? []).max() else { break }
                members[index].assigned.remove(last)
                members[index].revoking.insert(last)
                taken[index, default: []].append(last)
                if taken.values.reduce(0, { $0 + $1.count }) >= members.reduce(0, { $0 + max(0, most - $1.assigned.count) }) { break }
            }
        }
        for index in members.indices {
            let consumer = members[index].consumer
            if let partitions = taken[index] { consumer.tell(.revoke(partitions.sorted())) }
            if let partitions = given[index] { consumer.tell(.assign(partitions.sorted())) }
            world.tell(nil, "generation \(generation): \(consumer.instance.label) has \(Self.text(members[index].assigned))"
                + (taken[index].map { ", gives back \(Self.text(Set($0)))" } ?? ""))
        }
    }

    private static func text(_ partitions: Set<TopicPartition>) -> String {
        partitions.isEmpty ? "nothing" : partitions.sorted().map(\.description).joined(separator: " ")
    }
}
