import KafkaLogCoordination
import KafkaLogGroups
import Seeded

/// A coordinator with a journal that is durable at once and a clock that the test moves.
final class GroupHarness {
    var coordinator: GroupCoordinator
    let configuration: GroupConfiguration
    var journal: [CoordinatorRecord] = []
    var now = CoordinatorTime(monotonicMilliseconds: 1_000, wallMilliseconds: 1_700_000_000_000)
    private var replies: [RequestToken: GroupReply] = [:]
    private var nextToken: UInt64 = 0

    init(_ configuration: GroupConfiguration = GroupConfiguration()) {
        self.configuration = configuration
        coordinator = GroupCoordinator(configuration: configuration, random: SplitMix64(seed: 1))
        run(coordinator.start(now))
    }

    func run(_ actions: [GroupAction]) {
        for action in actions {
            switch action {
            case .persist(let records): journal += records
            case .reply(let token, let reply), .replyWhenDurable(let token, let reply): replies[token] = reply
            }
        }
    }

    /// The journal is all that is left.
    func restart() throws {
        coordinator = GroupCoordinator(configuration: configuration, random: SplitMix64(seed: 2))
        for record in journal { try coordinator.restore(record) }
        run(coordinator.start(now))
    }

    func advance(_ milliseconds: Int64) {
        now.monotonicMilliseconds += milliseconds
        now.wallMilliseconds += milliseconds
        run(coordinator.tick(now))
    }

    func ask(_ request: (RequestToken) -> [GroupAction]) -> RequestToken {
        nextToken += 1
        let token = RequestToken(nextToken)
        run(request(token))
        return token
    }

    // MARK: Requests

    static func subscription(_ topics: String...) -> [UInt8] {
        var bytes: [UInt8] = [0, 1, 0, 0, 0, UInt8(topics.count)]
        for topic in topics { bytes += [0, UInt8(topic.utf8.count)] + Array(topic.utf8) }
        return bytes + [0, 0, 0, 0]
    }

    static let range = [GroupProtocol(name: "range", metadata: subscription("t"))]

    /// Asks to join; `joined` has the answer when it comes.
    func join(
        _ memberID: String = "", instance: String? = nil, group: String = "g", session: Int32 = 10_000,
        rebalance: Int32 = 30_000, type: String = "consumer", protocols: [GroupProtocol] = GroupHarness.range,
        version: Int = 3
    ) -> RequestToken {
        let request = JoinGroupRequest(
            groupID: group, memberID: memberID, groupInstanceID: instance, clientID: "client", clientHost: "/127.0.0.1",
            sessionTimeoutMilliseconds: session, rebalanceTimeoutMilliseconds: rebalance, protocolType: type,
            protocols: protocols, requiresKnownMemberID: version >= 4, supportsSkippingAssignment: version >= 9)
        return ask { coordinator.joinGroup(request, $0, now) }
    }

    func joined(_ token: RequestToken) -> JoinGroupResult? {
        guard case .joinGroup(let result) = replies[token] else { return nil }
        return result
    }

    func sync(
        _ memberID: String, _ generation: Int32, instance: String? = nil, group: String = "g",
        type: String? = nil, name: String? = nil, _ assignments: [String: [UInt8]] = [:]
    ) -> RequestToken {
        let request = SyncGroupRequest(
            groupID: group, generation: generation, memberID: memberID, groupInstanceID: instance, protocolType: type,
            protocolName: name, assignments: assignments.map { (memberID: $0.key, assignment: $0.value) })
        return ask { coordinator.syncGroup(request, $0, now) }
    }

    func synced(_ token: RequestToken) -> SyncGroupResult? {
        guard case .syncGroup(let result) = replies[token] else { return nil }
        return result
    }

    func heartbeat(_ memberID: String, _ generation: Int32, instance: String? = nil, group: String = "g") -> GroupError? {
        let token = ask {
            coordinator.heartbeat(
                groupID: group, memberID: memberID, groupInstanceID: instance, generation: generation, $0, now)
        }
        guard case .heartbeat(let error) = replies[token] else { return nil }
        return error
    }

    func leave(_ members: LeavingMember..., group: String = "g") -> [GroupError] {
        let token = ask { coordinator.leaveGroup(groupID: group, members, $0, now) }
        guard case .leaveGroup(let result) = replies[token] else { return [] }
        return result.error == .none ? result.members.map(\.error) : [result.error]
    }

    func commit(
        _ offset: Int64, partition: TopicPartition = TopicPartition("t", 0), group: String = "g", _ memberID: String = "",
        _ generation: Int32 = -1, instance: String? = nil, metadata: String = "", producer: Int64? = nil
    ) -> GroupError? {
        let request = OffsetCommitRequest(
            groupID: group, generation: generation, memberID: memberID, groupInstanceID: instance,
            offsets: [OffsetCommitRequest.Offset(partition, offset: offset, leaderEpoch: 7, metadata: metadata)])
        let token = ask { token in
            if let producer { return coordinator.commitTransactionOffsets(request, producerID: producer, token, now) }
            return coordinator.commitOffsets(request, token, now)
        }
        switch replies[token] {
        case .offsetCommit(let results), .transactionOffsetCommit(let results): return results.first?.error
        default: return nil
        }
    }

    func fetch(_ partition: TopicPartition = TopicPartition("t", 0), group: String = "g", stable: Bool = false) -> Int64? {
        offset(partition, group: group, stable: stable)?.offset?.offset
    }

    func offset(
        _ partition: TopicPartition = TopicPartition("t", 0), group: String = "g", stable: Bool = false
    ) -> OffsetFetchResult.Partition? {
        coordinator.fetchOffsets(groupID: group, partitions: [partition], requiresStable: stable).partitions.first
    }

    func delete(_ groups: String...) -> [GroupError] {
        let token = ask { coordinator.deleteGroups(groups, $0) }
        guard case .deleteGroups(let results) = replies[token] else { return [] }
        return results.map(\.error)
    }

    func deleteOffsets(_ partitions: TopicPartition..., group: String = "g") -> OffsetDeleteResult? {
        let token = ask { coordinator.deleteOffsets(groupID: group, partitions: partitions, $0, now) }
        guard case .offsetDelete(let result) = replies[token] else { return nil }
        return result
    }

    func state(_ group: String = "g") -> GroupState { coordinator.describe(groupID: group).state }

    // MARK: Whole groups

    /// A stable group of one member.
    func single(instance: String? = nil, version: Int = 3) throws -> (memberID: String, generation: Int32) {
        let result = try need(joined(join(instance: instance, version: version)))
        _ = sync(result.memberID, result.generation, [result.memberID: [1]])
        return (result.memberID, result.generation)
    }

    /// A stable group of two members; the first leads. Each is assigned its own number.
    func pair(instances: (String?, String?) = (nil, nil)) throws -> (first: String, second: String, generation: Int32) {
        let alone = try single(instance: instances.0)
        let second = join(instance: instances.1)
        let first = join(alone.memberID, instance: instances.0)
        let result = try need(joined(second))
        let leader = try need(joined(first))
        guard leader.members.count == 2, leader.generation == result.generation else { throw Unexpected() }
        _ = sync(result.memberID, result.generation)
        _ = sync(leader.memberID, leader.generation, [leader.memberID: [1], result.memberID: [2]])
        return (leader.memberID, result.memberID, leader.generation)
    }

    /// Brings a group of two into a state.
    func bring(to state: GroupState) throws -> (first: String, second: String, generation: Int32) {
        let members = try pair()
        switch state {
        case .stable, .dead: return members
        case .preparingRebalance:
            _ = join(members.first)
            return members
        case .completingRebalance:
            _ = join(members.first)
            _ = join(members.second)
            return (members.first, members.second, members.generation + 1)
        case .empty:
            _ = leave(LeavingMember(memberID: members.first), LeavingMember(memberID: members.second))
            return members
        }
    }

    func need<Value>(_ value: Value?) throws -> Value {
        guard let value else { throw Unexpected() }
        return value
    }

    struct Unexpected: Error {}
}
