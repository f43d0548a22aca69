import KafkaLog
import KafkaLogProtocol
import Testing

/// A log where `admin` may do everything and `alice` what a test says.
private func log(_ rules: [AllowRule]) throws -> TestLog {
    try TestLog {
        $0.security.users = ["admin", "alice"].map { LogUser(name: $0, secret: .password($0)) }
        $0.security.allow =
            rules + [
                AllowRule(
                    principals: ["admin"], operations: Set(AclOperation.allCases), topics: [.prefix("")], groups: [.prefix("")],
                    transactionalIDs: [.prefix("")], cluster: true)
            ]
    }
}

extension TestLog {
    fileprivate func client(of user: String) throws -> TestClient {
        let client = try client()
        _ = try client.ask(SaslHandshakeRequest { $0.mechanism = "PLAIN" })
        let answer = try client.ask(SaslAuthenticateRequest { $0.token = Bytes(Array("\0\(user)\0\(user)".utf8)) })
        guard answer.errorCode == .none else { throw ConnectionClosed() }
        return client
    }
}

private func rule(_ operations: Set<AclOperation>, topic: String? = nil, group: String? = nil, id: String? = nil, cluster: Bool = false) -> AllowRule {
    AllowRule(
        principals: ["alice"], operations: operations, topics: topic.map { [NamePattern($0)] } ?? [],
        groups: group.map { [NamePattern($0)] } ?? [], transactionalIDs: id.map { [NamePattern($0)] } ?? [], cluster: cluster)
}

@Test func aProduceRequestIsDoneForTheTopicsThatItMayWriteTo() throws {
    let log = try log([rule([.write], topic: "mine*")])
    let admin = try log.client(of: "admin"), alice = try log.client(of: "alice")
    for topic in ["mine", "theirs"] { try admin.createTopic(topic) }
    let answer = try alice.ask(
        ProduceRequest {
            $0.acknowledgements = -1
            $0.timeoutMilliseconds = 10_000
            $0.topics = ["theirs", "mine"].map { name in
                .init { $0.name = name; $0.partitions = [.init { $0.index = 0; $0.records = .bytes(Bytes(TestClient.batch([name]))) }] }
            }
        })
    let codes = Dictionary(uniqueKeysWithValues: answer.topics.map { ($0.name, $0.partitions[0].errorCode) })
    #expect(codes == ["mine": .none, "theirs": .topicAuthorizationFailed])
    #expect(try admin.fetch("theirs").records.values == [])
    #expect(try admin.fetch("mine").records.values == ["mine"])
    #expect(log.server.statistics().deniedRequests == 1)

    // Without acknowledgements there is no other way to say no.
    try alice.send(TestClient.produceRequest(TestClient.batch(["x"]), "theirs", acknowledgements: 0))
    #expect(alice.isClosedByServer)
    #expect(try admin.fetch("theirs").records.values == [])
}

@Test func transactionalRecordsNeedTheirTransactionalID() throws {
    let log = try log([rule([.write], topic: "*")])
    let admin = try log.client(of: "admin"), alice = try log.client(of: "alice")
    try admin.createTopic("t")
    let batch = TestClient.batch(["x"], producer: (id: 1, epoch: 0, sequence: 0), isTransactional: true)
    var request = TestClient.produceRequest(batch, "t")
    for id in [nil, "job"] {
        request.transactionalID = id
        #expect(try alice.ask(request).topics[0].partitions[0].errorCode == .transactionalIDAuthorizationFailed)
    }
    #expect(
        try alice.ask(
            InitProducerIDRequest {
                $0.transactionalID = "job"
                $0.transactionTimeoutMilliseconds = 10_000
            }
        ).errorCode == .transactionalIDAuthorizationFailed)
    // An idempotent producer's id is for everybody who may write.
    #expect(try alice.ask(InitProducerIDRequest()).errorCode == .none)
}

@Test func fetchesOfWhatMayBeReadAreAnsweredBesideRefusals() throws {
    let log = try log([rule([.read], topic: "mine"), rule([.describe], topic: "seen")])
    let admin = try log.client(of: "admin"), alice = try log.client(of: "alice")
    for topic in ["mine", "theirs", "seen"] {
        try admin.createTopic(topic)
        _ = try admin.produce(TestClient.batch([topic]), topic)
    }
    #expect(try alice.fetch("mine").records.values == ["mine"])
    var request = TestClient.fetchRequest("mine", from: 1, wait: 60_000)
    request.topics += ["theirs", "seen"].flatMap { TestClient.fetchRequest($0, from: 0).topics }
    // There is nothing new in "mine": a refusal is told at once all the same.
    let began = ContinuousClock.now
    let answer = try alice.ask(request)
    #expect(ContinuousClock.now - began < .seconds(40))
    let codes = Dictionary(uniqueKeysWithValues: answer.topics.map { ($0.name, $0.partitions[0].errorCode) })
    #expect(codes == ["mine": .none, "theirs": .topicAuthorizationFailed, "seen": .topicAuthorizationFailed])
    #expect(answer.topics.allSatisfy { $0.partitions[0].records.values.isEmpty })

    let offsets = try alice.ask(
        ListOffsetsRequest {
            $0.topics = ["mine", "theirs", "seen"].map { name in
                .init { $0.name = name; $0.partitions = [.init { $0.index = 0; $0.timestamp = -1 }] }
            }
        })
    #expect(
        Dictionary(uniqueKeysWithValues: offsets.topics.map { ($0.name, $0.partitions[0].errorCode) })
            == ["mine": .none, "theirs": .topicAuthorizationFailed, "seen": .none])
}

@Test func metadataShowsOnlyWhatMayBeDescribed() throws {
    let log = try log([rule([.describe], topic: "seen"), rule([.create], topic: "made*"), rule([.describe], topic: "made*")])
    let admin = try log.client(of: "admin"), alice = try log.client(of: "alice")
    for topic in ["seen", "hidden"] { try admin.createTopic(topic) }
    #expect(try alice.ask(MetadataRequest { $0.topics = nil }).topics.map(\.name) == ["seen"])
    let hiddenID = try #require(try admin.ask(MetadataRequest { $0.topics = nil }).topics.first { $0.name == "hidden" }).topicID
    let named = try alice.ask(
        MetadataRequest {
            $0.topics = ["seen", "hidden", "unmade", "made-up"].map { name in .init { $0.name = name } } + [.init { $0.topicID = hiddenID; $0.name = nil }]
            $0.allowAutoTopicCreation = true
        })
    #expect(named.topics.filter { $0.name == nil }.map(\.errorCode) == [.topicAuthorizationFailed])
    let codes = Dictionary(uniqueKeysWithValues: named.topics.compactMap { topic in topic.name.map { ($0, topic.errorCode) } })
    #expect(
        codes == [
            "seen": .none, "hidden": .topicAuthorizationFailed, "unmade": .topicAuthorizationFailed, "made-up": .none,
        ])
    #expect(Set(log.server.statistics().topics.keys) == ["seen", "hidden", "made-up"])

    #expect(try alice.ask(DescribeTopicPartitionsRequest()).topics.map(\.name) == ["made-up", "seen"])
    let partitions = try alice.ask(DescribeTopicPartitionsRequest { $0.topics = ["seen", "hidden"].map { name in .init { $0.name = name } } })
    #expect(
        Dictionary(uniqueKeysWithValues: partitions.topics.map { ($0.name ?? "", $0.errorCode) })
            == ["seen": .none, "hidden": .topicAuthorizationFailed])
    let onlyHidden = try alice.ask(DescribeTopicPartitionsRequest { $0.topics = [.init { $0.name = "hidden" }] })
    #expect(onlyHidden.topics.map(\.errorCode) == [.topicAuthorizationFailed])
    #expect(try alice.ask(DescribeLogDirsRequest { $0.topics = nil }).errorCode == .clusterAuthorizationFailed)
}

@Test func anIDIsNoWayAroundTheAllowList() throws {
    let log = try log([rule([.read], topic: "mine", group: "g")])
    let admin = try log.client(of: "admin"), alice = try log.client(of: "alice")
    for topic in ["mine", "theirs"] {
        try admin.createTopic(topic)
        _ = try admin.produce(TestClient.batch([topic]), topic)
    }
    let ids = Dictionary(uniqueKeysWithValues: try admin.ask(MetadataRequest { $0.topics = nil }).topics.map { ($0.name ?? "", $0.topicID) })
    let mine = try #require(ids["mine"]), theirs = try #require(ids["theirs"])
    let unknown = WireUUID(high: 1, low: 2)

    let fetched = try alice.ask(
        FetchRequest {
            $0.minBytes = 1
            $0.topics = [theirs, mine, unknown].map { id in
                .init { $0.topicID = id; $0.partitions = [.init { $0.index = 0; $0.partitionMaxBytes = 1 << 20 }] }
            }
        }, version: FetchRequest.versions.upperBound)
    let byID = Dictionary(uniqueKeysWithValues: fetched.topics.map { ($0.topicID, $0.partitions[0]) })
    #expect(byID[mine]?.records.values == ["mine"])
    #expect(byID[theirs]?.errorCode == .topicAuthorizationFailed)
    #expect(byID[theirs]?.records.values == [])
    #expect(byID[unknown]?.errorCode == .unknownTopicID)

    let committed = try alice.ask(
        OffsetCommitRequest {
            $0.groupID = "g"
            $0.topics = [theirs, mine].map { id in .init { $0.topicID = id; $0.partitions = [.init { $0.index = 0; $0.committedOffset = 1 }] } }
        }, version: 10)
    #expect(
        Dictionary(uniqueKeysWithValues: committed.topics.map { ($0.topicID, $0.partitions[0].errorCode) })
            == [mine: .none, theirs: .topicAuthorizationFailed])
    let offsets = try alice.ask(
        OffsetFetchRequest {
            $0.groups = [
                .init {
                    $0.groupID = "g"
                    $0.topics = [theirs, mine, unknown].map { id in .init { $0.topicID = id; $0.partitionIndexes = [0] } }
                }
            ]
        }, version: 10)
    #expect(
        Dictionary(uniqueKeysWithValues: offsets.groups[0].topics.map { ($0.topicID, $0.partitions[0].errorCode) })
            == [mine: .none, theirs: .topicAuthorizationFailed, unknown: .unknownTopicID])
    #expect(offsets.groups[0].topics.first { $0.topicID == mine }?.partitions[0].committedOffset == 1)
}

@Test func groupsAndTheirOffsetsAreForThoseWhoMayReadThem() throws {
    let log = try log([rule([.read], topic: "mine", group: "g"), rule([.describe], group: "seen")])
    let admin = try log.client(of: "admin"), alice = try log.client(of: "alice")
    for topic in ["mine", "theirs"] { try admin.createTopic(topic) }
    func commit(_ group: String, _ client: TestClient) throws -> [String: ErrorCode] {
        let answer = try client.ask(
            OffsetCommitRequest {
                $0.groupID = group
                $0.topics = ["theirs", "mine"].map { name in .init { $0.name = name; $0.partitions = [.init { $0.index = 0; $0.committedOffset = 7 }] } }
            }, version: 9)
        return Dictionary(uniqueKeysWithValues: answer.topics.map { ($0.name, $0.partitions[0].errorCode) })
    }
    #expect(try commit("other", alice) == ["mine": .groupAuthorizationFailed, "theirs": .groupAuthorizationFailed])
    #expect(try commit("g", alice) == ["mine": .none, "theirs": .topicAuthorizationFailed])
    for group in ["g", "seen", "other"] { #expect(try commit(group, admin) == ["mine": .none, "theirs": .none]) }

    let fetched = try alice.ask(
        OffsetFetchRequest {
            $0.groups = ["g", "seen", "other"].map { id in .init { $0.groupID = id; $0.topics = nil } }
        }, version: 9)
    let groups = Dictionary(uniqueKeysWithValues: fetched.groups.map { ($0.groupID, $0) })
    #expect(groups["g"]?.topics.map(\.name) == ["mine"])
    #expect(groups["seen"]?.topics.map(\.name) == ["mine"])
    #expect(groups["other"]?.errorCode == .groupAuthorizationFailed)
    #expect(groups["other"]?.topics == [])

    #expect(Set(try alice.ask(ListGroupsRequest()).groups.map(\.groupID)) == ["g", "seen"])
    let described = try alice.ask(DescribeGroupsRequest { $0.groups = ["g", "other"] }).groups
    #expect(Dictionary(uniqueKeysWithValues: described.map { ($0.groupID, $0.errorCode) }) == ["g": .none, "other": .groupAuthorizationFailed])
    let found = try alice.ask(FindCoordinatorRequest { $0.coordinatorKeys = ["g", "other"] }).coordinators
    #expect(Dictionary(uniqueKeysWithValues: found.map { ($0.key, $0.errorCode) }) == ["g": .none, "other": .groupAuthorizationFailed])
    let deleted = try alice.ask(DeleteGroupsRequest { $0.groups = ["g"] }).results
    #expect(deleted.map(\.errorCode) == [.groupAuthorizationFailed])

    #expect(try alice.ask(JoinGroupRequest { $0.groupID = "seen" }).errorCode == .groupAuthorizationFailed)
    #expect(try alice.ask(SyncGroupRequest { $0.groupID = "seen" }).errorCode == .groupAuthorizationFailed)
    #expect(try alice.ask(HeartbeatRequest { $0.groupID = "seen" }).errorCode == .groupAuthorizationFailed)
    #expect(try alice.ask(LeaveGroupRequest { $0.groupID = "seen" }).errorCode == .groupAuthorizationFailed)
    #expect(try alice.ask(OffsetDeleteRequest { $0.groupID = "g" }).errorCode == .groupAuthorizationFailed)
}

@Test func aTransactionIsForThoseWhoMayWriteItsIDAndEverythingInIt() throws {
    let log = try log([rule([.write], topic: "mine", id: "job"), rule([.read], group: "g")])
    let admin = try log.client(of: "admin"), alice = try log.client(of: "alice")
    for topic in ["mine", "theirs"] { try admin.createTopic(topic) }
    func add(_ id: String, _ topics: [String]) throws -> [String: ErrorCode] {
        let answer = try alice.ask(
            AddPartitionsToTransactionRequest {
                $0.transactionalID = id
                $0.topics = topics.map { name in .init { $0.name = name; $0.partitions = [0] } }
            }, version: 3)
        return Dictionary(uniqueKeysWithValues: answer.topics.map { ($0.name, $0.partitions[0].errorCode) })
    }
    #expect(try add("other", ["mine"]) == ["mine": .transactionalIDAuthorizationFailed])
    #expect(try add("job", ["mine", "theirs"]) == ["mine": .operationNotAttempted, "theirs": .topicAuthorizationFailed])
    #expect(try alice.ask(EndTransactionRequest { $0.transactionalID = "other" }).errorCode == .transactionalIDAuthorizationFailed)
    #expect(
        try alice.ask(AddOffsetsToTransactionRequest { $0.transactionalID = "other"; $0.groupID = "g" }).errorCode
            == .transactionalIDAuthorizationFailed)
    #expect(
        try alice.ask(AddOffsetsToTransactionRequest { $0.transactionalID = "job"; $0.groupID = "other" }).errorCode
            == .groupAuthorizationFailed)
    func commit(_ id: String, _ group: String, _ topic: String) throws -> ErrorCode {
        try alice.ask(
            TransactionOffsetCommitRequest {
                $0.transactionalID = id
                $0.groupID = group
                $0.topics = [.init { $0.name = topic; $0.partitions = [.init { $0.index = 0 }] }]
            }
        ).topics[0].partitions[0].errorCode
    }
    #expect(try commit("other", "g", "mine") == .transactionalIDAuthorizationFailed)
    #expect(try commit("job", "other", "mine") == .groupAuthorizationFailed)
    #expect(try commit("job", "g", "mine") == .topicAuthorizationFailed)
    #expect(
        try alice.ask(DescribeTransactionsRequest { $0.transactionalIDs = ["other"] }).transactions.map(\.errorCode)
            == [.transactionalIDAuthorizationFailed])
    _ = try admin.ask(
        InitProducerIDRequest {
            $0.transactionalID = "hidden"
            $0.transactionTimeoutMilliseconds = 10_000
        })
    #expect(try alice.ask(ListTransactionsRequest()).transactions == [])
    #expect(try admin.ask(ListTransactionsRequest()).transactions.map(\.transactionalID) == ["hidden"])
}

@Test func nothingIsChangedWithoutTheRightToDoSo() throws {
    let log = try log([rule([.describe], topic: "*", group: "*", id: "*", cluster: true)])
    let admin = try log.client(of: "admin"), alice = try log.client(of: "alice")
    try admin.createTopic("t")
    _ = try admin.produce(TestClient.batch(["a"]), "t")
    let created = try alice.ask(CreateTopicsRequest { $0.topics = [.init { $0.name = "n"; $0.numPartitions = 1; $0.replicationFactor = 1 }] })
    #expect(created.topics.map(\.errorCode) == [.topicAuthorizationFailed])
    #expect(try alice.ask(DeleteTopicsRequest { $0.topics = [.init { $0.name = "t" }] }).topics.map(\.errorCode) == [.topicAuthorizationFailed])
    #expect(
        try alice.ask(CreatePartitionsRequest { $0.topics = [.init { $0.name = "t"; $0.count = 5; $0.assignments = nil }] }).results.map(\.errorCode)
            == [.topicAuthorizationFailed])
    let shortened = try alice.ask(
        DeleteRecordsRequest { $0.topics = [.init { $0.name = "t"; $0.partitions = [.init { $0.index = 0; $0.offset = 1 }] }] })
    #expect(shortened.topics[0].partitions[0].errorCode == .topicAuthorizationFailed)
    let configurations: [(Int8, String)] = [(2, "t"), (4, "1")]
    let altered = try alice.ask(
        IncrementalAlterConfigsRequest {
            $0.resources = configurations.map { type, name in .init { $0.resourceType = type; $0.resourceName = name } }
        })
    #expect(altered.responses.map(\.errorCode) == [.topicAuthorizationFailed, .clusterAuthorizationFailed])
    let described = try alice.ask(
        DescribeConfigsRequest {
            $0.resources = configurations.map { type, name in .init { $0.resourceType = type; $0.resourceName = name } }
        })
    #expect(described.results.map(\.errorCode) == [.topicAuthorizationFailed, .clusterAuthorizationFailed])
    #expect(described.results.map(\.configs) == [[], []])
    #expect(try alice.ask(InitProducerIDRequest()).errorCode == .clusterAuthorizationFailed)
    let replaced = try alice.ask(
        AlterConfigsRequest {
            $0.resources = configurations.map { type, name in .init { $0.resourceType = type; $0.resourceName = name } }
        })
    #expect(replaced.responses.map(\.errorCode) == [.topicAuthorizationFailed, .clusterAuthorizationFailed])
    let marked = try alice.ask(
        WriteTransactionMarkersRequest {
            $0.markers = [.init { $0.producerID = 1; $0.topics = [.init { $0.name = "t"; $0.partitions = [0] }] }]
        })
    #expect(marked.markers[0].topics[0].partitions.map(\.errorCode) == [.clusterAuthorizationFailed])
    let producers = try alice.ask(DescribeProducersRequest { $0.topics = [.init { $0.name = "t"; $0.partitions = [0] }] })
    #expect(producers.topics[0].partitions.map(\.errorCode) == [.topicAuthorizationFailed])
    #expect(log.server.statistics().topics.mapValues(\.partitions) == ["t": 1])
    #expect(try admin.fetch("t").logStartOffset == 0)
    #expect(log.messages.filter { $0.contains("denied by the allow list") }.count == 1)
}
