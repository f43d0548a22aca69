import KafkaLogCoordination

extension GroupCoordinator {
    /// SyncGroup. Answered when the leader's assignment is durable.
    package func syncGroup(_ request: SyncGroupRequest, _ token: RequestToken, _ now: CoordinatorTime) -> [GroupAction] {
        var actions: [GroupAction] = []
        do throws(GroupError) {
            let group = try check(request)
            switch group.state {
            case .empty, .dead:
                throw .unknownMemberID
            case .preparingRebalance:
                throw .rebalanceInProgress
            case .completingRebalance:
                if let replaced = group.members[request.memberID]?.waitingSync {
                    actions.append(.reply(replaced, .syncGroup(SyncGroupResult(error: .rebalanceInProgress))))
                }
                group.update(request.memberID) { $0.waitingSync = token }
                synced(group, request.memberID)
                if group.isLeader(request.memberID) { assign(group, request.assignments, now, &actions) }
            case .stable:
                synced(group, request.memberID)
                extendSession(group, request.memberID, now)
                actions.append(
                    .replyWhenDurable(
                        token, .syncGroup(assigned(group, group.members[request.memberID]?.assignment ?? []))))
            }
        } catch {
            actions.append(.reply(token, .syncGroup(SyncGroupResult(error: error))))
        }
        return actions
    }

    private func check(_ request: SyncGroupRequest) throws(GroupError) -> Group {
        try check(groupID: request.groupID)
        guard let group = groups[request.groupID] else { throw .unknownMemberID }
        try checkMember(group, request.memberID, request.groupInstanceID)
        guard request.generation == group.generation else { throw .illegalGeneration }
        if let type = request.protocolType, type != group.protocolType { throw .inconsistentGroupProtocol }
        if let name = request.protocolName, name != group.protocolName { throw .inconsistentGroupProtocol }
        return group
    }

    /// The leader has spoken: the generation is complete, and this is what a restart finds again.
    private func assign(
        _ group: Group, _ assignments: [(memberID: String, assignment: [UInt8])], _ now: CoordinatorTime,
        _ actions: inout [GroupAction]
    ) {
        // Whoever the leader left out has nothing to do.
        for memberID in group.members.keys { group.update(memberID) { $0.assignment = [] } }
        for (memberID, assignment) in assignments { group.update(memberID) { $0.assignment = assignment } }
        let before = group.stateTimestamp
        group.stateTimestamp = now.wallMilliseconds
        guard let record = record(group) else {
            group.stateTimestamp = before
            failSyncs(group, .unknownServerError, now, &actions)
            return prepareRebalance(group, now, &actions)
        }
        group.state = .stable
        actions.append(.persist([record]))
        for member in group.membersInOrder {
            guard let token = member.waitingSync else { continue }
            actions.append(.replyWhenDurable(token, .syncGroup(assigned(group, member.assignment))))
            group.update(member.memberID) { $0.waitingSync = nil }
            extendSession(group, member.memberID, now)
        }
    }

    /// Sends the waiting members away without an assignment.
    func failSyncs(_ group: Group, _ error: GroupError, _ now: CoordinatorTime, _ actions: inout [GroupAction]) {
        for member in group.membersInOrder {
            group.update(member.memberID) {
                $0.assignment = []
                $0.waitingSync = nil
            }
            guard let token = member.waitingSync else { continue }
            actions.append(.reply(token, .syncGroup(SyncGroupResult(error: error))))
            extendSession(group, member.memberID, now)
        }
    }

    private func synced(_ group: Group, _ memberID: String) {
        group.pendingSyncMembers.remove(memberID)
        if group.pendingSyncMembers.isEmpty { timers.cancel(.sync(groupID: group.groupID)) }
    }

    /// Members that joined and then did not ask for their assignment are gone, heartbeats or not.
    func syncTimedOut(_ group: Group, _ now: CoordinatorTime, _ actions: inout [GroupAction]) {
        guard group.state == .completingRebalance || group.state == .stable, !group.pendingSyncMembers.isEmpty else { return }
        for memberID in group.pendingSyncMembers.sorted() { forgetMember(group, memberID, .unknownMemberID, &actions) }
        prepareRebalance(group, now, &actions)
    }

    private func assigned(_ group: Group, _ assignment: [UInt8]) -> SyncGroupResult {
        SyncGroupResult(
            error: .none, protocolType: group.protocolType, protocolName: group.protocolName, assignment: assignment)
    }
}
