import KafkaLogProtocol
import KafkaLogStorage

/// One setting as DescribeConfigs shows it.
private struct Setting {
    /// Kafka's numbers for the type and the origin of a value.
    enum Kind: Int8 {
        case boolean = 1
        case string = 2
        case int = 3
        case long = 5
        case double = 6
        case list = 7
    }
    enum Source: Int8 {
        case topic = 1
        case staticBroker = 4
        case byDefault = 5
    }

    let name: String
    let value: String
    let kind: Kind
    var source: Source = .byDefault
}

extension Broker {
    private enum ResourceType {
        static let topic: Int8 = 2
        static let broker: Int8 = 4
    }

    func describeConfigs(_ request: DescribeConfigsRequest, _ reply: Reply<DescribeConfigsRequest>) {
        answer(reply) { response in
            response.results = request.resources.map { resource in
                var result = DescribeConfigsResponse.Result {
                    $0.resourceType = resource.resourceType
                    $0.resourceName = resource.resourceName
                }
                do throws(RequestFailure) {
                    let settings = try settings(resource.resourceType, resource.resourceName)
                    result.configs = settings
                        .filter { resource.configurationKeys?.contains($0.name) ?? true }
                        .map { describe($0, isTopic: resource.resourceType == ResourceType.topic, withSynonyms: request.includeSynonyms) }
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

    private func topicSettings(_ topic: Topic) throws(RequestFailure) -> [Setting] {
        let effective = try RequestFailure.fromStorage { () throws(StorageError) in try directory.configuration(of: topic) }
        let settings = [
            Setting(name: "cleanup.policy", value: effective.cleanupPolicy.rawValue, kind: .list),
            Setting(name: "compression.type", value: "producer", kind: .string),
            Setting(name: "delete.retention.ms", value: "\(effective.deleteRetentionMilliseconds)", kind: .long),
            Setting(name: "index.interval.bytes", value: "\(effective.indexIntervalBytes)", kind: .int),
            Setting(name: "max.compaction.lag.ms", value: "\(effective.maxCompactionLagMilliseconds)", kind: .long),
            Setting(name: "max.message.bytes", value: "\(effective.maxMessageBytes)", kind: .int),
            Setting(name: "message.timestamp.type", value: "CreateTime", kind: .string),
            Setting(name: "min.cleanable.dirty.ratio", value: "\(effective.minCleanableDirtyRatio)", kind: .double),
            Setting(name: "min.compaction.lag.ms", value: "\(effective.minCompactionLagMilliseconds)", kind: .long),
            Setting(name: "min.insync.replicas", value: "1", kind: .int),
            Setting(name: "retention.bytes", value: "\(effective.retentionBytes)", kind: .long),
            Setting(name: "retention.ms", value: "\(effective.retentionMilliseconds)", kind: .long),
            Setting(name: "segment.bytes", value: "\(effective.segmentBytes)", kind: .int),
            Setting(name: "segment.ms", value: "\(effective.segmentMilliseconds)", kind: .long),
        ]
        return settings.map { setting in
            var setting = setting
            if topic.overrides[setting.name] != nil { setting.source = .topic }
            return setting
        }
    }

    private var brokerSettings: [Setting] {
        let defaults = configuration.topicDefaults
        return [
            Setting(name: "auto.create.topics.enable", value: "\(configuration.createsTopicsOnUse)", kind: .boolean),
            Setting(name: "broker.id", value: "\(configuration.nodeID)", kind: .int),
            Setting(name: "default.replication.factor", value: "1", kind: .int),
            Setting(name: "group.max.session.timeout.ms", value: "\(configuration.groups.maximumSessionTimeoutMilliseconds)", kind: .int),
            Setting(name: "group.min.session.timeout.ms", value: "\(configuration.groups.minimumSessionTimeoutMilliseconds)", kind: .int),
            Setting(name: "log.dirs", value: configuration.directory, kind: .string),
            Setting(name: "log.retention.bytes", value: "\(defaults.retentionBytes)", kind: .long),
            Setting(name: "log.retention.ms", value: "\(defaults.retentionMilliseconds)", kind: .long),
            Setting(name: "log.segment.bytes", value: "\(defaults.segmentBytes)", kind: .int),
            Setting(name: "max.connections", value: "\(configuration.limits.connections)", kind: .int),
            Setting(name: "message.max.bytes", value: "\(defaults.maxMessageBytes)", kind: .int),
            Setting(name: "num.partitions", value: "\(configuration.defaultPartitions)", kind: .int),
            Setting(name: "offsets.retention.minutes", value: "\(configuration.groups.offsetsRetentionMilliseconds / 60_000)", kind: .int),
            Setting(name: "socket.request.max.bytes", value: "\(configuration.limits.requestBytes)", kind: .int),
            Setting(name: "transaction.max.timeout.ms", value: "\(configuration.transactions.maximumTimeoutMilliseconds)", kind: .int),
        ].map { setting in
            var setting = setting
            setting.source = .staticBroker
            return setting
        }
    }

    private func describe(_ setting: Setting, isTopic: Bool, withSynonyms: Bool) -> DescribeConfigsResponse.Result.Entry {
        .init {
            $0.name = setting.name
            $0.value = setting.value
            $0.readOnly = !isTopic
            $0.configSource = setting.source.rawValue
            $0.isDefault = setting.source == .byDefault
            $0.configType = setting.kind.rawValue
            if withSynonyms {
                $0.synonyms = [
                    .init {
                        $0.name = setting.name
                        $0.value = setting.value
                        $0.source = setting.source.rawValue
                    }
                ]
            }
        }
    }

    /// Settings of topics can be changed while they are used; those of the broker are in its configuration file.
    func incrementalAlterConfigs(_ request: IncrementalAlterConfigsRequest, _ reply: Reply<IncrementalAlterConfigsRequest>) {
        answer(reply) { response in
            response.responses = request.resources.map { resource in
                var result = IncrementalAlterConfigsResponse.Response {
                    $0.resourceType = resource.resourceType
                    $0.resourceName = resource.resourceName
                }
                do throws(RequestFailure) {
                    try alter(resource, validateOnly: request.validateOnly)
                } catch {
                    result.errorCode = error.code
                    result.errorMessage = error.message
                }
                return result
            }
        }
    }

    private func alter(_ resource: IncrementalAlterConfigsRequest.Resource, validateOnly: Bool) throws(RequestFailure) {
        guard resource.resourceType == ResourceType.topic else {
            throw RequestFailure(.invalidRequest, "only the configuration of topics can be changed while the broker runs")
        }
        guard let topic = directory.topics[resource.resourceName] else {
            throw RequestFailure(.unknownTopicOrPartition, "there is no topic \(resource.resourceName)")
        }
        var overrides = topic.overrides
        for entry in resource.configs {
            switch entry.configOperation {
            case 0: overrides[entry.name] = entry.value
            case 1: overrides[entry.name] = nil
            default:
                throw RequestFailure(.invalidConfig, "\(entry.name): a value can be set or deleted; appending and subtracting are not supported")
            }
        }
        try RequestFailure.fromStorage { () throws(StorageError) in
            var configuration = configuration.topicDefaults
            for (name, value) in overrides { try configuration.set(name, to: value) }
            if !validateOnly { try directory.setOverrides(overrides, of: topic.name) }
        }
    }
}
