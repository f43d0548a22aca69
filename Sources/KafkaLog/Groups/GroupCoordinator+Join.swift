import KafkaLogCoordination

extension GroupCoordinator {
    /// JoinGroup. Answered when the rebalance that it causes or takes part in has gathered its members.
    package func joinGroup(_ request: JoinGroupRequest, _ token: RequestToken, _ now: CoordinatorTime) -> [GroupAction] {
        var actions: [GroupAction] = []
        do throws(GroupError) {
            try check(groupID: request.groupID)
            try check(request)
            let isNew = request.memberID.isEmpty
            guard let group = isNew ? try groupOrNew(request.groupID) : groups[request.groupID] else { throw .unknownMemberID }
            if !hasRoom(group, request) {
                forgetMember(group, request.memberID, .groupMaxSizeReached, &actions)
                refuse(token, .groupMaxSizeReached, memberID: "", &actions)
            } else if isNew {
                joinAsNew(group, request, token, now, &actions)
            } else {
                joinAsCurrent(group, request, token, now, &actions)
            }
            completeJoinIfAllJoined(group, now, &actions)
            dropIfUnused(group)
        } catch {
            refuse(token, error, memberID: request.memberID, &actions)
        }
        return actions
    }

    private func check(_ request: JoinGroupRequest) throws(GroupError) {
        let sessionTimeouts = configuration.minimumSessionTimeoutMilliseconds...configuration.maximumSessionTimeoutMilliseconds
        guard sessionTimeouts.contains(request.sessionTimeoutMilliseconds) else { throw .invalidSessionTimeout }
        let bytes = request.protocols.reduce(0) { $0 + $1.byteCount }
        guard bytes <= configuration.maximumMemberMetadataBytes, request.rebalanceTimeoutMilliseconds >= 0 else {
            throw .invalidRequest
        }
    }

    /// During a rebalance those who have joined count, so that whoever comes last is turned away.
    private func hasRoom(_ group: Group, _ request: JoinGroupRequest) -> Bool {
        if request.memberID.isEmpty, let instance = request.groupInstanceID, group.staticMembers[instance] != nil { return true }
        if !group.has(request.memberID), isFull || usage.bytes > configuration.maximumMemoryBytes { return false }
        // The leader is told of what all brought, and it has to fit into one journal entry.
        let before = group.members[request.memberID]?.protocols.reduce(0) { $0 + $1.byteCount } ?? 0
        let after = request.protocols.reduce(0) { $0 + $1.byteCount }
        if after > before, group.memberBytes + after - before > configuration.maximumGroupRecordBytes { return false }
        let limit = configuration.maximumMembers
        if request.memberID.isEmpty, request.requiresKnownMemberID, group.pendingMembers.count >= limit { return false }
        switch group.state {
        case .empty, .dead: return true
        case .preparingRebalance:
            return group.members[request.memberID]?.waitingJoin != nil || group.waitingJoinCount < limit
        case .completingRebalance, .stable:
            return group.has(request.memberID) || group.members.count < limit
        }
    }

    private func joinAsNew(
        _ group: Group, _ request: JoinGroupRequest, _ token: RequestToken, _ now: CoordinatorTime,
        _ actions: inout [GroupAction]
    ) {
        guard group.supports(protocolType: request.protocolType, request.protocols) else {
            return refuse(token, .inconsistentGroupProtocol, memberID: "", &actions)
        }
        // A name may be as long as a member id: with what is added it would be too long to be written.
        let memberID = newMemberID(String((request.groupInstanceID ?? request.clientID).unicodeScalars.prefix(Self.memberIDPrefix)))
        if let instance = request.groupInstanceID {
            if group.staticMembers[instance] != nil {
                returnStaticMember(group, instance, memberID, request, token, now, &actions)
            } else {
                addMember(group, memberID, request, token, now, &actions)
            }
        } else if request.requiresKnownMemberID {
            group.pendingMembers.insert(memberID)
            timers.set(
                .pendingMember(groupID: group.groupID, memberID: memberID),
                at: now.monotonicMilliseconds &+ Int64(request.sessionTimeoutMilliseconds))
            refuse(token, .memberIDRequired, memberID: memberID, &actions)
        } else {
            addMember(group, memberID, request, token, now, &actions)
        }
    }

    private func joinAsCurrent(
        _ group: Group, _ request: JoinGroupRequest, _ token: RequestToken, _ now: CoordinatorTime,
        _ actions: inout [GroupAction]
    ) {
        let memberID = request.memberID
        guard group.supports(protocolType: request.protocolType, request.protocols) else {
            return refuse(token, .inconsistentGroupProtocol, memberID: memberID, &actions)
        }
        // Ids that are waiting to be used are never static: a static member does not have to ask for one.
        if request.groupInstanceID == nil, group.pendingMembers.contains(memberID) {
            timers.cancel(.pendingMember(groupID: group.groupID, memberID: memberID))
            return addMember(group, memberID, request, token, now, &actions)
        }
        do throws(GroupError) {
            try checkMember(group, memberID, request.groupInstanceID)
        } catch {
            return refuse(token, error, memberID: memberID, &actions)
        }
        let isUnchanged = group.members[memberID]?.protocols == request.protocols
        switch group.state {
        case .preparingRebalance:
            updateMember(group, memberID, request, token, now, &actions)
        case .completingRebalance where isUnchanged, .stable where isUnchanged && !group.isLeader(memberID):
            // It has missed the answer, or wants to look again: the present generation.
            let isToldMembers = group.state == .completingRebalance && group.isLeader(memberID)
            extendSession(group, memberID, now)
            actions.append(
                .reply(token, .joinGroup(joined(group, memberID, members: isToldMembers ? group.joinedMembers : []))))
        case .completingRebalance, .stable:
            // Something changed, or the leader wants to assign anew (the topics' partitions may have changed).
            updateMember(group, memberID, request, token, now, &actions)
        case .empty, .dead:
            refuse(token, .unknownMemberID, memberID: memberID, &actions)
        }
    }

    private func addMember(
        _ group: Group, _ memberID: String, _ request: JoinGroupRequest, _ token: RequestToken, _ now: CoordinatorTime,
        _ actions: inout [GroupAction]
    ) {
        var member = GroupMember(
            memberID: memberID, groupInstanceID: request.groupInstanceID, clientID: request.clientID,
            clientHost: request.clientHost, rebalanceTimeoutMilliseconds: request.rebalanceTimeoutMilliseconds,
            sessionTimeoutMilliseconds: request.sessionTimeoutMilliseconds, protocols: request.protocols)
        member.waitingJoin = token
        member.isNew = true
        group.add(member, protocolType: request.protocolType)
        group.initialDelay?.newMemberAdded = true
        // It cannot send heartbeats before it knows its id, and a client that gave up and asked again is a second member.
        timers.set(
            .session(groupID: group.groupID, memberID: memberID),
            at: now.monotonicMilliseconds &+ Int64(configuration.newMemberJoinTimeoutMilliseconds))
        prepareRebalanceIfPossible(group, now, &actions)
    }

    private func updateMember(
        _ group: Group, _ memberID: String, _ request: JoinGroupRequest, _ token: RequestToken, _ now: CoordinatorTime,
        _ actions: inout [GroupAction]
    ) {
        rejoin(group, memberID, request, token, &actions)
        if group.members[memberID]?.isNew == false { extendSession(group, memberID, now) }
        prepareRebalanceIfPossible(group, now, &actions)
    }

    /// What the member offers from now on. Its JoinGroup waits.
    private func rejoin(
        _ group: Group, _ memberID: String, _ request: JoinGroupRequest, _ token: RequestToken, _ actions: inout [GroupAction]
    ) {
        if let replaced = group.members[memberID]?.waitingJoin {
            refuse(replaced, .rebalanceInProgress, memberID: memberID, &actions)
        }
        group.update(memberID) {
            $0.protocols = request.protocols
            $0.rebalanceTimeoutMilliseconds = request.rebalanceTimeoutMilliseconds
            $0.sessionTimeoutMilliseconds = request.sessionTimeoutMilliseconds
            $0.clientID = request.clientID
            $0.clientHost = request.clientHost
            $0.waitingJoin = token
        }
    }

    /// A static member is back under a new id. It goes on with its assignment, without a rebalance, unless what it brings
    /// would have led to another one.
    private func returnStaticMember(
        _ group: Group, _ instance: String, _ memberID: String, _ request: JoinGroupRequest, _ token: RequestToken,
        _ now: CoordinatorTime, _ actions: inout [GroupAction]
    ) {
        guard let oldID = group.staticMembers[instance], let old = group.members[oldID] else { return }
        let oldLeader = group.leaderID
        answerWaiting(group, oldID, .fencedInstanceID, &actions)
        timers.cancel(.session(groupID: group.groupID, memberID: oldID))
        group.replaceStaticMember(instance, with: memberID)
        rejoin(group, memberID, request, token, &actions)
        extendSession(group, memberID, now)

        switch group.state {
        case .stable:
            guard group.selectProtocol() == group.protocolName,
                !topicsChanged(group, from: old.protocols, to: request.protocols), let record = record(group)
            else { return prepareRebalance(group, now, &actions) }
            let isLeader = group.isLeader(memberID)
            var result: JoinGroupResult
            if request.supportsSkippingAssignment {
                result = joined(group, memberID, members: isLeader ? group.joinedMembers : [])
                result.skipAssignment = isLeader
            } else {
                // An older leader must not notice that it leads: a stable group has no use for its assignment.
                result = joined(group, memberID, members: [])
                result.leaderID = oldLeader ?? ""
            }
            group.update(memberID) { $0.waitingJoin = nil }
            actions.append(.persist([record]))
            actions.append(.replyWhenDurable(token, .joinGroup(result)))
        case .completingRebalance:
            // The leader was told the old id: its assignment would miss the new one.
            prepareRebalance(group, now, &actions)
        case .preparingRebalance, .empty, .dead:
            break
        }
    }

    private func topicsChanged(_ group: Group, from old: [GroupProtocol], to new: [GroupProtocol]) -> Bool {
        guard group.protocolType == ConsumerSubscription.protocolType else { return false }
        func topics(_ protocols: [GroupProtocol]) -> Set<String>? {
            protocols.first { $0.name == group.protocolName }.flatMap { ConsumerSubscription.topics($0.metadata) }
        }
        return topics(old) != topics(new)
    }

    /// A JoinGroup answer that lets a member into the present generation.
    func joined(_ group: Group, _ memberID: String, members: [JoinGroupResult.Member]) -> JoinGroupResult {
        JoinGroupResult(
            error: .none, generation: group.generation, protocolType: group.protocolType, protocolName: group.protocolName,
            leaderID: group.leaderID ?? "", memberID: memberID, members: members)
    }

    func refuse(_ token: RequestToken, _ error: GroupError, memberID: String, _ actions: inout [GroupAction]) {
        actions.append(.reply(token, .joinGroup(JoinGroupResult(error: error, memberID: memberID))))
    }

    /// Characters (Unicode scalars) of the client's name in the id of a member.
    private static var memberIDPrefix: Int { 255 }

    /// Kafka's form: what the client is called, and a UUID.
    private func newMemberID(_ prefix: String) -> String {
        func hexadecimal(_ value: UInt64, _ digits: Int) -> String {
            let text = String(value, radix: 16)
            return String(repeating: "0", count: digits - text.count) + text
        }
        let high: UInt64 = random.next()
        let low: UInt64 = random.next()
        return prefix + "-" + hexadecimal(high >> 32, 8) + "-" + hexadecimal(high >> 16 & 0xffff, 4) + "-"
            + hexadecimal(high & 0x0fff | 0x4000, 4) + "-" + hexadecimal(low >> 48 & 0x3fff | 0x8000, 4) + "-"
            + hexadecimal(low & 0xffff_ffff_ffff, 12)
    }
}
