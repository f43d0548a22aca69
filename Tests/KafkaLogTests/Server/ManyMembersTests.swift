import KafkaLog
import KafkaLogProtocol
import Testing

private func join(_ group: String, _ memberID: String) -> JoinGroupRequest {
    JoinGroupRequest {
        $0.groupID = group
        $0.sessionTimeoutMilliseconds = 60_000
        $0.rebalanceTimeoutMilliseconds = 60_000
        $0.memberID = memberID
        $0.protocolType = "consumer"
        $0.protocols = [.init { $0.name = "range" }]
    }
}

private func sync(_ group: String, _ joined: JoinGroupResponse, _ assignments: [(String, [UInt8])]) -> SyncGroupRequest {
    SyncGroupRequest {
        $0.groupID = group
        $0.generation = joined.generation
        $0.memberID = joined.memberID
        $0.protocolType = "consumer"
        $0.protocolName = "range"
        $0.assignments = assignments.map { member, bytes in .init { $0.memberID = member; $0.assignment = Bytes(bytes) } }
    }
}

private func heartbeat(_ group: String, _ joined: JoinGroupResponse) -> HeartbeatRequest {
    HeartbeatRequest {
        $0.groupID = group
        $0.generation = joined.generation
        $0.memberID = joined.memberID
    }
}

@Test(.timeLimit(.minutes(10))) func aHundredMembersOnAHundredConnectionsShareAGroup() throws {
    let log = try TestLog()
    let count = 100
    let clients = try (0..<count).map { _ in try log.client() }, observer = try log.client()
    let ids = try clients.map { try $0.ask(join("g", "")).memberID }
    #expect(Set(ids).count == count)
    // The first is alone, and waited for by the others until it joins again.
    #expect(try clients[0].ask(join("g", ids[0])).members.count == 1)
    for index in 1..<count { try clients[index].send(join("g", ids[index])) }
    while try observer.ask(DescribeGroupsRequest { $0.groups = ["g"] }).groups[0].members.count < count {}
    try clients[0].send(join("g", ids[0]))
    let joined = try clients.map { try $0.receive(JoinGroupRequest.self).response }
    #expect(joined.allSatisfy { $0.errorCode == .none && $0.generation == joined[0].generation && $0.leader == joined[0].leader })
    let leaders = joined.filter { !$0.members.isEmpty }
    #expect(leaders.count == 1 && Set(leaders[0].members.map(\.memberID)) == Set(ids))

    let assignments = ids.enumerated().map { ($0.element, [UInt8($0.offset)]) }
    for (client, answer) in zip(clients, joined) { try client.send(sync("g", answer, answer.members.isEmpty ? [] : assignments)) }
    for (index, client) in clients.enumerated() {
        let synced = try client.receive(SyncGroupRequest.self).response
        #expect(synced.errorCode == .none && synced.assignment == Bytes([UInt8(index)]))
    }
    // All of them live on, and one that leaves calls all of them together again.
    for (client, answer) in zip(clients, joined) { #expect(try client.ask(heartbeat("g", answer)).errorCode == .none) }
    _ = try observer.ask(LeaveGroupRequest { $0.groupID = "g"; $0.members = [.init { $0.memberID = ids[50] }] })
    for index in 0..<count where index != 50 {
        #expect(try clients[index].ask(heartbeat("g", joined[index])).errorCode == .rebalanceInProgress)
    }
    #expect(try clients[50].ask(heartbeat("g", joined[50])).errorCode == .unknownMemberID)
}

@Test(.timeLimit(.minutes(10))) func aThousandGroupsLiveSideBySideAndOutliveARestart() throws {
    let log = try TestLog { $0.fsync = .never }
    let names = (0..<1_000).map { "group-\(1_000 + $0)" }
    let client = try log.client()
    try client.createTopic("t")
    var members: [JoinGroupResponse] = []
    for name in names {
        let joined = try client.ask(join(name, try client.ask(join(name, "")).memberID))
        #expect(try client.ask(sync(name, joined, [(joined.memberID, [1])])).errorCode == .none)
        members.append(joined)
    }
    for (index, name) in names.enumerated() {
        let committed = try client.ask(
            OffsetCommitRequest {
                $0.groupID = name
                $0.generation = members[index].generation
                $0.memberID = members[index].memberID
                $0.topics = [.init { $0.name = "t"; $0.partitions = [.init { $0.committedOffset = Int64(index) }] }]
            })
        #expect(committed.topics[0].partitions[0].errorCode == .none)
    }
    try log.restart()
    let again = try log.client()
    let listed = try again.ask(ListGroupsRequest { $0.statesFilter = ["Stable"] }).groups
    #expect(listed.map(\.groupID) == names)
    let fetched = try again.ask(OffsetFetchRequest { $0.groups = names.map { name in .init { $0.groupID = name; $0.topics = nil } } })
    #expect(fetched.groups.map { $0.topics[0].partitions[0].committedOffset } == (0..<1_000).map(Int64.init))
    for (name, member) in zip(names, members) { #expect(try again.ask(heartbeat(name, member)).errorCode == .none) }
}
