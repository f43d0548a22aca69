import KafkaLogCoordination

/// A group's members and offsets, with the bookkeeping that keeps them consistent. When something happens is decided in
/// `GroupCoordinator`. (Kafka: GroupMetadata.)
final class Group {
    let groupID: String
    var state = GroupState.empty
    /// "consumer" for consumers, nil when there never was a member.
    var protocolType: String?
    var generation: Int32 = 0
    var protocolName: String?
    var leaderID: String?
    /// When `state` became empty, or stable with a new assignment: wall time in milliseconds, -1 for never.
    var stateTimestamp: Int64 = -1

    private(set) var members: [String: GroupMember] = [:]
    /// Member id by instance id.
    private(set) var staticMembers: [String: String] = [:]
    /// Ids that were given out and not used yet (KIP-394).
    var pendingMembers: Set<String> = [] { didSet { countBytes() } }
    /// Members of the new generation whose SyncGroup has not come yet.
    var pendingSyncMembers: Set<String> = []
    /// The initial delay, while it runs: the rebalance waits for it even when all members have joined.
    var initialDelay: InitialDelay?

    struct InitialDelay {
        /// The moment until which it may be prolonged, monotonic milliseconds.
        let latest: Int64
        /// A member joined while it ran: it is prolonged.
        var newMemberAdded = false
    }

    var offsets: [TopicPartition: StoredOffset] = [:]
    /// By producer id: offsets that become visible when its transaction commits.
    var pendingOffsets: [Int64: [TopicPartition: StoredOffset]] = [:]
    private var nextOrder: UInt64 = 0
    /// Bytes of all that the members brought.
    private(set) var memberBytes = 0
    private let usage: GroupUsage
    /// What of it is in `usage`.
    private var countedBytes = 0
    /// How many members support each protocol.
    private var supporters: [String: Int] = [:]

    init(_ groupID: String, _ usage: GroupUsage) {
        self.groupID = groupID
        self.usage = usage
    }

    deinit { usage.bytes -= countedBytes }

    private func countBytes() {
        let bytes = memberBytes + pendingMembers.count * GroupUsage.pendingMemberBytes
        usage.bytes += bytes - countedBytes
        countedBytes = bytes
    }

    /// An offset with its place in the order of all commits of the group. A transaction's offset keeps the place at which it
    /// was sent, so a commit that was made after it is not undone when the transaction completes.
    struct StoredOffset: Hashable {
        var committed: CommittedOffset
        var sequence: UInt64
    }

    // MARK: Members

    var membersInOrder: [GroupMember] { members.values.sorted { $0.order < $1.order } }

    var waitingJoinCount: Int { members.values.reduce(0) { $0 + ($1.waitingJoin == nil ? 0 : 1) } }

    /// The members' largest.
    var rebalanceTimeoutMilliseconds: Int64 { members.values.map { Int64($0.rebalanceTimeoutMilliseconds) }.max() ?? 0 }

    func has(_ memberID: String) -> Bool { members[memberID] != nil }

    func isLeader(_ memberID: String) -> Bool { leaderID == memberID }

    func add(_ member: GroupMember, protocolType: String) {
        if members.isEmpty { self.protocolType = protocolType }
        if leaderID == nil { leaderID = member.memberID }
        var member = member
        member.order = nextOrder
        nextOrder += 1
        members[member.memberID] = member
        memberBytes += member.byteCount
        count(member.protocols, 1)
        if let instance = member.groupInstanceID { staticMembers[instance] = member.memberID }
        pendingMembers.remove(member.memberID)
    }

    /// Changes a member in place. Its ids stay.
    func update(_ memberID: String, _ change: (inout GroupMember) -> Void) {
        guard var member = members.removeValue(forKey: memberID) else { return }
        let before = member.protocols
        memberBytes -= member.byteCount
        change(&member)
        memberBytes += member.byteCount
        members[memberID] = member
        countBytes()
        if member.protocols != before {
            count(before, -1)
            count(member.protocols, 1)
        }
    }

    func remove(_ memberID: String) {
        pendingMembers.remove(memberID)
        pendingSyncMembers.remove(memberID)
        guard let member = members.removeValue(forKey: memberID) else { return }
        memberBytes -= member.byteCount
        countBytes()
        count(member.protocols, -1)
        if let instance = member.groupInstanceID, staticMembers[instance] == memberID { staticMembers[instance] = nil }
        if isLeader(memberID) { leaderID = membersInOrder.first?.memberID }
    }

    /// Gives a static member a new id: whoever uses the old one is fenced.
    func replaceStaticMember(_ instance: String, with newID: String) {
        guard let oldID = staticMembers[instance], var member = members.removeValue(forKey: oldID) else { return }
        memberBytes -= member.byteCount
        member.memberID = newID
        memberBytes += member.byteCount
        countBytes()
        members[newID] = member
        staticMembers[instance] = newID
        if isLeader(oldID) { leaderID = newID }
        if pendingSyncMembers.remove(oldID) != nil { pendingSyncMembers.insert(newID) }
    }

    // MARK: Protocols

    /// The names of what every member supports.
    private var commonProtocols: Set<String> { Set(supporters.filter { $0.value == members.count }.keys) }

    private func count(_ protocols: [GroupProtocol], _ change: Int) {
        for name in Set(protocols.map(\.name)) {
            let count = supporters[name, default: 0] + change
            supporters[name] = count == 0 ? nil : count
        }
    }

    /// Whether a member with these protocols could be part of the group.
    func supports(protocolType: String, _ protocols: [GroupProtocol]) -> Bool {
        if state == .empty { return !protocolType.isEmpty && !protocols.isEmpty }
        return self.protocolType == protocolType && protocols.contains { supporters[$0.name, default: 0] == members.count }
    }

    /// The protocol that most members prefer among those that all support; of equals, the one that the member who came first
    /// likes best.
    func selectProtocol() -> String? {
        let candidates = commonProtocols
        let members = membersInOrder
        var votes: [String: Int] = [:]
        for member in members {
            if let vote = member.vote(candidates) { votes[vote, default: 0] += 1 }
        }
        guard let most = votes.values.max() else { return nil }
        return members.first?.vote(Set(votes.filter { $0.value == most }.keys))
    }

    /// Lets a member that has rejoined lead when the leader has not.
    /// - Returns: whether the leader has rejoined now.
    func electJoinedLeader() -> Bool {
        guard let leaderID else { return false }
        if members[leaderID]?.waitingJoin != nil { return true }
        guard let joined = membersInOrder.first(where: { $0.waitingJoin != nil }) else { return false }
        self.leaderID = joined.memberID
        return true
    }

    /// The members as the leader is told of them.
    var joinedMembers: [JoinGroupResult.Member] {
        membersInOrder.map {
            JoinGroupResult.Member(
                memberID: $0.memberID, groupInstanceID: $0.groupInstanceID, metadata: $0.metadata(for: protocolName))
        }
    }

    /// The topics that members consume; nil when that cannot be known.
    var subscribedTopics: Set<String>? {
        guard protocolType == ConsumerSubscription.protocolType, let protocolName else { return nil }
        var subscribed: Set<String> = []
        for member in members.values {
            guard let topics = ConsumerSubscription.topics(member.metadata(for: protocolName)) else { return nil }
            subscribed.formUnion(topics)
        }
        return subscribed
    }

    // MARK: Offsets

    func hasPendingOffset(_ partition: TopicPartition) -> Bool {
        pendingOffsets.values.contains { $0[partition] != nil }
    }

    /// Nothing in it is worth keeping.
    var isForgettable: Bool {
        state == .empty && members.isEmpty && pendingMembers.isEmpty && offsets.isEmpty && pendingOffsets.isEmpty
    }
}
