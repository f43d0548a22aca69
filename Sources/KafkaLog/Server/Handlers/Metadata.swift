import KafkaLogProtocol
import KafkaLogStorage

extension Broker {
    /// What clients learn first: this broker, and each topic with this broker as the leader of all partitions.
    func metadata(_ request: MetadataRequest, _ reply: Reply<MetadataRequest>) {
        var response = MetadataResponse()
        response.brokers = [
            .init {
                $0.nodeID = configuration.nodeID
                $0.host = reply.connection.listener.advertisedHost
                $0.port = Int32(reply.connection.listener.advertisedPort)
            }
        ]
        response.clusterID = directory.clusterID
        response.controllerID = configuration.nodeID
        if let wanted = request.topics, !(reply.version == 0 && wanted.isEmpty) {
            response.topics =
                wanted.compactMap(\.name).unique.map { describe($0, mayCreate: request.allowAutoTopicCreation) }
                + wanted.filter { $0.name == nil }.map(\.topicID).unique.map(describe)
        } else {
            response.topics = directory.topics.values.sorted { $0.name < $1.name }.map(describe)
        }
        answer(reply, response)
    }

    private func describe(_ name: String, mayCreate: Bool) -> MetadataResponse.Topic {
        if let topic = directory.topics[name] { return describe(topic) }
        var failure = ErrorCode.unknownTopicOrPartition
        if mayCreate && configuration.createsTopicsOnUse {
            do throws(RequestFailure) {
                return describe(try createTopic(name, partitions: configuration.defaultPartitions, overrides: [:]))
            } catch {
                failure = error.code
            }
        }
        return .init {
            $0.name = name
            $0.errorCode = failure
        }
    }

    /// The name of the topic that a request means. By id (KIP-516) it is nil when no topic has it: one that has taken the name of
    /// another since is not the one that was meant.
    func topicName(_ name: String, _ id: WireUUID, usesID: Bool) -> String? {
        usesID ? directory.topic(TopicID(high: id.high, low: id.low))?.name : name
    }

    private func describe(_ id: WireUUID) -> MetadataResponse.Topic {
        if let topic = directory.topic(TopicID(high: id.high, low: id.low)) { return describe(topic) }
        return .init {
            $0.topicID = id
            $0.errorCode = .unknownTopicID
        }
    }

    private func describe(_ topic: Topic) -> MetadataResponse.Topic {
        .init {
            $0.name = topic.name
            $0.topicID = WireUUID(high: topic.id.high, low: topic.id.low)
            $0.partitions = (0..<topic.partitionCount).map { index in
                .init {
                    $0.index = index
                    $0.leaderID = configuration.nodeID
                    $0.leaderEpoch = Broker.leaderEpoch
                    $0.replicas = [configuration.nodeID]
                    $0.inSyncReplicas = [configuration.nodeID]
                }
            }
        }
    }

    func describeCluster(_ request: DescribeClusterRequest, _ reply: Reply<DescribeClusterRequest>) {
        let brokers: Int8 = 1, controllers: Int8 = 2
        guard request.endpointType == brokers else {
            return answer(reply) {
                $0.errorCode = request.endpointType == controllers ? .mismatchedEndpointType : .unsupportedEndpointType
                $0.errorMessage = "this endpoint is a broker's (1), not of type \(request.endpointType)"
            }
        }
        answer(reply) {
            $0.clusterID = directory.clusterID
            $0.controllerID = configuration.nodeID
            $0.brokers = [
                .init {
                    $0.brokerID = configuration.nodeID
                    $0.host = reply.connection.listener.advertisedHost
                    $0.port = Int32(reply.connection.listener.advertisedPort)
                }
            ]
        }
    }

    /// This broker coordinates everything.
    func findCoordinator(_ request: FindCoordinatorRequest, _ reply: Reply<FindCoordinatorRequest>) {
        let known = request.keyType == 0 || request.keyType == 1
        let listener = reply.connection.listener
        answer(reply) {
            $0.errorCode = known ? .none : .invalidRequest
            $0.nodeID = known ? configuration.nodeID : -1
            $0.host = known ? listener.advertisedHost : ""
            $0.port = known ? Int32(listener.advertisedPort) : -1
            $0.coordinators = request.coordinatorKeys.map { key in
                .init {
                    $0.key = key
                    $0.errorCode = known ? .none : .invalidRequest
                    $0.nodeID = known ? configuration.nodeID : -1
                    $0.host = known ? listener.advertisedHost : ""
                    $0.port = known ? Int32(listener.advertisedPort) : -1
                }
            }
        }
    }

    func apiVersions(errorCode: ErrorCode = .none) -> ApiVersionsResponse {
        ApiVersionsResponse {
            $0.errorCode = errorCode
            $0.apiKeys = ApiKey.allCases.map { api in
                .init {
                    $0.apiKey = api.rawValue
                    $0.minVersion = api.versions.lowerBound
                    $0.maxVersion = api.versions.upperBound
                }
            }
        }
    }
}
