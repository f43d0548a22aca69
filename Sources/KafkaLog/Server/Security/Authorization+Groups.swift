import KafkaLogProtocol

// What requests of groups and transactions take to be allowed, as in Kafka.

extension JoinGroupRequest: AuthorizedRequest {
    func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        access.may(.read, .group(groupID)) ? .granted : .refused(JoinGroupResponse { $0.errorCode = .groupAuthorizationFailed })
    }
}

extension SyncGroupRequest: AuthorizedRequest {
    func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        access.may(.read, .group(groupID)) ? .granted : .refused(SyncGroupResponse { $0.errorCode = .groupAuthorizationFailed })
    }
}

extension HeartbeatRequest: AuthorizedRequest {
    func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        access.may(.read, .group(groupID)) ? .granted : .refused(HeartbeatResponse { $0.errorCode = .groupAuthorizationFailed })
    }
}

extension LeaveGroupRequest: AuthorizedRequest {
    func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        access.may(.read, .group(groupID)) ? .granted : .refused(LeaveGroupResponse { $0.errorCode = .groupAuthorizationFailed })
    }
}

extension DescribeGroupsRequest: AuthorizedRequest {
    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        let refused = groups.takeOut { access.may(.describe, .group($0)) }
        guard !refused.isEmpty else { return .granted }
        return .restricted { response in
            response.groups += refused.map { id in
                .init {
                    $0.groupID = id
                    $0.errorCode = .groupAuthorizationFailed
                }
            }
        }
    }
}

extension ListGroupsRequest: AuthorizedRequest {
    func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        if access.may(.describe, .cluster) { return .granted }
        return .filtered { response in response.groups.removeAll { !access.may(.describe, .group($0.groupID)) } }
    }
}

extension DeleteGroupsRequest: AuthorizedRequest {
    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        let refused = groups.takeOut { access.may(.delete, .group($0)) }
        guard !refused.isEmpty else { return .granted }
        return .restricted { response in
            response.results += refused.map { id in
                .init {
                    $0.groupID = id
                    $0.errorCode = .groupAuthorizationFailed
                }
            }
        }
    }
}

extension FindCoordinatorRequest: AuthorizedRequest {
    private static let transactions: Int8 = 1

    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        let isTransaction = keyType == Self.transactions
        let code = isTransaction ? ErrorCode.transactionalIDAuthorizationFailed : .groupAuthorizationFailed
        let isAllowed = { (key: String) in access.may(.describe, isTransaction ? .transactionalID(key) : .group(key)) }
        if version < 4 {
            return isAllowed(key)
                ? .granted
                : .refused(
                    FindCoordinatorResponse {
                        $0.errorCode = code
                        $0.nodeID = -1
                        $0.port = -1
                    })
        }
        let refused = coordinatorKeys.takeOut(unless: isAllowed)
        guard !refused.isEmpty else { return .granted }
        return .restricted { response in
            response.coordinators += refused.map { key in
                .init {
                    $0.key = key
                    $0.errorCode = code
                    $0.nodeID = -1
                    $0.port = -1
                }
            }
        }
    }
}

// Committed offsets

extension OffsetCommitRequest: AuthorizedRequest {
    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        guard access.may(.read, .group(groupID)) else {
            return .refused(OffsetCommitResponse { $0.topics = Self.refusals(of: topics, .groupAuthorizationFailed) })
        }
        let refused = topics.takeOut { access.may(.read, topic: broker.topicName($0.name, $0.topicID, usesID: version >= 10)) }
        guard !refused.isEmpty else { return .granted }
        let refusals = Self.refusals(of: refused, .topicAuthorizationFailed)
        return topics.isEmpty ? .refused(OffsetCommitResponse { $0.topics = refusals }) : .restricted { $0.topics += refusals }
    }

    private static func refusals(of topics: [Topic], _ code: ErrorCode) -> [OffsetCommitResponse.Topic] {
        topics.map { topic in
            .init {
                $0.name = topic.name
                $0.topicID = topic.topicID
                $0.partitions = topic.partitions.map { partition in
                    .init {
                        $0.index = partition.index
                        $0.errorCode = code
                    }
                }
            }
        }
    }
}

extension TransactionOffsetCommitRequest: AuthorizedRequest {
    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        guard access.may(.write, .transactionalID(transactionalID)) else {
            return .refused(
                TransactionOffsetCommitResponse { $0.topics = Self.refusals(of: topics, .transactionalIDAuthorizationFailed) })
        }
        guard access.may(.read, .group(groupID)) else {
            return .refused(TransactionOffsetCommitResponse { $0.topics = Self.refusals(of: topics, .groupAuthorizationFailed) })
        }
        let refused = topics.takeOut { access.may(.read, .topic($0.name)) }
        guard !refused.isEmpty else { return .granted }
        let refusals = Self.refusals(of: refused, .topicAuthorizationFailed)
        return topics.isEmpty ? .refused(TransactionOffsetCommitResponse { $0.topics = refusals }) : .restricted { $0.topics += refusals }
    }

    private static func refusals(of topics: [Topic], _ code: ErrorCode) -> [TransactionOffsetCommitResponse.Topic] {
        topics.map { topic in
            .init {
                $0.name = topic.name
                $0.partitions = topic.partitions.map { partition in
                    .init {
                        $0.index = partition.index
                        $0.errorCode = code
                    }
                }
            }
        }
    }
}

extension OffsetFetchRequest: AuthorizedRequest {
    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        version < 8 ? authorizeOne(access) : authorizeMany(access) { broker.topicName($0.name, $0.topicID, usesID: version >= 10) }
    }

    private mutating func authorizeOne(_ access: Access) -> Authorization<Self> {
        guard access.may(.describe, .group(groupID)) else {
            return .refused(
                OffsetFetchResponse {
                    $0.errorCode = .groupAuthorizationFailed
                    // Before version 2 there is no other place for the error.
                    $0.topics = Self.refusals(of: topics ?? [], .groupAuthorizationFailed)
                })
        }
        let refused = topics?.takeOut { access.may(.describe, .topic($0.name)) } ?? []
        return Self.authorization(refused.isEmpty) { response in
            response.topics.removeAll { !access.may(.describe, .topic($0.name)) }
            response.topics += Self.refusals(of: refused, .topicAuthorizationFailed)
        }
    }

    private mutating func authorizeMany(_ access: Access, _ name: (Topic) -> String?) -> Authorization<Self> {
        let refusedGroups = groups.takeOut { access.may(.describe, .group($0.groupID)) }
        var refusedTopics: [String: [Topic]] = [:]
        for index in groups.indices {
            let refused = groups[index].topics?.takeOut { access.may(.describe, topic: name($0)) } ?? []
            if !refused.isEmpty { refusedTopics[groups[index].groupID] = refused }
        }
        return Self.authorization(refusedGroups.isEmpty && refusedTopics.isEmpty) { response in
            for index in response.groups.indices {
                // One that an id stands for that no topic has is without a name.
                response.groups[index].topics.removeAll { !$0.name.isEmpty && !access.may(.describe, .topic($0.name)) }
                if let refused = refusedTopics[response.groups[index].groupID] {
                    response.groups[index].topics += Self.refusals(of: refused, .topicAuthorizationFailed)
                }
            }
            response.groups += refusedGroups.map { group in
                .init {
                    $0.groupID = group.groupID
                    $0.errorCode = .groupAuthorizationFailed
                }
            }
        }
    }

    private static func authorization(
        _ isComplete: Bool, _ amend: @escaping (inout OffsetFetchResponse) -> Void
    ) -> Authorization<Self> {
        isComplete ? .filtered(amend) : .restricted(amend)
    }

    private static func refusals(of topics: [Topic], _ code: ErrorCode) -> [OffsetFetchResponse.Topic] {
        topics.map { topic in
            .init {
                $0.name = topic.name
                $0.topicID = topic.topicID
                $0.partitions = topic.partitionIndexes.map { index in
                    .init {
                        $0.index = index
                        $0.committedOffset = -1
                        $0.metadata = ""
                        $0.errorCode = code
                    }
                }
            }
        }
    }
}

extension OffsetDeleteRequest: AuthorizedRequest {
    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        guard access.may(.delete, .group(groupID)) else {
            return .refused(OffsetDeleteResponse { $0.errorCode = .groupAuthorizationFailed })
        }
        let refused = topics.takeOut { access.may(.read, .topic($0.name)) }
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

// Transactions

extension InitProducerIDRequest: AuthorizedRequest {
    func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        let code: ErrorCode
        if let transactionalID {
            if access.may(.write, .transactionalID(transactionalID)) { return .granted }
            code = .transactionalIDAuthorizationFailed
        } else {
            if access.authorizer.allowsWritingSomewhere(access.principal) { return .granted }
            code = .clusterAuthorizationFailed
        }
        return .refused(InitProducerIDResponse { $0.errorCode = code })
    }
}

extension AddPartitionsToTransactionRequest: AuthorizedRequest {
    /// All or nothing, as Kafka does it: beside a refused topic the others are not attempted.
    func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        guard access.may(.write, .transactionalID(transactionalID)) else {
            return refusal { _ in .transactionalIDAuthorizationFailed }
        }
        guard !topics.allSatisfy({ access.may(.write, .topic($0.name)) }) else { return .granted }
        return refusal { access.may(.write, .topic($0)) ? .operationNotAttempted : .topicAuthorizationFailed }
    }

    private func refusal(_ code: (String) -> ErrorCode) -> Authorization<Self> {
        .refused(
            AddPartitionsToTransactionResponse { response in
                response.topics = topics.map { topic in
                    .init {
                        $0.name = topic.name
                        $0.partitions = topic.partitions.map { index in
                            .init {
                                $0.index = index
                                $0.errorCode = code(topic.name)
                            }
                        }
                    }
                }
            })
    }
}

extension AddOffsetsToTransactionRequest: AuthorizedRequest {
    func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        guard access.may(.write, .transactionalID(transactionalID)) else {
            return .refused(AddOffsetsToTransactionResponse { $0.errorCode = .transactionalIDAuthorizationFailed })
        }
        return access.may(.read, .group(groupID))
            ? .granted : .refused(AddOffsetsToTransactionResponse { $0.errorCode = .groupAuthorizationFailed })
    }
}

extension EndTransactionRequest: AuthorizedRequest {
    func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        access.may(.write, .transactionalID(transactionalID))
            ? .granted : .refused(EndTransactionResponse { $0.errorCode = .transactionalIDAuthorizationFailed })
    }
}

extension DescribeTransactionsRequest: AuthorizedRequest {
    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        let refused = transactionalIDs.takeOut { access.may(.describe, .transactionalID($0)) }
        let amend = { (response: inout DescribeTransactionsResponse) in
            for index in response.transactions.indices {
                response.transactions[index].topics.removeAll { !access.may(.describe, .topic($0.name)) }
            }
            response.transactions += refused.map { id in
                .init {
                    $0.transactionalID = id
                    $0.errorCode = .transactionalIDAuthorizationFailed
                }
            }
        }
        return refused.isEmpty ? .filtered(amend) : .restricted(amend)
    }
}

extension ListTransactionsRequest: AuthorizedRequest {
    func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        .filtered { response in response.transactions.removeAll { !access.may(.describe, .transactionalID($0.transactionalID)) } }
    }
}

extension DescribeProducersRequest: AuthorizedRequest {
    mutating func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        let refused = topics.takeOut { access.may(.read, .topic($0.name)) }
        guard !refused.isEmpty else { return .granted }
        return .restricted { response in
            response.topics += refused.map { topic in
                .init {
                    $0.name = topic.name
                    $0.partitions = topic.partitions.map { index in
                        .init {
                            $0.index = index
                            $0.errorCode = .topicAuthorizationFailed
                        }
                    }
                }
            }
        }
    }
}

extension WriteTransactionMarkersRequest: AuthorizedRequest {
    func authorize(_ access: Access, _ version: Int16, _ broker: Broker) -> Authorization<Self> {
        if access.may(.alter, .cluster) { return .granted }
        return .refused(
            WriteTransactionMarkersResponse { response in
                response.markers = markers.map { marker in
                    .init {
                        $0.producerID = marker.producerID
                        $0.topics = marker.topics.map { topic in
                            .init {
                                $0.name = topic.name
                                $0.partitions = topic.partitions.map { index in
                                    .init {
                                        $0.index = index
                                        $0.errorCode = .clusterAuthorizationFailed
                                    }
                                }
                            }
                        }
                    }
                }
            })
    }
}
