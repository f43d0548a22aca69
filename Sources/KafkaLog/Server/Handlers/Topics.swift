import KafkaLogProtocol
import KafkaLogStorage

extension Broker {
    /// Creates a topic; durable when it returns.
    func createTopic(_ name: String, partitions count: Int32, overrides: [String: String]) throws(RequestFailure) -> Topic {
        try checkRoom(for: count)
        let topic = try RequestFailure.fromStorage { () throws(StorageError) in
            try directory.createTopic(name, partitions: count, overrides: overrides)
        }
        configuration.log(LogEvent(.info, "topic created", ["topic": name, "partitions": "\(count)"]))
        return topic
    }

    private func checkRoom(for count: Int32) throws(RequestFailure) {
        let present = directory.topics.values.reduce(0) { $0 + Int($1.partitionCount) }
        guard present + Int(count) <= configuration.limits.partitions else {
            throw RequestFailure(
                .policyViolation, "\(count) more partitions would exceed the limit of \(configuration.limits.partitions), \(present) are there")
        }
    }

    func createTopics(_ request: CreateTopicsRequest, _ reply: Reply<CreateTopicsRequest>) {
        let repeated = Set(Dictionary(grouping: request.topics, by: \.name).filter { $0.value.count > 1 }.keys)
        answer(reply) { response in
            response.topics = request.topics.map { wanted in
                var result = CreateTopicsResponse.Topic { $0.name = wanted.name }
                do throws(RequestFailure) {
                    guard !repeated.contains(wanted.name) else {
                        throw RequestFailure(.invalidRequest, "the topic \(wanted.name) is in the request more than once")
                    }
                    let count = try partitionCount(wanted)
                    var overrides: [String: String] = [:]
                    for entry in wanted.configs {
                        if let value = entry.value { overrides[entry.name] = SettingDescription.normalised(value, of: entry.name) }
                    }
                    result.numPartitions = count
                    result.replicationFactor = 1
                    if request.validateOnly {
                        try checkRoom(for: count)
                        try RequestFailure.fromStorage { () throws(StorageError) in
                            try directory.validateNewTopic(wanted.name, partitions: count, overrides: overrides)
                        }
                    } else {
                        let topic = try createTopic(wanted.name, partitions: count, overrides: overrides)
                        result.topicID = WireUUID(high: topic.id.high, low: topic.id.low)
                    }
                } catch {
                    result.errorCode = error.code
                    result.errorMessage = error.message
                }
                return result
            }
        }
    }

    private func partitionCount(_ wanted: CreateTopicsRequest.Topic) throws(RequestFailure) -> Int32 {
        if !wanted.assignments.isEmpty {
            guard wanted.numPartitions == -1, wanted.replicationFactor == -1 else {
                throw RequestFailure(.invalidRequest, "\(wanted.name): either a number of partitions and replicas, or assignments, not both")
            }
            let indexes = wanted.assignments.map(\.index).sorted()
            guard indexes.elementsEqual(0..<Int32(clamping: indexes.count)),
                wanted.assignments.allSatisfy({ $0.brokerIDs == [configuration.nodeID] })
            else {
                throw RequestFailure(
                    .invalidReplicaAssignment, "\(wanted.name): expected partitions from 0 on, each on broker \(configuration.nodeID) alone")
            }
            return Int32(clamping: indexes.count)
        }
        guard wanted.replicationFactor == -1 || wanted.replicationFactor == 1 else {
            throw RequestFailure(.invalidReplicationFactor, "\(wanted.name): this cluster has one broker, not \(wanted.replicationFactor)")
        }
        let count = wanted.numPartitions == -1 ? configuration.defaultPartitions : wanted.numPartitions
        guard count > 0 else { throw RequestFailure(.invalidPartitions, "\(wanted.name): expected 1 partition or more, not \(count)") }
        return count
    }

    func deleteTopics(_ request: DeleteTopicsRequest, _ reply: Reply<DeleteTopicsRequest>) {
        answer(reply) { response in
            let named = request.topicNames.map { name in DeleteTopicsRequest.Topic { $0.name = name } }
            response.topics = (named + request.topics).map { wanted in
                var result = DeleteTopicsResponse.Topic {
                    $0.name = wanted.name
                    $0.topicID = wanted.topicID
                }
                do throws(RequestFailure) {
                    if let name = wanted.name {
                        result.topicID = try deleteTopic(name)
                    } else if let topic = directory.topic(TopicID(high: wanted.topicID.high, low: wanted.topicID.low)) {
                        result.name = topic.name
                        _ = try deleteTopic(topic.name)
                    } else {
                        result.errorCode = .unknownTopicID
                    }
                } catch {
                    result.errorCode = error.code
                    result.errorMessage = error.message
                }
                return result
            }
        }
    }

    /// Deletes a topic with everything that waits for it; returns the id it had.
    private func deleteTopic(_ name: String) throws(RequestFailure) -> WireUUID {
        guard let topic = directory.topics[name] else {
            throw RequestFailure(.unknownTopicOrPartition, "there is no topic \(name)")
        }
        try RequestFailure.fromStorage { () throws(StorageError) in try directory.deleteTopic(name) }
        for index in 0..<topic.partitionCount {
            guard let state = partitions.removeValue(forKey: TopicPartition(name, index)) else { continue }
            for waiting in state.waitingProduces where waiting.produce.isWaiting { fail(waiting.produce, .unknownTopicOrPartition) }
            for parked in Array(state.parkedFetches.values) { finishFetch(parked) }
            abandonMarkers(state)
        }
        counters.topics[name] = nil
        forgetOffsets(ofTopic: name)
        configuration.log(LogEvent(.info, "topic deleted", ["topic": name]))
        return WireUUID(high: topic.id.high, low: topic.id.low)
    }

    func createPartitions(_ request: CreatePartitionsRequest, _ reply: Reply<CreatePartitionsRequest>) {
        answer(reply) { response in
            response.results = request.topics.map { wanted in
                var result = CreatePartitionsResponse.Result { $0.name = wanted.name }
                do throws(RequestFailure) {
                    guard let topic = directory.topics[wanted.name] else {
                        throw RequestFailure(.unknownTopicOrPartition, "there is no topic \(wanted.name)")
                    }
                    guard wanted.count > topic.partitionCount else {
                        throw RequestFailure(.invalidPartitions, "\(wanted.name) has \(topic.partitionCount) partitions; expected more, not \(wanted.count)")
                    }
                    if let assignments = wanted.assignments {
                        guard assignments.count == Int(wanted.count) - Int(topic.partitionCount),
                            assignments.allSatisfy({ $0.brokerIDs == [configuration.nodeID] })
                        else {
                            throw RequestFailure(
                                .invalidReplicaAssignment,
                                "\(wanted.name): expected one assignment for each new partition, on broker \(configuration.nodeID) alone")
                        }
                    }
                    try checkRoom(for: wanted.count - topic.partitionCount)
                    if !request.validateOnly {
                        try RequestFailure.fromStorage { () throws(StorageError) in
                            try directory.addPartitions(wanted.name, count: wanted.count)
                        }
                    }
                } catch {
                    result.errorCode = error.code
                    result.errorMessage = error.message
                }
                return result
            }
        }
    }
}
