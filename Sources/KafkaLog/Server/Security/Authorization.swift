import KafkaLogProtocol
import KafkaLogStorage

/// What a connection may do under an allow list. A connection without one may do everything.
struct Access {
    let principal: String
    let authorizer: Authorizer

    func may(_ operation: AclOperation, _ resource: AclResource) -> Bool { authorizer.allows(principal, operation, resource) }
}

/// What becomes of a request under an allow list.
enum Authorization<Request: RequestMessage> {
    /// Nothing was in the way.
    case granted
    /// What may not be seen has to be taken out of the answer; it is no refusal.
    case filtered((inout Request.Response) -> Void)
    /// A part of the request was taken out of it; its refusal has to be put into the answer.
    case restricted((inout Request.Response) -> Void)
    case refused(Request.Response)
}

/// A request that says what it takes to be allowed. Every request that is dispatched has to: handlers see only what may be done.
protocol AuthorizedRequest: RequestMessage {
    /// Takes out of the request what `access` does not allow.
    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self>
}

extension Array {
    /// Removes the elements that are not allowed, and returns them.
    mutating func takeOut(unless isAllowed: (Element) -> Bool) -> [Element] {
        // Most requests ask for nothing that is not allowed.
        guard !allSatisfy(isAllowed) else { return [] }
        let refused = filter { !isAllowed($0) }
        self = filter(isAllowed)
        return refused
    }
}

extension Broker {
    /// Cuts a request down to what its connection may ask for.
    func authorize<Request: AuthorizedRequest>(
        _ request: inout Request, _ header: RequestHeader, _ connection: Connection
    ) -> Authorization<Request> {
        guard let access = connection.access else { return .granted }
        let authorization = request.authorize(access, header.version, self)
        switch authorization {
        case .granted, .filtered: break
        case .restricted, .refused:
            counters.deniedRequests += 1
            // Once a connection: a client that is refused comes again and again.
            if !connection.wasDenied {
                connection.wasDenied = true
                configuration.log(
                    LogEvent(
                        .warning, "denied by the allow list",
                        [
                            "principal": access.principal, "request": "\(Request.api)", "peer": connection.peer,
                            "client": connection.clientID,
                        ]))
            }
        }
        return authorization
    }
}

// Each request with the operations that Kafka asks for it; refusals as Kafka words them.

extension ApiVersionsRequest: AuthorizedRequest {
    func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> { .granted }
}

extension DescribeClusterRequest: AuthorizedRequest {
    func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> { .granted }
}

extension SaslHandshakeRequest: AuthorizedRequest {
    func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> { .granted }
}

extension SaslAuthenticateRequest: AuthorizedRequest {
    func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> { .granted }
}

// Topics

extension MetadataRequest: AuthorizedRequest {
    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        let mayCreate = allowAutoTopicCreation && broker.configuration.createsTopicsOnUse
        var refused: [Topic] = []
        if var wanted = topics {
            refused = wanted.takeOut { topic in
                guard let name = broker.topicName(topic.name ?? "", topic.topicID, usesID: topic.name == nil) else { return true }
                guard access.may(.describe, .topic(name)) else { return false }
                return !mayCreate || broker.directory.topics[name] != nil || access.mayCreate(name)
            }
            topics = wanted
        }
        let filter = { (response: inout MetadataResponse) in
            response.topics.removeAll { !access.may(.describe, topic: $0.name) }
            response.topics += refused.map { topic in
                .init {
                    $0.name = topic.name
                    $0.topicID = topic.topicID
                    $0.errorCode = .topicAuthorizationFailed
                }
            }
        }
        return refused.isEmpty ? .filtered(filter) : .restricted(filter)
    }
}

extension Access {
    /// - Parameter topic: nil for one that an id stands for that no topic has: its handler says so.
    func may(_ operation: AclOperation, topic: String?) -> Bool { topic.map { may(operation, .topic($0)) } ?? true }

    func mayCreate(_ topic: String) -> Bool { may(.create, .topic(topic)) || may(.create, .cluster) }
}

extension CreateTopicsRequest: AuthorizedRequest {
    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        let refused = topics.takeOut { access.mayCreate($0.name) }
        guard !refused.isEmpty else { return .granted }
        return .restricted { response in
            response.topics += refused.map { topic in
                .init {
                    $0.name = topic.name
                    $0.errorCode = .topicAuthorizationFailed
                    $0.errorMessage = "creating this topic is not allowed"
                }
            }
        }
    }
}

extension DeleteTopicsRequest: AuthorizedRequest {
    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        let names = topicNames.takeOut { access.may(.delete, .topic($0)) }.map { name in Topic { $0.name = name } }
        let refused = names + topics.takeOut { topic in
            access.may(.delete, topic: broker.topicName(topic.name ?? "", topic.topicID, usesID: topic.name == nil))
        }
        guard !refused.isEmpty else { return .granted }
        return .restricted { response in
            response.topics += refused.map { topic in
                .init {
                    $0.name = topic.name
                    $0.topicID = topic.topicID
                    $0.errorCode = .topicAuthorizationFailed
                    $0.errorMessage = "deleting this topic is not allowed"
                }
            }
        }
    }
}

extension CreatePartitionsRequest: AuthorizedRequest {
    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        let refused = topics.takeOut { access.may(.alter, .topic($0.name)) }
        guard !refused.isEmpty else { return .granted }
        return .restricted { response in
            response.results += refused.map { topic in
                .init {
                    $0.name = topic.name
                    $0.errorCode = .topicAuthorizationFailed
                    $0.errorMessage = "altering this topic is not allowed"
                }
            }
        }
    }
}

extension DescribeConfigsRequest: AuthorizedRequest {
    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        let refused = resources.takeOut { access.may(.describeConfigs, AclResource(configurationOf: $0.resourceType, $0.resourceName)) }
        guard !refused.isEmpty else { return .granted }
        return .restricted { response in
            response.results += refused.map { resource in
                .init {
                    $0.resourceType = resource.resourceType
                    $0.resourceName = resource.resourceName
                    $0.errorCode = ErrorCode(deniedConfigurationOf: resource.resourceType)
                    $0.errorMessage = "describing this configuration is not allowed"
                }
            }
        }
    }
}

extension IncrementalAlterConfigsRequest: AuthorizedRequest {
    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        let refused = resources.takeOut { access.may(.alterConfigs, AclResource(configurationOf: $0.resourceType, $0.resourceName)) }
        guard !refused.isEmpty else { return .granted }
        return .restricted { response in
            response.responses += refused.map { resource in
                .init {
                    $0.resourceType = resource.resourceType
                    $0.resourceName = resource.resourceName
                    $0.errorCode = ErrorCode(deniedConfigurationOf: resource.resourceType)
                    $0.errorMessage = "altering this configuration is not allowed"
                }
            }
        }
    }
}

extension AlterConfigsRequest: AuthorizedRequest {
    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        let refused = resources.takeOut { access.may(.alterConfigs, AclResource(configurationOf: $0.resourceType, $0.resourceName)) }
        guard !refused.isEmpty else { return .granted }
        return .restricted { response in
            response.responses += refused.map { resource in
                .init {
                    $0.resourceType = resource.resourceType
                    $0.resourceName = resource.resourceName
                    $0.errorCode = ErrorCode(deniedConfigurationOf: resource.resourceType)
                    $0.errorMessage = "altering this configuration is not allowed"
                }
            }
        }
    }
}

extension DescribeTopicPartitionsRequest: AuthorizedRequest {
    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        let refused = topics.takeOut { access.may(.describe, .topic($0.name)) }
        let refusals: [DescribeTopicPartitionsResponse.Topic] = refused.map { topic in
            .init {
                $0.name = topic.name
                $0.errorCode = .topicAuthorizationFailed
            }
        }
        // Without names it would ask for all topics.
        if topics.isEmpty, !refused.isEmpty { return .refused(DescribeTopicPartitionsResponse { $0.topics = refusals }) }
        let amend = { (response: inout DescribeTopicPartitionsResponse) in
            response.topics.removeAll { !access.may(.describe, topic: $0.name) }
            response.topics += refusals
        }
        return refused.isEmpty ? .filtered(amend) : .restricted(amend)
    }
}

extension DescribeLogDirsRequest: AuthorizedRequest {
    func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        access.may(.describe, .cluster) ? .granted : .refused(DescribeLogDirsResponse { $0.errorCode = .clusterAuthorizationFailed })
    }
}

extension AclResource {
    /// - Parameter type: Kafka's number of a kind of resource: 2 is a topic.
    init(configurationOf type: Int8, _ name: String) { self = type == 2 ? .topic(name) : .cluster }
}

extension ErrorCode {
    init(deniedConfigurationOf type: Int8) { self = type == 2 ? .topicAuthorizationFailed : .clusterAuthorizationFailed }
}

// Records and offsets

extension ProduceRequest: AuthorizedRequest {
    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        let mayWriteTransaction = transactionalID.map { access.may(.write, .transactionalID($0)) } ?? !hasTransactionalRecords
        guard mayWriteTransaction else {
            return .refused(ProduceResponse { $0.topics = Self.refusals(of: topics, .transactionalIDAuthorizationFailed) })
        }
        let refused = topics.takeOut { access.may(.write, .topic($0.name)) }
        guard !refused.isEmpty else { return .granted }
        return .restricted { $0.topics += Self.refusals(of: refused, .topicAuthorizationFailed) }
    }

    /// Whether a batch claims to be part of a transaction: the request then has to name whose.
    private var hasTransactionalRecords: Bool {
        // The low byte of a batch's attributes, and its bit for transactions.
        let attributesPosition = 22, transactional: UInt8 = 0x10
        return topics.contains { topic in
            topic.partitions.contains { partition in
                guard case .bytes(let bytes) = partition.records, bytes.count > attributesPosition else { return false }
                return bytes.withUnsafeBytes { $0[attributesPosition] & transactional != 0 }
            }
        }
    }

    private static func refusals(of topics: [Topic], _ code: ErrorCode) -> [ProduceResponse.Topic] {
        topics.map { topic in
            .init {
                $0.name = topic.name
                $0.partitions = topic.partitions.map { partition in
                    .init {
                        $0.index = partition.index
                        $0.baseOffset = -1
                        $0.errorCode = code
                    }
                }
            }
        }
    }
}

extension FetchRequest: AuthorizedRequest {
    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        let refused = topics.takeOut { access.may(.read, topic: broker.topicName($0.name, $0.topicID, usesID: version >= 13)) }
        guard !refused.isEmpty else { return .granted }
        // A refusal is not kept waiting for records.
        maxWaitMilliseconds = 0
        return .restricted { response in
            response.topics += refused.map { topic in
                .init {
                    $0.name = topic.name
                    $0.topicID = topic.topicID
                    $0.partitions = topic.partitions.map { partition in
                        .init {
                            $0.index = partition.index
                            $0.errorCode = .topicAuthorizationFailed
                            $0.highWatermark = -1
                            $0.records = .file([])
                        }
                    }
                }
            }
        }
    }
}

extension ListOffsetsRequest: AuthorizedRequest {
    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        let refused = topics.takeOut { access.may(.describe, .topic($0.name)) }
        guard !refused.isEmpty else { return .granted }
        return .restricted { response in
            response.topics += refused.map { topic in
                .init {
                    $0.name = topic.name
                    $0.partitions = topic.partitions.map { partition in
                        .init {
                            $0.index = partition.index
                            $0.errorCode = .topicAuthorizationFailed
                        }
                    }
                }
            }
        }
    }
}

extension OffsetForLeaderEpochRequest: AuthorizedRequest {
    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        let refused = topics.takeOut { access.may(.describe, .topic($0.name)) }
        guard !refused.isEmpty else { return .granted }
        return .restricted { response in
            response.topics += refused.map { topic in
                .init {
                    $0.name = topic.name
                    $0.partitions = topic.partitions.map { partition in
                        .init {
                            $0.index = partition.index
                            $0.errorCode = .topicAuthorizationFailed
                        }
                    }
                }
            }
        }
    }
}

extension DeleteRecordsRequest: AuthorizedRequest {
    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        let refused = topics.takeOut { access.may(.delete, .topic($0.name)) }
        guard !refused.isEmpty else { return .granted }
        return .restricted { response in
            response.topics += refused.map { topic in
                .init {
                    $0.name = topic.name
                    $0.partitions = topic.partitions.map { partition in
                        .init {
                            $0.index = partition.index
                            $0.lowWatermark = -1
                            $0.errorCode = .topicAuthorizationFailed
                        }
                    }
                }
            }
        }
    }
}
