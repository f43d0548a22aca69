import KafkaLogCoordination

extension GroupCoordinator {
    /// Heartbeat.
    package func heartbeat(
        groupID: String, memberID: String, groupInstanceID: String?, generation: Int32, _ token: RequestToken,
        _ now: CoordinatorTime
    ) -> [GroupAction] {
        var error = GroupError.none
        do throws(GroupError) {
            try check(groupID: groupID)
            guard let group = groups[groupID] else { throw .unknownMemberID }
            try checkMember(group, memberID, groupInstanceID)
            guard generation == group.generation else { throw .illegalGeneration }
            extendSession(group, memberID, now)
            if group.state == .preparingRebalance { throw .rebalanceInProgress }
        } catch let refusal {
            error = refusal
        }
        return [.reply(token, .heartbeat(error))]
    }

    /// LeaveGroup, of several members at once from version 3 on.
    package func leaveGroup(
        groupID: String, _ leaving: [LeavingMember], _ token: RequestToken, _ now: CoordinatorTime
    ) -> [GroupAction] {
        var actions: [GroupAction] = []
        var result = LeaveGroupResult(error: .none)
        do throws(GroupError) {
            try check(groupID: groupID)
            for member in leaving {
                let error = leave(groupID, member, now, &actions)
                result.members.append(LeaveGroupResult.Member(member: member, error: error))
            }
        } catch {
            result.error = error
        }
        actions.append(.reply(token, .leaveGroup(result)))
        return actions
    }

    private func leave(
        _ groupID: String, _ member: LeavingMember, _ now: CoordinatorTime, _ actions: inout [GroupAction]
    ) -> GroupError {
        guard let group = groups[groupID] else { return .unknownMemberID }
        if member.memberID.isEmpty {
            guard let id = member.groupInstanceID.flatMap({ group.staticMembers[$0] }) else { return .unknownMemberID }
            removeMember(group, id, now, &actions)
        } else if group.pendingMembers.contains(member.memberID) {
            removePendingMember(group, member.memberID, now, &actions)
        } else {
            do throws(GroupError) {
                try checkMember(group, member.memberID, member.groupInstanceID)
            } catch {
                return error
            }
            removeMember(group, member.memberID, now, &actions)
        }
        return .none
    }

    func sessionTimedOut(_ group: Group, _ memberID: String, _ now: CoordinatorTime, _ actions: inout [GroupAction]) {
        guard let member = group.members[memberID] else { return }
        if !member.isNew && (member.waitingJoin != nil || member.waitingSync != nil) {
            // It is us who let it wait.
            extendSession(group, memberID, now)
        } else {
            removeMember(group, memberID, now, &actions)
        }
    }

    private func removeMember(_ group: Group, _ memberID: String, _ now: CoordinatorTime, _ actions: inout [GroupAction]) {
        forgetMember(group, memberID, .unknownMemberID, &actions)
        switch group.state {
        case .stable, .completingRebalance: prepareRebalance(group, now, &actions)
        case .preparingRebalance: completeJoinIfAllJoined(group, now, &actions)
        case .empty, .dead: break
        }
    }

    func removePendingMember(_ group: Group, _ memberID: String, _ now: CoordinatorTime, _ actions: inout [GroupAction]) {
        guard group.pendingMembers.remove(memberID) != nil else { return }
        timers.cancel(.pendingMember(groupID: group.groupID, memberID: memberID))
        completeJoinIfAllJoined(group, now, &actions)
        dropIfUnused(group)
    }

    /// Takes a member out, and nothing more. What it waited for is answered with `error`.
    func forgetMember(_ group: Group, _ memberID: String, _ error: GroupError, _ actions: inout [GroupAction]) {
        answerWaiting(group, memberID, error, &actions)
        timers.cancel(.session(groupID: group.groupID, memberID: memberID))
        timers.cancel(.pendingMember(groupID: group.groupID, memberID: memberID))
        group.remove(memberID)
    }

    /// Answers what the member waits for.
    func answerWaiting(_ group: Group, _ memberID: String, _ error: GroupError, _ actions: inout [GroupAction]) {
        guard let member = group.members[memberID] else { return }
        if let token = member.waitingJoin {
            refuse(token, error, memberID: error == .unknownMemberID ? "" : memberID, &actions)
        }
        if let token = member.waitingSync { actions.append(.reply(token, .syncGroup(SyncGroupResult(error: error)))) }
        group.update(memberID) {
            $0.waitingJoin = nil
            $0.waitingSync = nil
        }
    }
}
