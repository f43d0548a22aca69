import KafkaLog
import KafkaLogProtocol
import Testing

private func joinRequest(_ group: String, member: String, instance: String? = nil) -> JoinGroupRequest {
    JoinGroupRequest {
        $0.groupID = group
        $0.sessionTimeoutMilliseconds = 30_000
        $0.rebalanceTimeoutMilliseconds = 30_000
        $0.memberID = member
        $0.groupInstanceID = instance
        $0.protocolType = "consumer"
        $0.protocols = [.init { $0.name = "range"; $0.metadata = Bytes([1, 2, 3]) }]
    }
}

private func syncRequest(_ group: String, _ joined: JoinGroupResponse, _ assignments: [(String, [UInt8])]) -> SyncGroupRequest {
    SyncGroupRequest {
        $0.groupID = group
        $0.generation = joined.generation
        $0.memberID = joined.memberID
        $0.protocolType = "consumer"
        $0.protocolName = "range"
        $0.assignments = assignments.map { member, bytes in .init { $0.memberID = member; $0.assignment = Bytes(bytes) } }
    }
}

extension TestClient {
    /// Joins as a new member: asks for an id, then joins with it.
    fileprivate func join(_ group: String) throws -> JoinGroupResponse {
        let refused = try ask(joinRequest(group, member: ""))
        guard refused.errorCode == .memberIDRequired else { throw ConnectionClosed() }
        return try ask(joinRequest(group, member: refused.memberID))
    }

    fileprivate func heartbeat(_ group: String, _ joined: JoinGroupResponse) throws -> ErrorCode {
        try ask(
            HeartbeatRequest {
                $0.groupID = group
                $0.generation = joined.generation
                $0.memberID = joined.memberID
            }
        ).errorCode
    }
}

@Test func twoMembersShareAGroup() throws {
    let log = try TestLog()
    let one = try log.client(), two = try log.client()
    let alone = try one.join("g")
    #expect(alone.errorCode == .none && alone.leader == alone.memberID && alone.members.count == 1)
    #expect(try one.ask(syncRequest("g", alone, [(alone.memberID, [9])])).assignment == Bytes([9]))

    let id = try two.ask(joinRequest("g", member: "")).memberID
    try two.send(joinRequest("g", member: id))
    // The second member waits for the first one to notice. Its request is on another connection, so it may take a moment.
    while try one.heartbeat("g", alone) == .none {}
    #expect(try one.heartbeat("g", alone) == .rebalanceInProgress)
    let leader = try one.ask(joinRequest("g", member: alone.memberID))
    let follower = try two.receive(JoinGroupRequest.self).response
    #expect(leader.generation == alone.generation + 1 && follower.generation == leader.generation)
    #expect(leader.members.count == 2 && follower.members.isEmpty)

    try two.send(syncRequest("g", follower, []))
    let assignments: [(String, [UInt8])] = [(leader.memberID, [1]), (follower.memberID, [2])]
    #expect(try one.ask(syncRequest("g", leader, assignments)).assignment == Bytes([1]))
    #expect(try two.receive(SyncGroupRequest.self).response.assignment == Bytes([2]))

    let described = try one.ask(DescribeGroupsRequest { $0.groups = ["g"] }).groups[0]
    #expect(described.groupState == "Stable" && described.members.count == 2)
    #expect(try one.ask(ListGroupsRequest { $0.statesFilter = ["stable"] }).groups.map(\.groupID) == ["g"])
    #expect(try one.ask(DeleteGroupsRequest { $0.groups = ["g"] }).results[0].errorCode == .nonEmptyGroup)

    let left = try two.ask(LeaveGroupRequest { $0.groupID = "g"; $0.members = [.init { $0.memberID = follower.memberID }] })
    #expect(left.errorCode == .none && left.members[0].errorCode == .none)
    #expect(try one.heartbeat("g", leader) == .rebalanceInProgress)
}

@Test func membersGoOnAfterARestart() throws {
    let log = try TestLog()
    let before = try log.client()
    let joined = try before.join("g")
    _ = try before.ask(syncRequest("g", joined, [(joined.memberID, [9])]))
    try log.restart()
    let after = try log.client()
    #expect(try after.heartbeat("g", joined) == .none)
    #expect(try after.ask(syncRequest("g", joined, [])).assignment == Bytes([9]))
}

@Test func offsetsKeepTheirMetadataAndSurvive() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t", partitions: 2)
    let committed = try client.ask(
        OffsetCommitRequest {
            $0.groupID = "g"
            $0.topics = [
                .init {
                    $0.name = "t"
                    $0.partitions = [
                        .init { $0.index = 1; $0.committedOffset = 42; $0.committedMetadata = "m1:7:abc" },
                        .init { $0.index = 5; $0.committedOffset = 1 },
                    ]
                }
            ]
        })
    #expect(committed.topics[0].partitions.map(\.errorCode) == [.none, .unknownTopicOrPartition])
    try log.restart()
    let again = try log.client()
    let all = try again.ask(OffsetFetchRequest { $0.groups = [.init { $0.groupID = "g"; $0.topics = nil }] }).groups[0]
    #expect(all.topics.count == 1)
    #expect(all.topics[0].partitions.map(\.committedOffset) == [42] && all.topics[0].partitions[0].metadata == "m1:7:abc")
    let chosen = try again.ask(
        OffsetFetchRequest { $0.groupID = "g"; $0.topics = [.init { $0.name = "t"; $0.partitionIndexes = [0, 1] }] }, version: 5)
    #expect(chosen.topics[0].partitions.map(\.committedOffset) == [-1, 42])
}

@Test func theOffsetsOfADeletedTopicAreForgotten() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    _ = try client.ask(
        OffsetCommitRequest {
            $0.groupID = "g"
            $0.topics = [.init { $0.name = "t"; $0.partitions = [.init { $0.committedOffset = 3 }] }]
        })
    _ = try client.ask(DeleteTopicsRequest { $0.topics = [.init { $0.name = "t" }] })
    try client.createTopic("t")
    let fetched = try client.ask(
        OffsetFetchRequest { $0.groups = [.init { $0.groupID = "g"; $0.topics = [.init { $0.name = "t"; $0.partitionIndexes = [0] }] }] })
    #expect(fetched.groups[0].topics[0].partitions[0].committedOffset == -1)
}
