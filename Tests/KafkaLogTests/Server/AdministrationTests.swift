import KafkaLog
import KafkaLogProtocol
import Testing

private let topic: Int8 = 2, broker: Int8 = 4

extension TestClient {
    fileprivate func describeConfigs(
        _ type: Int8, _ name: String, keys: [String]? = nil, synonyms: Bool = false, documentation: Bool = false
    ) throws -> [String: DescribeConfigsResponse.Result.Entry] {
        let result = try ask(
            DescribeConfigsRequest {
                $0.resources = [.init { $0.resourceType = type; $0.resourceName = name; $0.configurationKeys = keys }]
                $0.includeSynonyms = synonyms
                $0.includeDocumentation = documentation
            }
        ).results[0]
        guard result.errorCode == .none else { throw ConnectionClosed() }
        return Dictionary(uniqueKeysWithValues: result.configs.map { ($0.name, $0) })
    }

    fileprivate func alter(
        _ name: String, _ entries: [(name: String, operation: Int8, value: String?)], type: Int8 = topic, validateOnly: Bool = false
    ) throws -> ErrorCode {
        try ask(
            IncrementalAlterConfigsRequest {
                $0.resources = [
                    .init {
                        $0.resourceType = type
                        $0.resourceName = name
                        $0.configs = entries.map { entry in
                            .init {
                                $0.name = entry.name
                                $0.configOperation = entry.operation
                                $0.value = entry.value
                            }
                        }
                    }
                ]
                $0.validateOnly = validateOnly
            }
        ).responses[0].errorCode
    }
}

@Test func aSettingIsShownWithWhereItComesFromAndWhatWouldCountWithoutIt() throws {
    let log = try TestLog { $0.topicDefaults.segmentBytes = 1 << 20 }
    let client = try log.client()
    try client.createTopic("t")
    #expect(try client.alter("t", [("segment.bytes", 0, "4096"), ("retention.ms", 0, "1000")]) == .none)
    let shown = try client.describeConfigs(topic, "t", synonyms: true, documentation: true)
    // Kafka's numbers: 1 the topic, 4 the broker's file, 5 the default.
    let segment = try #require(shown["segment.bytes"])
    #expect(segment.value == "4096" && segment.configSource == 1 && segment.configType == 3 && !segment.readOnly)
    #expect(segment.synonyms.map(\.name) == ["segment.bytes", "log.segment.bytes", "log.segment.bytes"])
    #expect(segment.synonyms.map(\.value) == ["4096", "1048576", "1073741824"] && segment.synonyms.map(\.source) == [1, 4, 5])
    let retention = try #require(shown["retention.ms"])
    #expect(retention.synonyms.map(\.source) == [1, 5] && retention.configType == 5)
    #expect(shown["retention.bytes"]?.configSource == 5 && shown["retention.bytes"]?.value == "-1")
    #expect(shown.values.allSatisfy { $0.documentation?.hasSuffix(".") ?? false })
    let brief = try client.describeConfigs(topic, "t", keys: ["segment.bytes", "nothing"])
    #expect(brief.keys.sorted() == ["segment.bytes"])
    #expect(brief["segment.bytes"]?.synonyms == [] && brief["segment.bytes"]?.documentation == nil)
    // What the broker's file says counts for a topic that says nothing.
    #expect(try client.alter("t", [("segment.bytes", 1, nil)]) == .none)
    let fallen = try #require(try client.describeConfigs(topic, "t", synonyms: true)["segment.bytes"])
    #expect(fallen.value == "1048576" && fallen.configSource == 4 && fallen.synonyms.map(\.source) == [4, 5])
}

@Test func theBrokersSettingsAreShownAndNotChanged() throws {
    let log = try TestLog { $0.defaultPartitions = 7 }
    let client = try log.client()
    for name in ["", "1"] {
        let partitions = try client.describeConfigs(broker, name)["num.partitions"]
        #expect(partitions?.value == "7" && partitions?.readOnly == true)
    }
    #expect(throws: ConnectionClosed.self) { try client.describeConfigs(broker, "2") }
    #expect(try client.alter("1", [("num.partitions", 0, "8")], type: broker) == .invalidRequest)
    let replaced = try client.ask(AlterConfigsRequest { $0.resources = [.init { $0.resourceType = broker; $0.resourceName = "1" }] })
    #expect(replaced.responses[0].errorCode == .invalidRequest)
    #expect(replaced.responses[0].errorMessage?.contains("configuration file") == true)
}

@Test func listsCanBeAppendedToAndSubtractedFrom() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    func policy() throws -> String? { try client.describeConfigs(topic, "t")["cleanup.policy"]?.value }
    #expect(try client.alter("t", [("cleanup.policy", 2, "compact")]) == .none)
    #expect(try policy() == "compact,delete")
    #expect(try client.alter("t", [("cleanup.policy", 2, "compact")]) == .none, "it is there already")
    #expect(try client.alter("t", [("cleanup.policy", 3, "delete")]) == .none)
    #expect(try policy() == "compact")
    #expect(try client.alter("t", [("cleanup.policy", 3, "compact")]) == .invalidConfig, "nothing would be left")
    #expect(try client.alter("t", [("segment.bytes", 2, "4096")]) == .invalidConfig, "it is no list")
    #expect(try client.alter("t", [("segment.bytes", 4, "4096")]) == .invalidRequest)
    #expect(try client.alter("t", [("cleanup.policy", 0, "delete"), ("cleanup.policy", 1, nil)]) == .invalidRequest, "named twice")
    #expect(try client.alter("t", [("cleanup.policy", 0, "delete")], validateOnly: true) == .none)
    #expect(try policy() == "compact")
    #expect(try client.alter("missing", [("cleanup.policy", 0, "delete")]) == .unknownTopicOrPartition)
}

@Test func aListWithSpacesSurvivesARestart() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    #expect(try client.alter("t", [("cleanup.policy", 0, "compact, delete")]) == .none)
    #expect(try client.alter("t", [("min.insync.replicas", 0, "1 \n2")]) == .invalidConfig)
    let created = try client.ask(
        CreateTopicsRequest {
            $0.topics = [
                .init {
                    $0.name = "u"
                    $0.numPartitions = 1
                    $0.replicationFactor = 1
                    $0.configs = [.init { $0.name = "cleanup.policy"; $0.value = " delete , compact" }]
                }
            ]
        })
    #expect(created.topics[0].errorCode == .none)
    try log.restart()
    let again = try log.client()
    for name in ["t", "u"] { #expect(try again.describeConfigs(topic, name)["cleanup.policy"]?.value == "compact,delete") }
}

@Test func alterConfigsReplacesWhatATopicSays() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    #expect(try client.alter("t", [("retention.ms", 0, "1000"), ("segment.bytes", 0, "4096")]) == .none)
    func replace(_ entries: [(String, String?)], validateOnly: Bool = false) throws -> ErrorCode {
        try client.ask(
            AlterConfigsRequest {
                $0.resources = [
                    .init {
                        $0.resourceType = topic
                        $0.resourceName = "t"
                        $0.configs = entries.map { entry in .init { $0.name = entry.0; $0.value = entry.1 } }
                    }
                ]
                $0.validateOnly = validateOnly
            }
        ).responses[0].errorCode
    }
    #expect(try replace([("retention.ms", nil)]) == .invalidRequest)
    #expect(try replace([("retention.ms", "soon")]) == .invalidConfig)
    #expect(try replace([], validateOnly: true) == .none)
    #expect(try client.describeConfigs(topic, "t")["segment.bytes"]?.value == "4096")
    #expect(try replace([("retention.ms", "2000")]) == .none)
    let shown = try client.describeConfigs(topic, "t")
    #expect(shown["retention.ms"]?.value == "2000" && shown["segment.bytes"]?.configSource == 5)
}

@Test func theLogDirectoryIsShownWithTheSizesOfPartitions() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("a")
    try client.createTopic("b", partitions: 2)
    let batch = TestClient.batch(["x"])
    _ = try client.produce(batch, "b", 1)
    let all = try client.ask(DescribeLogDirsRequest { $0.topics = nil })
    #expect(all.results.count == 1 && all.results[0].errorCode == .none && all.results[0].logDirectory.hasSuffix(log.directory))
    #expect(all.results[0].logDirectory.hasPrefix("/") && all.results[0].usableBytes > 0)
    #expect(all.results[0].totalBytes >= all.results[0].usableBytes)
    #expect(all.results[0].topics.map(\.name) == ["a", "b"])
    #expect(all.results[0].topics[1].partitions.map(\.byteCount) == [0, Int64(batch.count)])
    let some = try client.ask(
        DescribeLogDirsRequest { $0.topics = [.init { $0.name = "b"; $0.partitions = [1, 2] }, .init { $0.name = "c"; $0.partitions = [0] }] },
        version: 1)
    #expect(some.results[0].topics.map(\.name) == ["b"] && some.results[0].topics[0].partitions.map(\.index) == [1])
    // The same from partitions that nobody has used since the start.
    try log.restart()
    let again = try log.client().ask(DescribeLogDirsRequest { $0.topics = nil })
    #expect(again.results[0].topics.map { $0.partitions.map(\.byteCount) } == [[0], [0, Int64(batch.count)]])
}

@Test func topicsAreDescribedPageByPage() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("a", partitions: 3)
    try client.createTopic("b", partitions: 2)
    var seen: [String] = []
    var pages = 0
    var cursor: DescribeTopicPartitionsRequest.Cursor?
    repeat {
        let page = try client.ask(DescribeTopicPartitionsRequest { $0.partitionLimit = 2; $0.cursor = cursor })
        let partitions = page.topics.flatMap { topic in topic.partitions.map { "\(topic.name ?? "")\($0.index)" } }
        #expect(partitions.count <= 2 && page.topics.allSatisfy { $0.errorCode == .none && $0.topicID != .zero })
        seen += partitions
        pages += 1
        cursor = page.nextCursor
    } while cursor != nil && pages < 10
    #expect(seen == ["a0", "a1", "a2", "b0", "b1"] && pages == 3)
    let named = try client.ask(DescribeTopicPartitionsRequest { $0.topics = [.init { $0.name = "c" }, .init { $0.name = "b" }] })
    #expect(named.topics.map(\.name) == ["b", "c"] && named.nextCursor == nil)
    #expect(named.topics.map(\.errorCode) == [.none, .unknownTopicOrPartition])
    #expect(named.topics[0].partitions.map(\.leaderID) == [1, 1])
}

@Test func aBrokerIsNoController() throws {
    let log = try TestLog()
    let client = try log.client()
    let brokers = try client.ask(DescribeClusterRequest())
    #expect(brokers.errorCode == .none && brokers.brokers.map(\.brokerID) == [1] && brokers.clusterID == log.server.clusterID)
    #expect(try client.ask(DescribeClusterRequest { $0.endpointType = 2 }).errorCode == .mismatchedEndpointType)
    #expect(try client.ask(DescribeClusterRequest { $0.endpointType = 3 }).errorCode == .unsupportedEndpointType)
}

@Test func groupsAreListedByTypeAndOneThatIsNotThereIsTold() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    _ = try client.ask(
        OffsetCommitRequest {
            $0.groupID = "g"
            $0.topics = [.init { $0.name = "t"; $0.partitions = [.init { $0.committedOffset = 5 }] }]
        })
    let listed = try client.ask(ListGroupsRequest { $0.typesFilter = ["Classic"] }).groups
    #expect(listed.map(\.groupID) == ["g"] && listed.map(\.groupType) == ["classic"])
    #expect(try client.ask(ListGroupsRequest { $0.typesFilter = ["consumer"] }).groups.isEmpty)
    let missing = DescribeGroupsRequest { $0.groups = ["missing"] }
    let old = try client.ask(missing, version: 5).groups[0], new = try client.ask(missing, version: 6).groups[0]
    #expect(old.errorCode == .none && old.groupState == "Dead")
    #expect(new.errorCode == .groupIDNotFound && new.groupState == "Dead" && new.errorMessage != nil)
}
