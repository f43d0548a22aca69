import KafkaLogCoordination

extension GroupCoordinator {
    /// Starts a rebalance, or leaves the one that is being prepared alone.
    func prepareRebalanceIfPossible(_ group: Group, _ now: CoordinatorTime, _ actions: inout [GroupAction]) {
        switch group.state {
        case .stable, .completingRebalance, .empty: prepareRebalance(group, now, &actions)
        case .preparingRebalance, .dead: break
        }
    }

    /// Every member has to join again. The heartbeats tell them.
    func prepareRebalance(_ group: Group, _ now: CoordinatorTime, _ actions: inout [GroupAction]) {
        if group.state == .completingRebalance { failSyncs(group, .rebalanceInProgress, now, &actions) }
        group.pendingSyncMembers = []
        timers.cancel(.sync(groupID: group.groupID))

        let wasEmpty = group.state == .empty
        group.state = .preparingRebalance
        let rebalanceTimeout = group.rebalanceTimeoutMilliseconds
        let delay = Int64(configuration.initialRebalanceDelayMilliseconds)
        if wasEmpty && delay > 0 {
            group.initialDelay = Group.InitialDelay(latest: now.monotonicMilliseconds &+ max(rebalanceTimeout, delay))
            timers.set(.join(groupID: group.groupID), at: now.monotonicMilliseconds &+ delay)
        } else if wasEmpty {
            // Nobody else is known who could come; ids that were given out and not used yet join the next generation.
            completeJoin(group, now, &actions)
        } else {
            timers.set(.join(groupID: group.groupID), at: now.monotonicMilliseconds &+ rebalanceTimeout)
            completeJoinIfAllJoined(group, now, &actions)
        }
    }

    func completeJoinIfAllJoined(_ group: Group, _ now: CoordinatorTime, _ actions: inout [GroupAction]) {
        if group.state == .preparingRebalance, group.initialDelay == nil, group.pendingMembers.isEmpty,
            group.waitingJoinCount == group.members.count
        {
            completeJoin(group, now, &actions)
        }
    }

    func joinTimedOut(_ group: Group, _ now: CoordinatorTime, _ actions: inout [GroupAction]) {
        guard group.state == .preparingRebalance else { return }
        if var delay = group.initialDelay, delay.newMemberAdded, delay.latest > now.monotonicMilliseconds {
            delay.newMemberAdded = false
            group.initialDelay = delay
            let next = now.monotonicMilliseconds &+ Int64(configuration.initialRebalanceDelayMilliseconds)
            timers.set(.join(groupID: group.groupID), at: min(next, delay.latest))
        } else {
            completeJoin(group, now, &actions)
        }
    }

    /// The next generation, of those who have joined and the static members, who may be on their way back.
    private func completeJoin(_ group: Group, _ now: CoordinatorTime, _ actions: inout [GroupAction]) {
        group.initialDelay = nil
        timers.cancel(.join(groupID: group.groupID))
        for member in group.membersInOrder where member.waitingJoin == nil && member.groupInstanceID == nil {
            timers.cancel(.session(groupID: group.groupID, memberID: member.memberID))
            group.remove(member.memberID)
        }
        if !group.electJoinedLeader() && !group.members.isEmpty {
            // Static members only, and none of them is here: wait until one comes or their sessions end.
            timers.set(
                .join(groupID: group.groupID), at: now.monotonicMilliseconds &+ max(group.rebalanceTimeoutMilliseconds, 1))
            return
        }
        group.generation = group.generation == .max ? 1 : group.generation + 1
        group.pendingSyncMembers = []
        if group.members.isEmpty {
            becomeEmpty(group, now, &actions)
        } else {
            group.state = .completingRebalance
            group.protocolName = group.selectProtocol()
            inviteToSync(group, now, &actions)
        }
    }

    private func becomeEmpty(_ group: Group, _ now: CoordinatorTime, _ actions: inout [GroupAction]) {
        group.state = .empty
        group.protocolName = nil
        group.leaderID = nil
        group.stateTimestamp = now.wallMilliseconds
        actions.append(.persist([GroupRecordFormat.group(group)]))
    }

    private func inviteToSync(_ group: Group, _ now: CoordinatorTime, _ actions: inout [GroupAction]) {
        let members = group.joinedMembers
        for member in group.membersInOrder {
            if let token = member.waitingJoin {
                let isLeader = group.isLeader(member.memberID)
                actions.append(
                    .reply(token, .joinGroup(joined(group, member.memberID, members: isLeader ? members : []))))
            }
            group.update(member.memberID) {
                $0.waitingJoin = nil
                $0.isNew = false
            }
            extendSession(group, member.memberID, now)
            group.pendingSyncMembers.insert(member.memberID)
        }
        timers.set(.sync(groupID: group.groupID), at: now.monotonicMilliseconds &+ group.rebalanceTimeoutMilliseconds)
    }
}
