import KafkaLogCoordination
import KafkaLogGroups
import KafkaLogProtocol

extension Broker {
    func joinGroup(_ request: JoinGroupRequest, _ reply: Reply<JoinGroupRequest>) {
        perform(
            groups.joinGroup(
                .init(
                    groupID: request.groupID, memberID: request.memberID, groupInstanceID: request.groupInstanceID,
                    clientID: reply.connection.clientID, clientHost: reply.connection.shownHost,
                    sessionTimeoutMilliseconds: request.sessionTimeoutMilliseconds,
                    rebalanceTimeoutMilliseconds: reply.version == 0
                        ? request.sessionTimeoutMilliseconds : request.rebalanceTimeoutMilliseconds,
                    protocolType: request.protocolType,
                    protocols: request.protocols.map { .init(name: $0.name, metadata: $0.metadata.array) },
                    requiresKnownMemberID: reply.version >= 4, supportsSkippingAssignment: reply.version >= 9),
                token(for: .joinGroup(reply)), coordinatorTime))
    }

    func syncGroup(_ request: SyncGroupRequest, _ reply: Reply<SyncGroupRequest>) {
        perform(
            groups.syncGroup(
                .init(
                    groupID: request.groupID, generation: request.generation, memberID: request.memberID,
                    groupInstanceID: request.groupInstanceID, protocolType: request.protocolType, protocolName: request.protocolName,
                    assignments: request.assignments.map { ($0.memberID, $0.assignment.array) }),
                token(for: .syncGroup(reply)), coordinatorTime))
    }

    func heartbeat(_ request: HeartbeatRequest, _ reply: Reply<HeartbeatRequest>) {
        perform(
            groups.heartbeat(
                groupID: request.groupID, memberID: request.memberID, groupInstanceID: request.groupInstanceID,
                generation: request.generation, token(for: .heartbeat(reply)), coordinatorTime))
    }

    func leaveGroup(_ request: LeaveGroupRequest, _ reply: Reply<LeaveGroupRequest>) {
        let members: [LeavingMember] =
            reply.version < 3
            ? [LeavingMember(memberID: request.memberID)]
            : request.members.map { LeavingMember(memberID: $0.memberID, groupInstanceID: $0.groupInstanceID) }
        perform(groups.leaveGroup(groupID: request.groupID, members, token(for: .leaveGroup(reply)), coordinatorTime))
    }

    func deleteGroups(_ request: DeleteGroupsRequest, _ reply: Reply<DeleteGroupsRequest>) {
        perform(groups.deleteGroups(request.groups, token(for: .deleteGroups(reply))))
    }

    func listGroups(_ request: ListGroupsRequest, _ reply: Reply<ListGroupsRequest>) {
        let states = request.statesFilter.map { $0.lowercased() }
        let types = request.typesFilter.map { $0.lowercased() }
        // There are no groups of another type (KIP-848, KIP-932).
        guard types.isEmpty || types.contains(Broker.groupType) else { return answer(reply, ListGroupsResponse()) }
        answer(reply) { response in
            response.groups = groups.list()
                .filter { states.isEmpty || states.contains($0.state.rawValue.lowercased()) }
                .map { group in
                    .init {
                        $0.groupID = group.groupID
                        $0.protocolType = group.protocolType
                        $0.groupState = group.state.rawValue
                        $0.groupType = Broker.groupType
                    }
                }
        }
    }

    private static let groupType = "classic"

    func describeGroups(_ request: DescribeGroupsRequest, _ reply: Reply<DescribeGroupsRequest>) {
        answer(reply) { response in
            response.groups = request.groups.unique.map { id in
                let group = groups.describe(groupID: id)
                return .init {
                    $0.errorCode = ErrorCode(rawValue: group.error.rawValue)
                    if reply.version >= 6, group.state == .dead {
                        $0.errorCode = .groupIDNotFound
                        $0.errorMessage = "there is no group \(id)"
                    }
                    $0.groupID = id
                    $0.groupState = group.state.rawValue
                    $0.protocolType = group.protocolType
                    $0.protocolData = group.protocolName
                    $0.members = group.members.map { member in
                        .init {
                            $0.memberID = member.memberID
                            $0.groupInstanceID = member.groupInstanceID
                            $0.clientID = member.clientID
                            $0.clientHost = member.clientHost
                            $0.memberMetadata = Bytes(member.metadata)
                            $0.memberAssignment = Bytes(member.assignment)
                        }
                    }
                }
            }
        }
    }

    /// Answers a request of the group coordinator in the form that its version has.
    func answer(_ token: RequestToken, _ result: GroupReply) {
        switch (coordinatorReplies.removeValue(forKey: token), result) {
        case (.joinGroup(let reply), .joinGroup(let result)): answer(reply, joinGroupResponse(result))
        case (.syncGroup(let reply), .syncGroup(let result)):
            answer(reply) {
                $0.errorCode = ErrorCode(rawValue: result.error.rawValue)
                $0.protocolType = result.protocolType
                $0.protocolName = result.protocolName
                $0.assignment = Bytes(result.assignment)
            }
        case (.heartbeat(let reply), .heartbeat(let error)): answer(reply) { $0.errorCode = ErrorCode(rawValue: error.rawValue) }
        case (.leaveGroup(let reply), .leaveGroup(let result)): answer(reply, leaveGroupResponse(result, version: reply.version))
        case (.offsetCommit(let reply, var outline), .offsetCommit(let results)):
            outline.merge(results)
            answer(reply, offsetCommitResponse(outline))
        case (.transactionOffsetCommit(let reply, var outline), .transactionOffsetCommit(let results)):
            outline.merge(results)
            answer(reply, transactionOffsetCommitResponse(outline))
        case (.offsetDelete(let reply), .offsetDelete(let result)): answer(reply, offsetDeleteResponse(result))
        case (.deleteGroups(let reply), .deleteGroups(let results)):
            answer(reply) { response in
                response.results = results.map { result in
                    .init {
                        $0.groupID = result.groupID
                        $0.errorCode = ErrorCode(rawValue: result.error.rawValue)
                    }
                }
            }
        case (nil, _): break
        case (_?, _): preconditionFailure("the group coordinator gave a request the answer of another")
        }
    }

    private func joinGroupResponse(_ result: JoinGroupResult) -> JoinGroupResponse {
        JoinGroupResponse {
            $0.errorCode = ErrorCode(rawValue: result.error.rawValue)
            $0.generation = result.generation
            $0.protocolType = result.protocolType
            $0.protocolName = result.protocolName
            $0.leader = result.leaderID
            $0.skipAssignment = result.skipAssignment
            $0.memberID = result.memberID
            $0.members = result.members.map { member in
                .init {
                    $0.memberID = member.memberID
                    $0.groupInstanceID = member.groupInstanceID
                    $0.metadata = Bytes(member.metadata)
                }
            }
        }
    }

    private func leaveGroupResponse(_ result: LeaveGroupResult, version: Int16) -> LeaveGroupResponse {
        LeaveGroupResponse {
            let error = version < 3 && result.error == .none ? result.members.first?.error ?? .none : result.error
            $0.errorCode = ErrorCode(rawValue: error.rawValue)
            $0.members = result.members.map { left in
                .init {
                    $0.memberID = left.member.memberID
                    $0.groupInstanceID = left.member.groupInstanceID
                    $0.errorCode = ErrorCode(rawValue: left.error.rawValue)
                }
            }
        }
    }
}

extension Connection {
    /// The address that it comes from, without the port, as brokers show it to administrators.
    fileprivate var shownHost: String { "/" + (peer.lastIndex(of: ":").map { String(peer[..<$0]) } ?? peer) }
}
