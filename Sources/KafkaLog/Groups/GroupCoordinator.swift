import KafkaLogCoordination

/// The coordinator of all consumer groups, as a state machine: requests and events go in, actions come out. It has no clock,
/// no thread and no I/O; all calls come from one thread.
///
/// It follows Kafka's GroupCoordinator for the classic protocol (KIP-62, 345, 394, 447, 814) with these differences:
/// - A change takes effect in memory at once and is answered when the journal has it. As the journal keeps its order and
///   stops for good when it fails, nothing later can become durable without it, and nobody sees what might not last.
/// - A request that takes the place of an earlier one of the same member answers the earlier one, with
///   REBALANCE_IN_PROGRESS: every token is answered exactly once.
/// - A returning static consumer causes a rebalance when its topics have changed. In Kafka it keeps its old assignment.
/// - A returning static member is let in when the group is full.
///
/// Files: `+Join`, `+Rebalance` (the machine itself), `+Sync`, `+Members` (heartbeat, leave, session time-outs), `+Offsets`,
/// `+Transactions`, `+Administration` (describe, list, delete), `+Retention`, `+Restore`.
package final class GroupCoordinator {
    let configuration: GroupConfiguration
    /// Where member ids come from.
    var random: any RandomNumberGenerator
    var groups: [String: Group] = [:]
    var timers = DeadlineQueue<Timer>()
    /// What the members of all groups take in memory.
    let usage = GroupUsage()
    /// The journal has no room for more: what is there goes on, there are no new groups, members and partitions with offsets.
    package var isFull = false
    /// The order of offset commits; see `Group.StoredOffset`.
    var nextSequence: UInt64 = 0

    enum Timer: Hashable {
        case session(groupID: String, memberID: String)
        case pendingMember(groupID: String, memberID: String)
        case join(groupID: String)
        case sync(groupID: String)
        case retention
    }

    /// - Parameter random: makes member ids; they must not come again after a restart, so do not seed it with a constant.
    package init(
        configuration: GroupConfiguration, random: any RandomNumberGenerator = SystemRandomNumberGenerator()
    ) {
        self.configuration = configuration
        self.random = random
    }

    /// When `tick` wants to be called next, in monotonic milliseconds; nil for never. Ask again after every call. It can be
    /// early, never late.
    package var nextDeadline: Int64? { timers.next }

    /// Does what is due: members that were not heard of are removed, rebalances that waited long enough go on, offsets that
    /// nobody needs are forgotten.
    package func tick(_ now: CoordinatorTime) -> [GroupAction] {
        var actions: [GroupAction] = []
        while let timer = timers.popDue(now.monotonicMilliseconds) {
            switch timer {
            case .session(let groupID, let memberID):
                if let group = groups[groupID] { sessionTimedOut(group, memberID, now, &actions) }
            case .pendingMember(let groupID, let memberID):
                if let group = groups[groupID] { removePendingMember(group, memberID, now, &actions) }
            case .join(let groupID):
                if let group = groups[groupID] { joinTimedOut(group, now, &actions) }
            case .sync(let groupID):
                if let group = groups[groupID] { syncTimedOut(group, now, &actions) }
            case .retention:
                expireOffsets(now, &actions)
                scheduleRetention(now)
            }
        }
        return actions
    }

    /// The checks that all requests about members share.
    func check(groupID: String) throws(GroupError) {
        guard !groupID.isEmpty, groupID.utf8.count <= Int(Int16.max) else { throw .invalidGroupID }
    }

    /// The group, made when there is none.
    func groupOrNew(_ groupID: String) throws(GroupError) -> Group {
        if let group = groups[groupID] { return group }
        guard groups.count < configuration.maximumGroups, !isFull else { throw .policyViolation }
        let group = Group(groupID, usage)
        groups[groupID] = group
        return group
    }

    /// Forgets a group that a refused request left behind. A group that was ever persisted waits for the retention check.
    func dropIfUnused(_ group: Group) {
        if group.isForgettable && group.generation == 0 && groups[group.groupID] === group { groups[group.groupID] = nil }
    }

    /// Whether `memberID` is a member, and the one that has this instance id when one is given.
    func checkMember(_ group: Group, _ memberID: String, _ groupInstanceID: String?) throws(GroupError) {
        if let groupInstanceID {
            guard let current = group.staticMembers[groupInstanceID] else { throw .unknownMemberID }
            guard current == memberID else { throw .fencedInstanceID }
        }
        guard group.has(memberID) else { throw .unknownMemberID }
    }

    /// A sign of life: the session time-out starts again.
    func extendSession(_ group: Group, _ memberID: String, _ now: CoordinatorTime) {
        guard let member = group.members[memberID] else { return }
        timers.set(
            .session(groupID: group.groupID, memberID: memberID),
            at: now.monotonicMilliseconds &+ max(1, Int64(member.sessionTimeoutMilliseconds)))
    }

    func scheduleRetention(_ now: CoordinatorTime) {
        timers.set(
            .retention, at: now.monotonicMilliseconds &+ max(1, configuration.offsetsRetentionCheckIntervalMilliseconds))
    }

    /// The group's journal entry, or nil when it is larger than allowed.
    func record(_ group: Group) -> CoordinatorRecord? {
        let record = GroupRecordFormat.group(group)
        return (record.value?.count ?? 0) <= configuration.maximumGroupRecordBytes ? record : nil
    }
}
