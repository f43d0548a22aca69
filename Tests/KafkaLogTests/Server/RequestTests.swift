import KafkaLog
import KafkaLogProtocol
import KafkaLogStorage
import Testing

@Test func anApiVersionsRequestOfTheFutureIsAnsweredInVersionZero() throws {
    let log = try TestLog()
    let client = try log.client()
    // Version 99 with a body that nobody knows.
    try client.send([0, 0, 0, 12, 0, 18, 0, 99, 0, 0, 0, 77, 0xde, 0xad, 0xbe, 0xef])
    let (correlationID, response) = try client.receive(ApiVersionsRequest.self, version: 0)
    #expect(correlationID == 77)
    #expect(response.errorCode == .unsupportedVersion)
    #expect(response.apiKeys.contains { $0.apiKey == 18 && $0.maxVersion >= 3 })
    // The connection goes on.
    #expect(try client.ask(ApiVersionsRequest(), version: 3).errorCode == .none)
}

@Test func whatClientsFromBeforeRecordBatchesSayIsTakenAndComesBack() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    // As kafka-python writes a message of format 1: key `k`, value `one`, at 1,700,000,000,000 ms.
    let messages: [UInt8] = [
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x1a, 0x2e, 0xe4, 0x02, 0x68, 1, 0, 0, 0, 0x01, 0x8b, 0xcf, 0xe5, 0x68, 0,
        0, 0, 0, 1, 0x6b, 0, 0, 0, 3, 0x6f, 0x6e, 0x65,
    ]
    let request = TestClient.produceRequest(messages, "t")
    let answer = try client.ask(request, version: 2).topics[0].partitions[0]
    #expect(answer.errorCode == .none && answer.baseOffset == 0)
    _ = try client.produce(TestClient.batch(["new"]), "t")
    let fetch = FetchRequest {
        $0.maxWaitMilliseconds = 0
        $0.topics = [.init {
            $0.name = "t"
            $0.partitions = [.init {
                $0.fetchOffset = 0
                $0.partitionMaxBytes = 1 << 20
            }]
        }]
    }
    let found = try client.ask(fetch, version: 2).topics[0].partitions[0]
    guard case .bytes(let records) = found.records else {
        Issue.record("no records came")
        return
    }
    #expect(Array(records.array.prefix(messages.count)) == messages)
    #expect(found.highWatermark == 2)
    var broken = messages
    broken[messages.count - 1] ^= 1
    #expect(try client.ask(TestClient.produceRequest(broken, "t"), version: 2).topics[0].partitions[0].errorCode == .corruptMessage)
}

@Test func everySpokenRequestIsOfferedAndNothingElse() throws {
    let log = try TestLog()
    let offered = try log.client().ask(ApiVersionsRequest()).apiKeys
    #expect(Set(offered.map(\.apiKey)) == Set(ApiKey.allCases.map(\.rawValue)))
    #expect(offered.count == ApiKey.allCases.count)
    for entry in offered {
        #expect(ApiKey(rawValue: entry.apiKey)?.versions == entry.minVersion...entry.maxVersion)
    }
}

@Test func fetchSessionsAreDeclinedAndWhoGoesOnWithOneBeginsAgain() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    _ = try client.produce(TestClient.batch(["a"]), "t")
    var request = TestClient.fetchRequest("t", from: 0)
    // A full fetch that asks for a session, also in place of one that there was: answered, without a session.
    for session: Int32 in [0, 77] {
        (request.sessionID, request.sessionEpoch) = (session, 0)
        let full = try client.ask(request)
        #expect(full.errorCode == .none && full.sessionID == 0)
        #expect(full.topics[0].partitions[0].records.values == ["a"])
    }
    // The next of a session that there is not.
    (request.sessionID, request.sessionEpoch) = (77, 5)
    #expect(try client.ask(request).errorCode == .fetchSessionIDNotFound)
    // The end of one.
    (request.sessionID, request.sessionEpoch, request.topics) = (77, -1, [])
    #expect(try client.ask(request).errorCode == .none)
}

@Test func anUnknownRequestOrVersionEndsTheConnectionWithAReason() throws {
    let log = try TestLog()
    let unknown = try log.client()
    try unknown.send([0, 0, 0, 10, 0x03, 0xe7, 0, 0, 0, 0, 0, 1, 0xff, 0xff])
    #expect(unknown.isClosedByServer)
    let future = try log.client()
    try future.send([0, 0, 0, 10, 0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff])
    #expect(future.isClosedByServer)
    #expect(log.messages.contains { $0.contains("unknown kind 999") })
    #expect(log.messages.contains { $0.contains("metadata of version 99") })
}

@Test func metadataCreatesATopicOnlyWhenAllowed() throws {
    let log = try TestLog { $0.defaultPartitions = 3 }
    let client = try log.client()
    var request = MetadataRequest {
        $0.topics = [.init { $0.name = "wanted" }]
        $0.allowAutoTopicCreation = false
    }
    #expect(try client.ask(request).topics[0].errorCode == .unknownTopicOrPartition)
    request.allowAutoTopicCreation = true
    let topic = try client.ask(request).topics[0]
    #expect(topic.errorCode == .none && topic.partitions.map(\.index) == [0, 1, 2])
    request.topics = [.init { $0.name = "not/allowed" }]
    #expect(try client.ask(request).topics[0].errorCode == .invalidTopic)
    // No list: all of them. By id from version 12 on.
    request.topics = nil
    #expect(try client.ask(request).topics.map(\.name) == ["wanted"])
    request.topics = [.init { $0.topicID = topic.topicID }]
    #expect(try client.ask(request).topics[0].name == "wanted")
}

@Test func recordsComeBackByteForByte() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    let first = TestClient.batch(["a", "b"]), second = TestClient.batch(["c"])
    #expect(try client.produce(first, "t").baseOffset == 0)
    #expect(try client.produce(second, "t").baseOffset == 2)
    let fetched = try client.fetch("t")
    #expect(fetched.highWatermark == 3 && fetched.records.values == ["a", "b", "c"])
    guard case .bytes(let bytes) = fetched.records else {
        Issue.record("no records")
        return
    }
    // All but base offset and leader epoch, which the broker assigns.
    #expect(Array(bytes.array[16..<first.count]) == Array(first[16...]))
    #expect(Array(bytes.array[(first.count + 16)...]) == Array(second[16...]))
    // From the middle of a batch: the whole batch.
    #expect(try client.fetch("t", from: 1).records.values == ["a", "b", "c"])
    #expect(try client.fetch("t", from: 3).records.values == [])
    #expect(try client.fetch("t", from: 4).errorCode == .offsetOutOfRange)
    #expect(try client.fetch("nothing").errorCode == .unknownTopicOrPartition)
}

@Test func aFetchWaitsForRecordsAndIsWokenByThem() throws {
    let log = try TestLog()
    let reader = try log.client(), writer = try log.client()
    try reader.createTopic("t")
    let clock = ContinuousClock()
    let start = clock.now
    try reader.send(TestClient.fetchRequest("t", from: 0, wait: 60_000))
    _ = try writer.produce(TestClient.batch(["x"]), "t")
    #expect(try reader.receive(FetchRequest.self).response.topics[0].partitions[0].records.values == ["x"])
    #expect(clock.now - start < .seconds(40))
}

@Test func aFetchThatWaitsInVainIsAnsweredEmptyAfterItsTime() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    let clock = ContinuousClock()
    let start = clock.now
    let response = try client.ask(TestClient.fetchRequest("t", from: 0, wait: 200))
    #expect(clock.now - start >= .milliseconds(190))
    #expect(response.topics[0].partitions[0].errorCode == .none)
    #expect(response.topics[0].partitions[0].records == .bytes(.empty))
}

@Test func aFetchWaitsUntilThereAreAsManyBytesAsItWants() throws {
    let log = try TestLog()
    let reader = try log.client(), writer = try log.client()
    try reader.createTopic("t")
    let batch = TestClient.batch(["one"])
    try reader.send(TestClient.fetchRequest("t", from: 0, wait: 60_000, minimumBytes: Int32(batch.count + 1)))
    _ = try writer.produce(batch, "t")
    _ = try writer.produce(TestClient.batch(["two"]), "t")
    #expect(try reader.receive(FetchRequest.self).response.topics[0].partitions[0].records.values == ["one", "two"])
}

@Test func aParkedFetchIsAnsweredWhenItsTopicIsDeleted() throws {
    let log = try TestLog()
    let reader = try log.client(), other = try log.client()
    try reader.createTopic("t")
    try reader.send(TestClient.fetchRequest("t", from: 0, wait: 60_000))
    // The metadata request is answered after the fetch was parked: one thread serves both.
    _ = try other.ask(MetadataRequest())
    let deleted = try other.ask(DeleteTopicsRequest { $0.topics = [.init { $0.name = "t" }] })
    #expect(deleted.topics[0].errorCode == .none)
    #expect(try reader.receive(FetchRequest.self).response.topics[0].partitions[0].errorCode == .unknownTopicOrPartition)
}

@Test func answersComeInTheOrderOfTheirRequests() throws {
    let log = try TestLog()
    let client = try log.client(), writer = try log.client()
    try client.createTopic("t")
    let parked = try client.send(TestClient.fetchRequest("t", from: 0, wait: 60_000))
    // Those after it could be answered at once.
    let later = try (0..<20).map { _ in try client.send(TestClient.fetchRequest("t", from: 0)) }
    _ = try writer.produce(TestClient.batch(["x"]), "t")
    #expect(try client.receive(FetchRequest.self).correlationID == parked)
    for expected in later { #expect(try client.receive(FetchRequest.self).correlationID == expected) }
}

@Test func aFetchThatWaitsIsAnsweredWhenItsClientAsksForSomethingElse() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    let parked = try client.send(TestClient.fetchRequest("t", from: 0, wait: 60_000))
    let later = try client.send(ApiVersionsRequest())
    let answer = try client.receive(FetchRequest.self)
    #expect(answer.correlationID == parked && answer.response.topics[0].partitions[0].records.values.isEmpty)
    #expect(try client.receive(ApiVersionsRequest.self).correlationID == later)
}

@Test func moreRequestsThanMayBeInFlightAreAllAnswered() throws {
    let log = try TestLog { $0.limits.requestsInFlight = 4 }
    let client = try log.client(), writer = try log.client()
    try client.createTopic("t")
    try client.send(TestClient.fetchRequest("t", from: 0, wait: 60_000))
    let later = try (0..<200).map { _ in try client.send(TestClient.fetchRequest("t", from: 0)) }
    _ = try writer.produce(TestClient.batch(["x"]), "t")
    _ = try client.receive(FetchRequest.self)
    for expected in later { #expect(try client.receive(FetchRequest.self).correlationID == expected) }
}

@Test func aRecordWithoutAcknowledgementHasNoAnswer() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    try client.send(TestClient.produceRequest(TestClient.batch(["quiet"]), "t", acknowledgements: 0))
    let next = try client.send(ApiVersionsRequest())
    #expect(try client.receive(ApiVersionsRequest.self).correlationID == next)
    let fetched = try client.ask(TestClient.fetchRequest("t", from: 0, wait: 10_000))
    #expect(fetched.topics[0].partitions[0].records.values == ["quiet"])
    // One that cannot be appended ends the connection: nothing else would tell.
    try client.send(TestClient.produceRequest(TestClient.batch(["x"]), "missing", acknowledgements: 0))
    #expect(client.isClosedByServer)
}

@Test func damagedAndForeignBatchesAreRefused() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    var flipped = TestClient.batch(["a"])
    flipped[flipped.count - 1] ^= 1
    #expect(try client.produce(flipped, "t").errorCode == .corruptMessage)
    var old = TestClient.batch(["a"])
    old[16] = 1
    #expect(try client.produce(old, "t").errorCode == .unsupportedForMessageFormat)
    #expect(try client.produce([], "t").errorCode == .invalidRecord)
    #expect(try client.produce(TestClient.batch(["a"]) + TestClient.batch(["b"]), "t").errorCode == .invalidRecord)
    #expect(try client.produce(Array(TestClient.batch(["a"]).dropLast()), "t").errorCode == .corruptMessage)
    let wrongAcks = try client.ask(TestClient.produceRequest(TestClient.batch(["a"]), "t", acknowledgements: 2))
    #expect(wrongAcks.topics[0].partitions[0].errorCode == .invalidRequiredAcks)
    #expect(try client.fetch("t").highWatermark == 0)
}

@Test func aRepeatedBatchIsAcknowledgedWithItsFirstOffset() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    let producer = try client.ask(InitProducerIDRequest { $0.transactionTimeoutMilliseconds = 1000 })
    #expect(producer.errorCode == .none && producer.producerEpoch == 0)
    let first = TestClient.batch(["a", "b"], producer: (producer.producerID, 0, 0))
    #expect(try client.produce(first, "t").baseOffset == 0)
    #expect(try client.produce(TestClient.batch(["c"], producer: (producer.producerID, 0, 2)), "t").baseOffset == 2)
    let repeated = try client.produce(first, "t")
    #expect(repeated.errorCode == .none && repeated.baseOffset == 0)
    #expect(try client.produce(TestClient.batch(["x"], producer: (producer.producerID, 0, 9)), "t").errorCode == .outOfOrderSequenceNumber)
    #expect(try client.fetch("t").records.values == ["a", "b", "c"])
}

@Test func offsetsAreFoundByTime() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    _ = try client.produce(TestClient.batch(["a", "b"], timestamp: 1000), "t")
    _ = try client.produce(TestClient.batch(["c"], timestamp: 5000), "t")
    func offset(_ timestamp: Int64) throws -> (Int64, Int64) {
        let found = try client.ask(
            ListOffsetsRequest {
                $0.topics = [.init { $0.name = "t"; $0.partitions = [.init { $0.timestamp = timestamp }] }]
            }
        ).topics[0].partitions[0]
        return (found.offset, found.timestamp)
    }
    #expect(try offset(-1) == (3, -1))
    #expect(try offset(-2) == (0, -1))
    #expect(try offset(-3) == (2, 5000))
    #expect(try offset(0) == (0, 1000))
    #expect(try offset(1001) == (1, 1001))
    #expect(try offset(1002) == (2, 5000))
    #expect(try offset(5001) == (-1, -1))
    // All of the log is local, nothing is elsewhere.
    #expect(try offset(-4) == (0, -1))
    #expect(try offset(-5) == (-1, -1))
}

@Test(arguments: [(-3 as Int64, 7 as Int16), (-4, 8), (-5, 9), (-6, 99)])
func timestampsThatStandForSomethingDoSoFromTheirVersionOn(timestamp: Int64, since: Int16) throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    for version in ListOffsetsRequest.versions {
        let found = try client.ask(
            ListOffsetsRequest { $0.topics = [.init { $0.name = "t"; $0.partitions = [.init { $0.timestamp = timestamp }] }] },
            version: version)
        #expect(found.topics[0].partitions[0].errorCode == (version < since ? .unsupportedVersion : .none), "version \(version)")
    }
}

@Test func topicsAreCheckedBeforeTheyAreMade() throws {
    let log = try TestLog()
    let client = try log.client()
    func create(_ configure: (inout CreateTopicsRequest.Topic) -> Void, validateOnly: Bool = false) throws -> ErrorCode {
        try client.ask(
            CreateTopicsRequest {
                $0.topics = [.init(configure)]
                $0.validateOnly = validateOnly
            }
        ).topics[0].errorCode
    }
    #expect(try create({ $0.name = "a"; $0.numPartitions = 2; $0.replicationFactor = 3 }) == .invalidReplicationFactor)
    #expect(try create({ $0.name = "a"; $0.numPartitions = 0; $0.replicationFactor = 1 }) == .invalidPartitions)
    #expect(try create({ $0.name = "a b"; $0.numPartitions = 1; $0.replicationFactor = 1 }) == .invalidTopic)
    let wrong: (inout CreateTopicsRequest.Topic) -> Void = {
        $0.name = "a"
        $0.numPartitions = 1
        $0.replicationFactor = 1
        $0.configs = [.init { $0.name = "retention.ms"; $0.value = "soon" }]
    }
    #expect(try create(wrong) == .invalidConfig)
    #expect(try create({ $0.name = "a"; $0.numPartitions = 1; $0.replicationFactor = -1 }, validateOnly: true) == .none)
    #expect(try client.ask(MetadataRequest { $0.topics = nil }).topics.isEmpty)
    #expect(try create({ $0.name = "a"; $0.numPartitions = -1; $0.replicationFactor = -1 }) == .none)
    #expect(try create({ $0.name = "a"; $0.numPartitions = 1; $0.replicationFactor = 1 }) == .topicAlreadyExists)
}

@Test func settingsOfATopicCanBeChangedAndSeen() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    let changed = try client.ask(
        IncrementalAlterConfigsRequest {
            $0.resources = [
                .init {
                    $0.resourceType = 2
                    $0.resourceName = "t"
                    $0.configs = [.init { $0.name = "max.message.bytes"; $0.value = "2000" }]
                }
            ]
        })
    #expect(changed.responses[0].errorCode == .none)
    let described = try client.ask(
        DescribeConfigsRequest {
            $0.resources = [.init { $0.resourceType = 2; $0.resourceName = "t"; $0.configurationKeys = ["max.message.bytes"] }]
        })
    #expect(described.results[0].configs.map(\.value) == ["2000"])
    #expect(try client.produce(TestClient.batch([String(repeating: "x", count: 3000)]), "t").errorCode == .messageTooLarge)
}

@Test func recordsBeforeAnOffsetCanBeDeleted() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    _ = try client.produce(TestClient.batch(["a"]), "t")
    _ = try client.produce(TestClient.batch(["b"]), "t")
    func delete(_ offset: Int64) throws -> DeleteRecordsResponse.Topic.Partition {
        try client.ask(DeleteRecordsRequest { $0.topics = [.init { $0.name = "t"; $0.partitions = [.init { $0.offset = offset }] }] })
            .topics[0].partitions[0]
    }
    #expect(try delete(3).errorCode == .offsetOutOfRange)
    #expect(try delete(1).lowWatermark == 1)
    #expect(try client.fetch("t", from: 0).errorCode == .offsetOutOfRange)
    #expect(try client.fetch("t", from: 1).records.values == ["b"])
}

@Test func everythingIsThereAfterARestart() throws {
    let log = try TestLog()
    let before = try log.client()
    try before.createTopic("t", partitions: 2)
    _ = try before.produce(TestClient.batch(["a"]), "t", 1)
    let cluster = log.server.clusterID
    try log.restart()
    let client = try log.client()
    #expect(log.server.clusterID == cluster)
    #expect(try client.fetch("t", 1).records.values == ["a"])
    #expect(try client.produce(TestClient.batch(["b"]), "t", 1).baseOffset == 1)
}

@Test func aSecondServerIsKeptOutOfTheDirectory() throws {
    let log = try TestLog()
    #expect(throws: LogServerError.self) {
        try LogServer(configuration: LogServerConfiguration(port: 0, directory: log.directory))
    }
}

@Test func withoutProtectionOnlyLoopbackIsListenedOn() throws {
    let log = try TestLog()
    #expect(throws: LogServerError.listenerNotLoopback(host: "0.0.0.0")) {
        try LogServer(configuration: LogServerConfiguration(host: "0.0.0.0", port: 0, directory: log.directory + "-other"))
    }
}

@Test func countersTellWhatWasDone() throws {
    let log = try TestLog()
    #expect(log.server.status == .ready)
    let client = try log.client()
    try client.createTopic("t")
    let batch = TestClient.batch(["a", "b"])
    _ = try client.produce(batch, "t")
    _ = try client.fetch("t")
    let statistics = log.server.statistics()
    #expect(statistics.recordsIn == 2 && statistics.bytesIn == UInt64(batch.count) && statistics.bytesOut == UInt64(batch.count))
    #expect(statistics.connections == 1 && statistics.requests["produce"] == 1)
    #expect(statistics.topics["t"]?.logBytes == Int64(batch.count))
    #expect(statistics.fsyncDurations.count >= 1)
    log.server.stop()
    #expect(log.server.status == .stopped)
    #expect(log.server.statistics().recordsIn == 2)
}
