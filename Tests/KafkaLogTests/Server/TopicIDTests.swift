import KafkaLog
import KafkaLogProtocol
import Testing

extension TestClient {
    fileprivate func topicID(_ name: String) throws -> WireUUID {
        try ask(MetadataRequest { $0.topics = [.init { $0.name = name }]; $0.allowAutoTopicCreation = false }).topics[0].topicID
    }

    /// Deletes a topic and makes another one of the same name.
    fileprivate func replaceTopic(_ name: String) throws {
        guard try ask(DeleteTopicsRequest { $0.topics = [.init { $0.name = name }] }).topics[0].errorCode == .none else {
            throw ConnectionClosed()
        }
        try createTopic(name)
    }
}

@Test(arguments: 4...FetchRequest.versions.upperBound) func recordsAreFetchedByTheIDOfTheirTopicFromVersionThirteenOn(version: Int16) throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    _ = try client.produce(TestClient.batch(["a"]), "t")
    let id = try client.topicID("t")
    var request = TestClient.fetchRequest("t", from: 0)
    request.topics[0].topicID = id
    let fetched = try client.ask(request, version: version).topics[0]
    #expect(fetched.partitions[0].errorCode == .none && fetched.partitions[0].records.values == ["a"])
    #expect(version < 13 ? fetched.name == "t" : fetched.topicID == id)

    // Another topic has the name now. Who asks for the old one does not get its records.
    try client.replaceTopic("t")
    _ = try client.produce(TestClient.batch(["b"]), "t")
    let after = try client.ask(request, version: version).topics[0].partitions[0]
    if version < 13 {
        #expect(after.records.values == ["b"])
    } else {
        #expect(after.errorCode == .unknownTopicID && after.records.values.isEmpty)
    }
}

@Test func aFetchByIDThatWaitsIsToldThatItsTopicIsGone() throws {
    let log = try TestLog()
    let reader = try log.client(), other = try log.client()
    try reader.createTopic("t")
    var request = TestClient.fetchRequest("t", from: 0, wait: 60_000)
    request.topics[0].topicID = try reader.topicID("t")
    let version = FetchRequest.versions.upperBound
    try reader.send(request, version: version)
    // Answered after the fetch was parked: one thread serves both.
    _ = try other.ask(MetadataRequest())
    try other.replaceTopic("t")
    #expect(try reader.receive(FetchRequest.self, version: version).response.topics[0].partitions[0].errorCode == .unknownTopicID)
}

@Test func offsetsAreCommittedAndFetchedByTheIDOfTheirTopicFromVersionTenOn() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    let id = try client.topicID("t"), unknown = WireUUID(high: 1, low: 2)
    let committed = try client.ask(
        OffsetCommitRequest {
            $0.groupID = "g"
            $0.topics = [unknown, id].map { id in
                .init { $0.topicID = id; $0.partitions = [.init { $0.committedOffset = 5; $0.committedMetadata = "m" }] }
            }
        }, version: 10)
    #expect(committed.topics.map(\.topicID) == [unknown, id])
    #expect(committed.topics.map { $0.partitions[0].errorCode } == [.unknownTopicID, .none])

    func fetch(_ topics: [WireUUID]?) throws -> [OffsetFetchResponse.Topic] {
        try client.ask(
            OffsetFetchRequest {
                $0.groups = [
                    .init {
                        $0.groupID = "g"
                        $0.topics = topics.map { $0.map { id in .init { $0.topicID = id; $0.partitionIndexes = [0] } } }
                    }
                ]
            }, version: 10
        ).groups[0].topics
    }
    let all = try fetch(nil)
    #expect(all.map(\.topicID) == [id] && all[0].partitions.map(\.committedOffset) == [5] && all[0].partitions[0].metadata == "m")
    let some = try fetch([id, unknown])
    #expect(some.map(\.topicID) == [id, unknown])
    #expect(some.map { $0.partitions[0].errorCode } == [.none, .unknownTopicID])
    #expect(some.map { $0.partitions[0].committedOffset } == [5, -1])
    // By name it is the same offset.
    let named = try client.ask(
        OffsetFetchRequest { $0.groups = [.init { $0.groupID = "g"; $0.topics = [.init { $0.name = "t"; $0.partitionIndexes = [0] }] }] })
    #expect(named.groups[0].topics[0].partitions[0].committedOffset == 5)
}
