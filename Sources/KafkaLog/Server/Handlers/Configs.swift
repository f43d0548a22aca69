import KafkaLogProtocol
import KafkaLogStorage

/// Kafka's numbers for what a configuration belongs to.
enum ResourceType {
    static let topic: Int8 = 2
    static let broker: Int8 = 4
}

/// One setting as DescribeConfigs shows it.
private struct Setting {
    /// Kafka's numbers for the origin of a value.
    enum Source: Int8 {
        case topic = 1
        case staticBroker = 4
        case byDefault = 5
    }

    struct Value {
        let name: String
        let value: String
        let source: Source
    }

    /// The one that counts, and those that would count without it.
    let values: [Value]
    let type: SettingType
    let documentation: String?
    let isReadOnly: Bool
}

extension Broker {
    func describeConfigs(_ request: DescribeConfigsRequest, _ reply: Reply<DescribeConfigsRequest>) {
        var seen: Set<String> = []
        answer(reply) { response in
            // Each resource once, as in Kafka.
            response.results = request.resources.filter { seen.insert("\($0.resourceType) \($0.resourceName)").inserted }.map { resource in
                var result = DescribeConfigsResponse.Result {
                    $0.resourceType = resource.resourceType
                    $0.resourceName = resource.resourceName
                }
                do throws(RequestFailure) {
                    result.configs = try settings(resource.resourceType, resource.resourceName)
                        .filter { resource.configurationKeys?.contains($0.values[0].name) ?? true }
                        .map { describe($0, request) }
                } catch {
                    result.errorCode = error.code
                    result.errorMessage = error.message
                }
                return result
            }
        }
    }

    private func settings(_ type: Int8, _ name: String) throws(RequestFailure) -> [Setting] {
        switch type {
        case ResourceType.topic:
            guard let topic = directory.topics[name] else {
                throw RequestFailure(.unknownTopicOrPartition, "there is no topic \(name)")
            }
            return try topicSettings(topic)
        case ResourceType.broker:
            guard name.isEmpty || name == String(configuration.nodeID) else {
                throw RequestFailure(.invalidRequest, "there is no broker \(name), only \(configuration.nodeID)")
            }
            return brokerSettings
        default:
            throw RequestFailure(.invalidRequest, "resource type \(type) has no configuration here; topics (2) and brokers (4) have")
        }
    }

    /// What a topic says itself, what the broker says for all, and what counts when nobody says anything.
    private func topicSettings(_ topic: Topic) throws(RequestFailure) -> [Setting] {
        let effective = try RequestFailure.fromStorage { () throws(StorageError) in try directory.configuration(of: topic) }
        let ofBroker = Broker.shownSettings(configuration.topicDefaults)
        let byDefault = Broker.shownSettings(LogConfiguration())
        return Broker.shownSettings(effective).sorted { $0.key < $1.key }.map { name, value in
            let description = SettingDescription.ofTopics[name]
            let brokerName = description?.brokerName ?? name
            var values: [Setting.Value] = []
            if topic.overrides[name] != nil { values.append(.init(name: name, value: value, source: .topic)) }
            if let broker = ofBroker[name], broker != byDefault[name] {
                values.append(.init(name: values.isEmpty ? name : brokerName, value: broker, source: .staticBroker))
            }
            if let usual = byDefault[name] {
                values.append(.init(name: values.isEmpty ? name : brokerName, value: usual, source: .byDefault))
            }
            return Setting(
                values: values, type: description?.type ?? .string, documentation: description?.documentation, isReadOnly: false)
        }
    }

    /// The settings that have an effect, and those that are the same for all topics and that clients look for.
    private static func shownSettings(_ configuration: LogConfiguration) -> [String: String] {
        var settings = ["compression.type": "producer", "message.timestamp.type": "CreateTime", "min.insync.replicas": "1"]
        for setting in configuration.settings { settings[setting.name] = setting.value }
        return settings
    }

    private var brokerSettings: [Setting] {
        let defaults = configuration.topicDefaults
        let settings: [(name: String, value: String, type: SettingType)] = [
            ("auto.create.topics.enable", "\(configuration.createsTopicsOnUse)", .boolean),
            ("broker.id", "\(configuration.nodeID)", .int),
            ("default.replication.factor", "1", .int),
            ("group.max.session.timeout.ms", "\(configuration.groups.maximumSessionTimeoutMilliseconds)", .int),
            ("group.max.size", "\(configuration.groups.maximumMembers)", .int),
            ("group.min.session.timeout.ms", "\(configuration.groups.minimumSessionTimeoutMilliseconds)", .int),
            ("log.cleanup.policy", defaults.cleanupPolicy.rawValue, .list),
            ("log.dirs", configuration.directory, .string),
            ("log.retention.bytes", "\(defaults.retentionBytes)", .long),
            ("log.retention.ms", "\(defaults.retentionMilliseconds)", .long),
            ("log.roll.ms", "\(defaults.segmentMilliseconds)", .long),
            ("log.segment.bytes", "\(defaults.segmentBytes)", .int),
            ("max.connections", "\(configuration.limits.connections)", .int),
            ("message.max.bytes", "\(defaults.maxMessageBytes)", .int),
            ("min.insync.replicas", "1", .int),
            ("num.partitions", "\(configuration.defaultPartitions)", .int),
            ("offset.metadata.max.bytes", "\(configuration.groups.maximumOffsetMetadataBytes)", .int),
            ("offsets.retention.minutes", "\(configuration.groups.offsetsRetentionMilliseconds / 60_000)", .int),
            ("socket.request.max.bytes", "\(configuration.limits.requestBytes)", .int),
            ("transaction.max.timeout.ms", "\(configuration.transactions.maximumTimeoutMilliseconds)", .int),
        ]
        return settings.map { setting in
            Setting(
                values: [.init(name: setting.name, value: setting.value, source: .staticBroker)], type: setting.type,
                documentation: SettingDescription.ofTopics.values.first { $0.brokerName == setting.name }?.documentation, isReadOnly: true)
        }
    }

    private func describe(_ setting: Setting, _ request: DescribeConfigsRequest) -> DescribeConfigsResponse.Result.Entry {
        let effective = setting.values[0]
        return .init {
            $0.name = effective.name
            $0.value = effective.value
            $0.readOnly = setting.isReadOnly
            $0.configSource = effective.source.rawValue
            $0.isDefault = effective.source == .byDefault
            $0.configType = setting.type.rawValue
            if request.includeDocumentation { $0.documentation = setting.documentation }
            if request.includeSynonyms {
                $0.synonyms = setting.values.map { value in
                    .init {
                        $0.name = value.name
                        $0.value = value.value
                        $0.source = value.source.rawValue
                    }
                }
            }
        }
    }
}
