import Foundation
import KafkaLog
import KafkaLogProtocol
import KafkaLogStorage
import Testing

/// Bytes of memory that the process holds (Linux: resident pages).
private func residentBytes() -> Int {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
    return (Int(text.split(separator: " ")[1]) ?? 0) * 4096
}

private func join(
    _ group: String, _ metadata: Int = 10, client: String? = nil, memberID: String = "", instance: String? = nil, protocols: Int = 1
) -> JoinGroupRequest {
    JoinGroupRequest {
        $0.groupID = group
        $0.memberID = memberID
        $0.groupInstanceID = instance
        $0.sessionTimeoutMilliseconds = 60_000
        $0.rebalanceTimeoutMilliseconds = 60_000
        $0.protocolType = "consumer"
        $0.protocols = (0..<protocols).map { number in
            .init { $0.name = "p\(number)"; $0.metadata = Bytes([UInt8](repeating: 1, count: metadata)) }
        }
    }
}

private func commit(_ group: String, partition: Int32 = 0, metadata: String = "") -> OffsetCommitRequest {
    OffsetCommitRequest {
        $0.groupID = group
        $0.topics = [.init { $0.name = "t"; $0.partitions = [.init { $0.index = partition; $0.committedMetadata = metadata }] }]
    }
}

extension OffsetCommitResponse {
    fileprivate var first: ErrorCode { topics[0].partitions[0].errorCode }
}

@Test func whatIsNamedAgainAndAgainIsAnsweredOnce() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t", partitions: 100)
    for partition in Int32(0)..<100 {
        #expect(try client.ask(commit("g", partition: partition, metadata: String(repeating: "m", count: 4_000))).first == .none)
    }
    let many = 100_000
    let before = residentBytes()
    #expect(try client.ask(MetadataRequest { $0.topics = (0..<many).map { _ in .init { $0.name = "t" } } }).topics.count == 1)
    #expect(try client.ask(DescribeGroupsRequest { $0.groups = .init(repeating: "g", count: many) }).groups.count == 1)
    #expect(try client.ask(DescribeTransactionsRequest { $0.transactionalIDs = .init(repeating: "x", count: many) }).transactions.count == 1)
    let resource = DescribeConfigsRequest.Resource { $0.resourceType = 2; $0.resourceName = "t"; $0.configurationKeys = nil }
    #expect(try client.ask(DescribeConfigsRequest { $0.resources = .init(repeating: resource, count: many) }).results.count == 1)
    let group = OffsetFetchRequest.Group { $0.groupID = "g"; $0.topics = nil }
    let offsets = try client.ask(OffsetFetchRequest { $0.groups = .init(repeating: group, count: 1_000) })
    #expect(offsets.groups.allSatisfy { $0.errorCode == .invalidRequest && $0.topics.isEmpty })
    let partitions = OffsetFetchRequest.Topic { $0.name = "t"; $0.partitionIndexes = .init(repeating: 7, count: many) }
    let fetched = try client.ask(OffsetFetchRequest { $0.groups = [.init { $0.groupID = "g"; $0.topics = [partitions] }] })
    #expect(fetched.groups[0].topics[0].partitions.count == 1)
    // Answered in full these are 260 MB to 40 GB.
    #expect(residentBytes() - before < 250 << 20)
}

@Test func aFetchOfMorePartitionsThanThereCanBeIsRefused() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    var request = TestClient.fetchRequest("t", from: 0, wait: 60_000)
    request.topics[0].partitions = .init(repeating: request.topics[0].partitions[0], count: 100_000)
    #expect(try client.ask(request).errorCode == .invalidRequest)
}

@Test func aLookUpByTimeOfAPartitionIsDoneOnceARequest() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    let wanted = ListOffsetsRequest.Topic.Partition { $0.index = 0; $0.timestamp = 5 }
    let response = try client.ask(
        ListOffsetsRequest { $0.topics = [.init { $0.name = "t"; $0.partitions = .init(repeating: wanted, count: 20_000) }] })
    #expect(response.topics[0].partitions.map(\.errorCode).filter { $0 == .none }.count == 1)
    #expect(response.topics[0].partitions.last?.errorCode == .invalidRequest)
}

@Test func deletingOffsetsOfManyPartitionsLooksAtTheSubscriptionOnceATopic() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    // A member that is subscribed to 60,000 topics of one letter: to read that takes milliseconds.
    var request = join("g")
    let topics = 60_000
    request.protocols[0].metadata = Bytes(
        [0, 1] + withUnsafeBytes(of: Int32(topics).bigEndian) { [UInt8]($0) } + (0..<topics).flatMap { _ in [0, 1, 0x75] as [UInt8] })
    let joined = try client.ask(request, version: 3)
    #expect(joined.errorCode == .none)
    _ = try client.ask(
        SyncGroupRequest {
            $0.groupID = "g"; $0.generation = joined.generation; $0.memberID = joined.memberID
            $0.assignments = [.init { $0.memberID = joined.memberID }]
        })
    let response = try client.ask(
        OffsetDeleteRequest {
            $0.groupID = "g"
            $0.topics = [.init { $0.name = "t"; $0.partitions = (0..<200_000).map { index in .init { $0.index = index } } }]
        })
    // Once a partition it would be half an hour, and the client gives up after 20 s.
    #expect(response.topics.reduce(0) { $0 + $1.partitions.count } == 200_000)
}

@Test func membersBeyondTheMemoryForThemAreTurnedAwayAndThoseThereGoOn() throws {
    let log = try TestLog { $0.groups.maximumMemoryBytes = 1 << 20 }
    let member = try log.client()
    let joined = try member.ask(join("g"), version: 3)
    #expect(joined.errorCode == .none)
    _ = try member.ask(
        SyncGroupRequest {
            $0.groupID = "g"; $0.generation = joined.generation; $0.memberID = joined.memberID
            $0.assignments = [.init { $0.memberID = joined.memberID }]
        })
    // Ids that are asked for and not used, and members with much to say.
    let flood = try log.client()
    var asked = 0
    while asked < 5_000, try flood.ask(join("flood\(asked % 100)"), version: 5).errorCode == .memberIDRequired { asked += 1 }
    #expect((500..<1_100).contains(asked))
    #expect(try flood.ask(join("large", 100_000), version: 3).errorCode == .groupMaxSizeReached)
    #expect(
        try member.ask(HeartbeatRequest { $0.groupID = "g"; $0.generation = joined.generation; $0.memberID = joined.memberID }).errorCode == .none)
}

@Test func aGroupWhoseMembersBringTooMuchTakesNoMore() throws {
    let log = try TestLog { $0.groups.maximumGroupRecordBytes = 1 << 20 }
    let clients = try (0..<4).map { _ in try log.client() }
    #expect(try clients[0].ask(join("g", 400_000), version: 3).errorCode == .none)
    try clients[1].send(join("g", 400_000), version: 3)
    // The second waits for the first to come again; a third is too much.
    #expect(try clients[2].ask(join("g", 400_000), version: 3).errorCode == .groupMaxSizeReached)
    #expect(try clients[3].ask(join("other", 400_000), version: 3).errorCode == .none)
}

@Test func protocolsWithoutNumberAreRefused() throws {
    let log = try TestLog()
    #expect(try log.client().ask(join("g", 0, protocols: 100_000), version: 3).errorCode == .invalidRequest)
}

@Test func theLongestNamesAreTakenAndCanBeGivenBack() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    let longest = String(repeating: "n", count: Int(Int16.max))
    // The member's id is made of its instance id.
    let joined = try client.ask(join(longest, instance: longest), version: 5)
    #expect(joined.errorCode == .none)
    #expect(joined.members.map(\.memberID) == [joined.memberID] && joined.memberID.utf8.count < 1_100)
    #expect(try client.ask(DescribeGroupsRequest { $0.groups = [longest] }).groups[0].members[0].groupInstanceID == longest)
    #expect(try client.ask(InitProducerIDRequest { $0.transactionalID = longest; $0.transactionTimeoutMilliseconds = 1_000 }).errorCode == .none)
    #expect(try client.ask(commit("g", metadata: String(repeating: "m", count: 4_097))).first == .offsetMetadataTooLarge)
    let topic = try client.ask(CreateTopicsRequest { $0.topics = [.init { $0.name = String(longest.prefix(300)); $0.numPartitions = 1; $0.replicationFactor = 1 }] })
    #expect(topic.topics[0].errorCode == .invalidTopic)
}

@Test func whenTheCoordinatorsAreFullWhatIsThereGoesOn() throws {
    let log = try TestLog { $0.limits.coordinatorBytes = 64 << 10 }
    let client = try log.client()
    try client.createTopic("t", partitions: 2)
    let metadata = String(repeating: "m", count: 4_000)
    #expect(try client.ask(InitProducerIDRequest { $0.transactionalID = "early"; $0.transactionTimeoutMilliseconds = 1_000 }).errorCode == .none)
    var groups = 0
    while groups < 1_000, try client.ask(commit("g\(groups)", metadata: metadata)).first == .none { groups += 1 }
    #expect((10..<20).contains(groups))
    #expect(try client.ask(commit("new")).first == .policyViolation)
    #expect(try client.ask(commit("g0", partition: 1)).first == .policyViolation)
    #expect(try client.ask(commit("g0", metadata: metadata)).first == .none)
    #expect(try client.ask(InitProducerIDRequest { $0.transactionalID = "late"; $0.transactionTimeoutMilliseconds = 1_000 }).errorCode == .policyViolation)
    #expect(try client.ask(InitProducerIDRequest { $0.transactionalID = "early"; $0.transactionTimeoutMilliseconds = 1_000 }).errorCode == .none)
    #expect(log.messages.contains { $0.contains("take all the room they may") })
    // A start finds it full as well; what is deleted makes room.
    try log.restart()
    let next = try log.client()
    #expect(try next.ask(commit("new")).first == .policyViolation)
    #expect(try next.ask(DeleteGroupsRequest { $0.groups = (0..<5).map { "g\($0)" } }).results.allSatisfy { $0.errorCode == .none })
    #expect(try next.ask(commit("new")).first == .none)
}

@Test func answersThatNobodyReadsAreBoundedForAllConnectionsTogether() throws {
    let log = try TestLog {
        $0.limits.outputBytes = 1 << 20
        $0.limits.answerBytes = 3 << 20
    }
    let client = try log.client()
    try client.createTopic("t", partitions: 25)
    for partition in Int32(0)..<25 { _ = try client.ask(commit("g", partition: partition, metadata: String(repeating: "m", count: 4_000))) }
    let all = OffsetFetchRequest { $0.groups = [.init { $0.groupID = "g"; $0.topics = nil }] }
    // Each holds a megabyte of answers, beyond what the sockets take.
    let slow = try (0..<8).map { _ in try log.client(receiveBuffer: 64 << 10) }
    for connection in slow { for _ in 0..<200 { try connection.send(all) } }
    let deadline = ContinuousClock.now + .seconds(120)
    while ContinuousClock.now < deadline, !log.messages.contains(where: { $0.contains("answers that are not read exceed 3145728 bytes") }) {
        #expect(try client.ask(ApiVersionsRequest()).errorCode == .none)
    }
    // Nobody closes them before.
    withExtendedLifetime(slow) {}
    #expect(log.messages.contains { $0.contains("answers that are not read exceed 3145728 bytes") })
    #expect(try client.ask(all).groups[0].topics[0].partitions.count == 25)
}

@Test func answersBehindOneThatIsNotReadyCount() throws {
    let log = try TestLog { $0.limits.outputBytes = 256 << 10 }
    let client = try log.client(), first = try log.client(), second = try log.client()
    try client.createTopic("t", partitions: 25)
    for partition in Int32(0)..<25 { _ = try client.ask(commit("g", partition: partition, metadata: String(repeating: "m", count: 4_000))) }
    _ = try first.ask(join("j"), version: 3)
    // It waits for the first member to join again, and with it all answers after it.
    try second.send(join("j"), version: 3)
    for _ in 0..<60 { try second.send(OffsetFetchRequest { $0.groups = [.init { $0.groupID = "g"; $0.topics = nil }] }) }
    for _ in 0..<100 { #expect(try client.ask(ApiVersionsRequest()).errorCode == .none) }
    let served = log.server.statistics().requests["offsetFetch"] ?? 0
    #expect((1...3).contains(served))
}

@Test(
    arguments: [
        ("a count that is too large", 57, [0x7f, 0xff, 0xff, 0xff]), ("a count and a delta that are too large", 23, [0x7f, 0xff, 0xff, 0xfe]),
        ("a delta that does not fit the count", 23, [0, 0, 0, 9]), ("a negative delta", 23, [0xff, 0xff, 0xff, 0xff]),
        ("no records", 57, [0, 0, 0, 0]), ("a control batch", 21, [0, 0x20]), ("the broker's timestamps", 21, [0, 0x08]),
        ("a codec that does not exist", 21, [0, 0x07]), ("transactional without a producer", 21, [0, 0x10]),
        ("a record longer than the batch", 61, [0xfe, 0xff, 0xff, 0xff, 0x0f]), ("a record of minus one byte", 61, [0x01]),
        ("a record length that does not end", 61, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), ("a record shorter than it is", 61, [0x02]),
    ] as [(String, Int, [UInt8])])
func aBatchThatLiesIsRefused(lie: String, position: Int, bytes: [UInt8]) throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    var batch = TestClient.batch(["one", "two"])
    batch.replaceSubrange(position..<position + bytes.count, with: bytes)
    if position == 23, bytes[0] == 0x7f { batch.replaceSubrange(57..<61, with: [0x7f, 0xff, 0xff, 0xff]) }
    batch.setChecksum()
    let answer = try client.produce(batch, "t")
    #expect([.invalidRecord, .corruptMessage, .invalidProducerIDMapping].contains(answer.errorCode), "\(lie)")
    #expect(try client.produce(TestClient.batch(["three"]), "t").baseOffset == 0, "\(lie)")
}

@Test func timesAtTheEndsOfTimeAreKeptAndHarmNothing() throws {
    let log = try TestLog { $0.retentionCheckMilliseconds = 20 }
    let client = try log.client()
    try client.createTopic("t")
    var asked = 0
    for (base, largest) in [(Int64.min, Int64.max), (.max, .min), (.max, .max), (-1, -1)] {
        var batch = TestClient.batch(["x"])
        batch.replaceSubrange(27..<35, with: withUnsafeBytes(of: base.bigEndian) { [UInt8]($0) })
        batch.replaceSubrange(35..<43, with: withUnsafeBytes(of: largest.bigEndian) { [UInt8]($0) })
        batch.setChecksum()
        #expect(try client.produce(batch, "t").baseOffset == Int64(asked))
        asked += 1
        for timestamp in [0, .max, -3, -1, -2] as [Int64] {
            let response = try client.ask(
                ListOffsetsRequest { $0.topics = [.init { $0.name = "t"; $0.partitions = [.init { $0.index = 0; $0.timestamp = timestamp }] }] })
            #expect(response.topics[0].partitions[0].errorCode == .none)
        }
    }
    try log.restart()
    #expect(try log.client().fetch("t").highWatermark == 4)
}

/// What a client says is compressed is its readers' to unpack: nothing here opens it, whatever it would become.
@Test(arguments: [1, 2, 3, 4] as [UInt8])
func aBombIsKeptAsItCameAndNeverOpened(codec: UInt8) throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    var batch = TestClient.batch([String(repeating: "\u{0}", count: 100_000)])
    batch[22] = codec
    batch.replaceSubrange(23..<27, with: [0, 0x0f, 0x42, 0x3f])
    batch.replaceSubrange(57..<61, with: [0, 0x0f, 0x42, 0x40])
    batch.setChecksum()
    let before = residentBytes()
    for number in Int64(0)..<20 { #expect(try client.produce(batch, "t").baseOffset == number * 1_000_000) }
    let response = try client.ask(
        ListOffsetsRequest { $0.topics = [.init { $0.name = "t"; $0.partitions = [.init { $0.index = 0; $0.timestamp = 1_700_000_000_000 }] }] })
    #expect(response.topics[0].partitions[0].offset == 0)
    guard case .bytes(let bytes) = try client.fetch("t").records else { throw ConnectionClosed() }
    #expect(bytes.array.prefix(batch.count).dropFirst(16).elementsEqual(batch.dropFirst(16)))
    #expect(residentBytes() - before < 200 << 20)
}

extension [UInt8] {
    /// Makes the checksum of a batch right.
    fileprivate mutating func setChecksum() {
        var checksum: UInt32 = 0xffff_ffff
        for byte in self[21...] {
            checksum ^= UInt32(byte)
            for _ in 0..<8 { checksum = checksum & 1 == 1 ? checksum >> 1 ^ 0x82f6_3b78 : checksum >> 1 }
        }
        replaceSubrange(17..<21, with: Swift.withUnsafeBytes(of: (checksum ^ 0xffff_ffff).bigEndian) { [UInt8]($0) })
    }
}
