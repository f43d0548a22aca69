import Foundation
import KafkaLogCoordination
import KafkaLogGroups
import Testing

/// Members that come, go, pause and come back, offsets in and out of transactions, deleted and expired, a journal that is synced
/// now and then, crashes that leave any prefix of what was not, a wall clock that jumps. What is committed is compared with a plain
/// model after every step. The seeds take turns at an initial delay and at a group that is full.
///
/// `MILLRACE_SIMULATION_STEPS` says how many steps there are in all, `MILLRACE_SIMULATION_SEED` where the seeds begin.
///
/// Each of these was put into the coordinator and found: a commit of another generation that is taken; a static member that stays
/// beside its successor; an assignment, or a commit, answered before it is durable; a transaction's offset that overwrites a newer commit;
/// a restart that forgets the generation; offsets that expire by the time of their commit though the group had members until now.
struct GroupSimulationTests {
    private static let steps = environment("MILLRACE_SIMULATION_STEPS") ?? 3_000_000
    private static let seed = UInt64(environment("MILLRACE_SIMULATION_SEED") ?? 0x6a_0000)
    private static let stepsPerWorld = 60_000

    private static func environment(_ name: String) -> Int? { ProcessInfo.processInfo.environment[name].flatMap { Int($0) } }

    @Test func generationsAndOffsetsHoldWhateverHappens() throws {
        var deletions = 0, expirations = 0
        for number in 0..<UInt64(max(1, Self.steps / Self.stepsPerWorld)) {
            let seed = Self.seed + number
            let world = GroupWorld(seed: seed)
            for _ in 0..<Self.stepsPerWorld {
                try world.step()
                if !world.failures.isEmpty { break }
            }
            if world.failures.isEmpty { world.settle() }
            try #require(world.failures.isEmpty, "seed \(seed), step \(world.steps): \(world.failures)")
            #expect(
                world.syncs > 500 && world.commits > 500 && world.refusals > 100 && world.completions > 300 && world.crashes > 100,
                "seed \(seed): \(world.counts)")
            deletions += world.deletions
            expirations += world.expirations
        }
        // Groups are seldom empty: a short run may see none.
        #expect(Self.steps < 1_000_000 || deletions > 10 && expirations > 10, "\(deletions) deletions, \(expirations) expirations")
    }
}

private final class GroupWorld {
    enum Phase {
        case out
        case joined(members: [String], skipsAssignment: Bool)
        case stable
    }

    struct Client {
        var instance: String?
        var memberID = ""
        var generation: Int32 = -1
        var phase = Phase.out
        var waiting: RequestToken?
    }


    /// What a plain reading of the rules says is committed and pending.
    struct Model: Equatable {
        struct Value: Equatable {
            var order: Int
            var offset: Int64
            /// When it was sent, wall time.
            var sent: Int64
        }

        var committed: [TopicPartition: Value] = [:]
        var pending: [Int64: [TopicPartition: Value]] = [:]

        mutating func apply(_ change: Change) {
            switch change {
            case .commit(let partition, let value): committed[partition] = value
            case .delete(let partition): committed[partition] = nil
            case .deletePending(let producerID, let partition):
                pending[producerID]?[partition] = nil
                if pending[producerID]?.isEmpty == true { pending[producerID] = nil }
            case .pending(let producerID, let partition, let value): pending[producerID, default: [:]][partition] = value
            case .complete(let producerID, let commit):
                for (partition, value) in pending.removeValue(forKey: producerID) ?? [:] where commit {
                    if committed[partition].map({ $0.order < value.order }) ?? true { committed[partition] = value }
                }
            }
        }
    }

    enum Change {
        case commit(TopicPartition, Model.Value)
        case pending(Int64, TopicPartition, Model.Value)
        case delete(TopicPartition)
        case deletePending(Int64, TopicPartition)
        case complete(Int64, commit: Bool)
    }

    var random: SplitMix64
    var coordinator: GroupCoordinator
    var now = CoordinatorTime(monotonicMilliseconds: 0, wallMilliseconds: 1_700_000_000_000)
    var journal: [CoordinatorRecord] = []
    var durable = 0
    var held: [(after: Int, token: RequestToken, reply: GroupReply)] = []
    var clients: [Client]
    var nextToken: UInt64 = 0
    /// When the requests that wait in the coordinator were sent.
    var waitingSince: [RequestToken: Int64] = [:]
    var answered: Set<RequestToken> = []

    var model = Model()
    /// Since the last restart: what the journal has to hold for a change to last, and the change. Decisions always last.
    var changes: [(journal: Int, change: Change)] = []
    var base = Model()
    var order = 0
    /// The last outcome, and what the journal holds when it is complete. Its producer's next transaction begins after that.
    var outcome: (producerID: Int64, commit: Bool, journal: Int)?
    /// Who was given each piece of work, and in which generation.
    var work: [UInt32: (memberID: String, generation: Int32)] = [:]
    /// The member that has each instance id, as far as a client was told.
    var instances: [String: (memberID: String, generation: Int32)] = [:]
    /// The newest generation that a member was given work in.
    var stableGeneration: Int32 = 0

    var failures: [String] = []
    var steps = 0, syncs = 0, commits = 0, refusals = 0, completions = 0, crashes = 0, deletions = 0, expirations = 0
    var counts: String {
        "\(syncs) syncs, \(commits) commits, \(refusals) refused, \(completions) completions, \(crashes) crashes, \(deletions) deletions, "
            + "\(expirations) expirations"
    }

    let rebalanceTimeout: Int32 = 20_000
    let configuration: GroupConfiguration
    /// Since when the group has been seen without members, wall time; nil while that is not known.
    var emptySince: Int64?
    var wasEmpty = true

    init(seed: UInt64) {
        random = SplitMix64(state: seed)
        var configuration = GroupConfiguration()
        configuration.offsetsRetentionMilliseconds = 30_000
        configuration.offsetsRetentionCheckIntervalMilliseconds = 5_000
        if seed % 3 == 0 { configuration.initialRebalanceDelayMilliseconds = 3_000 }
        if seed % 4 == 1 { configuration.maximumMembers = 4 }
        self.configuration = configuration
        coordinator = GroupCoordinator(configuration: configuration, random: SplitMix64(state: seed ^ 1))
        // Four that come and go, two with an instance id, and a zombie of each of these.
        clients = (0..<8).map { Client(instance: $0 < 4 ? nil : "s\($0 % 2)") }
        perform(coordinator.start(now))
    }

    func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    func fail(_ message: String) { failures.append(message) }

    // MARK: Steps

    func step() throws {
        steps += 1
        switch Int.random(in: 0..<1_000, using: &random) {
        case 0..<750: act(chance(97) ? Int.random(in: 0..<6, using: &random) : Int.random(in: 6..<8, using: &random))
        case 750..<900: sync(to: chance(70) ? journal.count : Int.random(in: durable...journal.count, using: &random))
        case 900..<985: advance(Int64.random(in: 0..<500, using: &random))
        case 985..<991: advance(Int64.random(in: 0..<15_000, using: &random))
        case 991: advance(chance(10) ? 60_000 : 0)
        case 992: now.wallMilliseconds += Int64.random(in: -20_000..<20_000, using: &random)
        case 993..<996: delete()
        default: try crash()
        }
        watch()
        let partition = TopicPartition("t", Int32.random(in: 0..<4, using: &random))
        check(partition)
    }

    private func watch() {
        let isEmpty = [.empty, .dead].contains(coordinator.describe(groupID: "g").state)
        if isEmpty && !wasEmpty { emptySince = now.wallMilliseconds }
        wasEmpty = isEmpty
        // A group of the same name begins anew.
        if coordinator.list().isEmpty {
            stableGeneration = 0
            instances = [:]
        }
    }

    /// Offsets of a partition, or the group with all of them: while it has no members.
    private func delete() {
        let partitions = (0..<4).map { TopicPartition("t", $0) }
        let isWhole = chance(30)
        let wanted = isWhole ? partitions : [partitions[Int.random(in: 0..<4, using: &random)]]
        let isEmpty = coordinator.describe(groupID: "g").state == .empty
        let before = journal.count
        nextToken += 1
        let token = RequestToken(nextToken)
        let actions = isWhole ? coordinator.deleteGroups(["g"], token) : coordinator.deleteOffsets(groupID: "g", partitions: wanted, token, now)
        perform(actions)
        var isDone = false
        for action in actions {
            switch action {
            case .replyWhenDurable(_, .deleteGroups(let results)): isDone = results[0].error == .none
            case .replyWhenDurable(_, .offsetDelete(let result)): isDone = result.error == .none && result.partitions[0].error == .none
            default: break
            }
        }
        guard isDone else {
            if isEmpty { fail("an empty group does not let go of its offsets") }
            return
        }
        if isWhole && !isEmpty { fail("a group with members is deleted") }
        deletions += 1
        // In the order of the journal, so that a crash in between is known.
        var index = before
        for partition in wanted {
            if model.committed[partition] != nil {
                record(.delete(partition), at: index)
                index += 1
            }
            for producerID in model.pending.keys.sorted() where model.pending[producerID]?[partition] != nil {
                record(.deletePending(producerID, partition), at: index)
                index += 1
            }
        }
    }

    private func act(_ index: Int) {
        let client = clients[index]
        if client.waiting != nil {
            if chance(1) { clients[index] = Client(instance: client.instance) }
            return
        }
        switch client.phase {
        case .out:
            if index < 6 || chance(20) { join(index) }
        case .joined(let members, let skips):
            if chance(3) { return }
            sync(index, skips ? [] : members)
        case .stable:
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<50: heartbeat(index)
            case 50..<70: commit(index, producer: nil)
            case 70..<85: commit(index, producer: Int64(index))
            case 85..<92: complete(Int64(index))
            case 92: join(index)
            case 93: leave(index)
            case 94: clients[index] = Client(instance: client.instance)
            default: break
            }
        }
    }

    private func join(_ index: Int) {
        let client = clients[index]
        let version = [3, 4, 9].randomElement(using: &random) ?? 3
        let topics = GroupHarness.subscription(chance(97) ? "t" : "u")
        let request = JoinGroupRequest(
            groupID: "g", memberID: client.memberID, groupInstanceID: client.instance, clientID: "c\(index)", clientHost: "/",
            sessionTimeoutMilliseconds: 10_000, rebalanceTimeoutMilliseconds: rebalanceTimeout, protocolType: "consumer",
            protocols: (chance(20) ? ["sticky", "range"] : ["range"]).map { GroupProtocol(name: $0, metadata: topics) }, requiresKnownMemberID: version >= 4,
            supportsSkippingAssignment: version >= 9)
        ask(index) { coordinator.joinGroup(request, $0, now) }
    }

    private func sync(_ index: Int, _ members: [String]) {
        let client = clients[index]
        let assignments = members.map { member in
            let number = UInt32(work.count)
            work[number] = (member, client.generation)
            return (memberID: member, assignment: withUnsafeBytes(of: number.bigEndian) { [UInt8]($0) })
        }
        let request = SyncGroupRequest(
            groupID: "g", generation: client.generation, memberID: client.memberID, groupInstanceID: client.instance,
            assignments: assignments)
        ask(index) { coordinator.syncGroup(request, $0, now) }
    }

    private func heartbeat(_ index: Int) {
        let client = clients[index]
        ask(index) {
            coordinator.heartbeat(
                groupID: "g", memberID: client.memberID, groupInstanceID: client.instance, generation: client.generation, $0, now)
        }
    }

    private func leave(_ index: Int) {
        let client = clients[index]
        clients[index] = Client(instance: client.instance)
        nextToken += 1
        perform(
            coordinator.leaveGroup(
                groupID: "g",
                [LeavingMember(memberID: client.instance != nil && chance(50) ? "" : client.memberID, groupInstanceID: client.instance)],
                RequestToken(nextToken), now))
    }

    /// Now and then under a generation that is not, or no longer, its own.
    private func commit(_ index: Int, producer: Int64?) {
        if let producer, let outcome, outcome.producerID == producer, outcome.journal > durable { return }
        let client = clients[index]
        let generation = chance(10) ? client.generation + Int32.random(in: -2...1, using: &random) : client.generation
        let partitions = (0..<4).filter { _ in Bool.random(using: &random) }.map { TopicPartition("t", $0) }
        order += 1
        let value = Model.Value(order: order, offset: Int64(order), sent: now.wallMilliseconds)
        let request = OffsetCommitRequest(
            groupID: "g", generation: generation, memberID: client.memberID, groupInstanceID: client.instance,
            offsets: partitions.map { OffsetCommitRequest.Offset($0, offset: value.offset) })
        nextToken += 1
        let token = RequestToken(nextToken)
        let before = journal.count
        let actions = producer.map { coordinator.commitTransactionOffsets(request, producerID: $0, token, now) }
            ?? coordinator.commitOffsets(request, token, now)
        perform(actions)
        var results: [PartitionResult] = []
        for action in actions {
            switch action {
            case .reply(token, .offsetCommit(let all)), .reply(token, .transactionOffsetCommit(let all)),
                .replyWhenDurable(token, .offsetCommit(let all)), .replyWhenDurable(token, .transactionOffsetCommit(let all)):
                results = all
            default: break
            }
        }
        guard !partitions.isEmpty else { return }
        guard results.allSatisfy({ $0.error == .none }) else {
            refusals += 1
            return
        }
        commits += 1
        for case .reply(token, _) in actions { fail("a commit is answered before it is durable") }
        if generation < stableGeneration { fail("generation \(generation) commits after \(stableGeneration) got its work") }
        if generation != client.generation { fail("client \(index) commits for generation \(generation), it is in \(client.generation)") }
        if let instance = client.instance, let holder = instances[instance], holder.memberID != client.memberID { fail("a fenced \(instance) commits") }
        for (number, partition) in partitions.enumerated() {
            record(producer.map { .pending($0, partition, value) } ?? .commit(partition, value), at: before + number)
        }
    }

    private func record(_ change: Change, at index: Int) {
        model.apply(change)
        changes.append((index, change))
    }

    /// The outcome of a transaction. It was durable, and with it what was persisted before.
    private func complete(_ producerID: Int64) {
        sync(to: journal.count)
        let commit = chance(60)
        completions += 1
        perform(coordinator.completeTransaction(producerID: producerID, commit: commit, groups: ["g"]))
        record(.complete(producerID, commit: commit), at: -1)
        outcome = (producerID, commit, journal.count)
    }

    private func ask(_ index: Int, _ request: (RequestToken) -> [GroupAction]) {
        nextToken += 1
        let token = RequestToken(nextToken)
        clients[index].waiting = token
        waitingSince[token] = now.monotonicMilliseconds
        perform(request(token))
    }

    // MARK: Actions

    private func perform(_ actions: [GroupAction]) {
        for action in actions {
            switch action {
            case .persist(let records): journal += records
            case .reply(let token, let reply):
                decided(token)
                answer(token, reply)
            case .replyWhenDurable(let token, let reply):
                decided(token)
                held.append((journal.count, token, reply))
            }
        }
        release()
    }

    private func decided(_ token: RequestToken) {
        waitingSince[token] = nil
        if !answered.insert(token).inserted { fail("\(token) is answered twice") }
    }

    private func sync(to count: Int) {
        durable = max(durable, count)
        release()
    }

    private func release() {
        while let first = held.first, first.after <= durable {
            held.removeFirst()
            answer(first.token, first.reply)
        }
    }

    private func answer(_ token: RequestToken, _ reply: GroupReply) {
        // A client that has given up has not seen it, but it was sent.
        if case .joinGroup(let result) = reply, result.error == .none,
            let client = clients.first(where: { $0.waiting == token }), let instance = client.instance,
            // An answer that was held back may come behind that of the client that has taken its place since.
            result.generation >= instances[instance]?.generation ?? 0
        {
            instances[instance] = (result.memberID, result.generation)
        }
        guard let index = clients.firstIndex(where: { $0.waiting == token }) else { return }
        clients[index].waiting = nil
        switch reply {
        case .joinGroup(let result):
            switch result.error {
            case .none:
                clients[index].memberID = result.memberID
                clients[index].generation = result.generation
                let members = result.members.map(\.memberID)
                if Set(members).count != members.count { fail("a member is listed twice: \(members)") }
                if result.leaderID == result.memberID && !members.contains(result.memberID) { fail("a leader is told of no members") }
                clients[index].phase = .joined(members: members, skipsAssignment: result.skipAssignment)
            case .memberIDRequired: clients[index].memberID = result.memberID
            default: refused(index, result.error)
            }
        case .syncGroup(let result):
            if result.error == .none { given(index, result.assignment) } else { refused(index, result.error) }
        case .heartbeat(let error):
            if error != .none { refused(index, error) }
        default: fail("unexpected \(reply)")
        }
    }

    private func given(_ index: Int, _ assignment: [UInt8]) {
        syncs += 1
        let client = clients[index]
        clients[index].phase = .stable
        stableGeneration = max(stableGeneration, client.generation)
        guard assignment.count == 4 else { return fail("an assignment that nobody made: \(assignment)") }
        let number = assignment.reduce(0) { $0 << 8 | UInt32($1) }
        guard let owner = work[number] else { return fail("an assignment that nobody made: \(assignment)") }
        if owner.generation != client.generation { fail("work of generation \(owner.generation) in \(client.generation)") }
        // A static member takes over from its former self, which has another id, and nobody else does.
        let isFormerSelf = client.instance.map { owner.memberID.hasPrefix($0) } ?? false
        if owner.memberID != client.memberID && !isFormerSelf { fail("\(client.memberID) is given the work of \(owner.memberID)") }
    }

    private func refused(_ index: Int, _ error: GroupError) {
        switch error {
        case .rebalanceInProgress:
            clients[index].phase = .out
        case .groupMaxSizeReached where configuration.maximumMembers < 10,
            .unknownMemberID, .illegalGeneration, .fencedInstanceID:
            clients[index] = Client(instance: clients[index].instance)
        default: fail("unexpected \(error)")
        }
    }

    private func advance(_ milliseconds: Int64) {
        now.monotonicMilliseconds += milliseconds
        now.wallMilliseconds += milliseconds
        if let deadline = coordinator.nextDeadline, deadline <= now.monotonicMilliseconds { perform(coordinator.tick(now)) }
        for (token, since) in waitingSince where now.monotonicMilliseconds - since >= Int64(rebalanceTimeout) {
            fail("\(token) waits since \(since), it is \(now.monotonicMilliseconds)")
        }
        watch()
        for partition in 0..<4 { check(TopicPartition("t", Int32(partition))) }
    }

    /// Nobody has used the group, and nobody has committed, for the retention time.
    private func mayExpire(_ partition: TopicPartition) -> Bool {
        guard wasEmpty, let value = model.committed[partition], !model.pending.values.contains(where: { $0[partition] != nil }) else { return false }
        let used = max(value.sent, emptySince ?? .min)
        return now.wallMilliseconds - max(used, 0) >= configuration.offsetsRetentionMilliseconds
    }

    private func check(_ partition: TopicPartition) {
        let plain = coordinator.fetchOffsets(groupID: "g", partitions: [partition], requiresStable: false).partitions[0]
        if plain.offset == nil, mayExpire(partition) {
            expirations += 1
            model.committed[partition] = nil
        }
        if plain.offset?.offset != model.committed[partition]?.offset {
            fail("\(partition) is at \(String(describing: plain.offset)), expected \(String(describing: model.committed[partition]))")
        }
        let stable = coordinator.fetchOffsets(groupID: "g", partitions: [partition], requiresStable: true).partitions[0]
        let isPending = model.pending.values.contains { $0[partition] != nil }
        if (stable.error == .unstableOffsetCommit) != isPending { fail("\(partition) is stable: \(stable.error), pending: \(isPending)") }
    }

    // MARK: Crash and settle

    private func crash() throws {
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
        coordinator = GroupCoordinator(configuration: configuration, random: SplitMix64(state: random.next()))
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
