import KafkaLogCoordination
import KafkaLogGroups
import KafkaLogProtocol
import KafkaLogTransactions

extension Broker {
    func offsetCommit(_ request: OffsetCommitRequest, _ reply: Reply<OffsetCommitRequest>) {
        var outline = OffsetCommitOutline()
        var offsets: [KafkaLogGroups.OffsetCommitRequest.Offset] = []
        // A member of a group that is gone: told apart from one of another generation since version 9.
        let isGone = reply.version >= 9 && request.generation >= 0 && !groups.knows(groupID: request.groupID)
        for topic in request.topics {
            let name = topicName(topic.name, topic.topicID, usesID: reply.version >= 10)
            var codes: [(index: Int32, errorCode: ErrorCode)] = []
            for partition in topic.partitions {
                guard let name, exists(TopicPartition(name, partition.index)) else {
                    codes.append((partition.index, name == nil ? .unknownTopicID : .unknownTopicOrPartition))
                    continue
                }
                codes.append((partition.index, isGone ? .groupIDNotFound : .none))
                guard !isGone else { continue }
                offsets.append(
                    .init(
                        .init(name, partition.index), offset: partition.committedOffset,
                        leaderEpoch: partition.committedLeaderEpoch, metadata: partition.committedMetadata ?? ""))
            }
            outline.topics.append((name ?? "", topic.topicID, codes))
        }
        guard !offsets.isEmpty || outline.topics.isEmpty else { return answer(reply, offsetCommitResponse(outline)) }
        perform(
            groups.commitOffsets(
                .init(
                    groupID: request.groupID, generation: request.generation, memberID: request.memberID,
                    groupInstanceID: request.groupInstanceID, offsets: offsets),
                token(for: .offsetCommit(reply, outline)), coordinatorTime))
    }

    func transactionOffsetCommit(_ request: TransactionOffsetCommitRequest, _ reply: Reply<TransactionOffsetCommitRequest>) {
        var outline = OffsetCommitOutline()
        var offsets: [KafkaLogGroups.OffsetCommitRequest.Offset] = []
        let producer = ProducerIDAndEpoch(producerID: request.producerID, epoch: request.producerEpoch)
        var refusal = ErrorCode.none
        do throws(TransactionError) {
            try transactions.verify(producer, groupID: request.groupID)
        } catch {
            refusal = ErrorCode(rawValue: error.rawValue)
        }
        for topic in request.topics {
            var codes: [(index: Int32, errorCode: ErrorCode)] = []
            for partition in topic.partitions {
                let isKnown = exists(TopicPartition(topic.name, partition.index))
                codes.append((partition.index, isKnown ? refusal : .unknownTopicOrPartition))
                guard isKnown, refusal == .none else { continue }
                offsets.append(
                    .init(
                        .init(topic.name, partition.index), offset: partition.committedOffset,
                        leaderEpoch: partition.committedLeaderEpoch, metadata: partition.committedMetadata ?? ""))
            }
            outline.topics.append((topic.name, .zero, codes))
        }
        guard !offsets.isEmpty else { return answer(reply, transactionOffsetCommitResponse(outline)) }
        perform(
            groups.commitTransactionOffsets(
                .init(
                    groupID: request.groupID, generation: request.generation, memberID: request.memberID,
                    groupInstanceID: request.groupInstanceID, offsets: offsets),
                producerID: request.producerID, token(for: .transactionOffsetCommit(reply, outline)), coordinatorTime))
    }

    func offsetCommitResponse(_ outline: OffsetCommitOutline) -> OffsetCommitResponse {
        OffsetCommitResponse {
            $0.topics = outline.topics.map { topic in
                .init {
                    $0.name = topic.name
                    $0.topicID = topic.id
                    $0.partitions = topic.partitions.map { partition in
                        .init {
                            $0.index = partition.index
                            $0.errorCode = partition.errorCode
                        }
                    }
                }
            }
        }
    }

    func transactionOffsetCommitResponse(_ outline: OffsetCommitOutline) -> TransactionOffsetCommitResponse {
        TransactionOffsetCommitResponse {
            $0.topics = outline.topics.map { topic in
                .init {
                    $0.name = topic.name
                    $0.partitions = topic.partitions.map { partition in
                        .init {
                            $0.index = partition.index
                            $0.errorCode = partition.errorCode
                        }
                    }
                }
            }
        }
    }

    /// An offset may be shown whose commit is not durable yet. So the answer waits until it is: who has seen an offset may rely on
    /// it, and would otherwise find an earlier one after a power cut.
    func offsetFetch(_ request: OffsetFetchRequest, _ reply: Reply<OffsetFetchRequest>) {
        var response = OffsetFetchResponse()
        if reply.version < 8 {
            (response.errorCode, response.topics) = fetchOffsets(request.groupID, request.topics, request.requireStable, reply.version)
        } else {
            let repeated = Set(Dictionary(grouping: request.groups, by: \.groupID).filter { $0.value.count > 1 }.keys)
            response.groups = request.groups.map { group in
                .init {
                    $0.groupID = group.groupID
                    guard !repeated.contains(group.groupID) else { return $0.errorCode = .invalidRequest }
                    ($0.errorCode, $0.topics) = fetchOffsets(group.groupID, group.topics, request.requireStable, reply.version)
                }
            }
        }
        whenDurable(.offsetFetch(reply, response))
    }

    private func fetchOffsets(
        _ groupID: String, _ topics: [OffsetFetchRequest.Topic]?, _ requireStable: Bool, _ version: Int16
    ) -> (ErrorCode, [OffsetFetchResponse.Topic]) {
        let usesIDs = version >= 10
        var unknown: [OffsetFetchResponse.Topic] = []
        let wanted = topics.map { topics in
            topics.flatMap { topic -> [KafkaLogCoordination.TopicPartition] in
                guard let name = topicName(topic.name, topic.topicID, usesID: usesIDs) else {
                    unknown.append(unknownTopic(topic))
                    return []
                }
                return topic.partitionIndexes.map { .init(name, $0) }
            }.unique
        }
        let result = groups.fetchOffsets(groupID: groupID, partitions: wanted, requiresStable: requireStable)
        var order: [String] = []
        var byTopic: [String: OffsetFetchResponse.Topic] = [:]
        for found in result.partitions {
            let name = found.partition.topic
            if byTopic[name] == nil {
                order.append(name)
                byTopic[name] = .init {
                    $0.name = name
                    if usesIDs, let id = directory.topics[name]?.id { $0.topicID = WireUUID(high: id.high, low: id.low) }
                }
            }
            byTopic[name]?.partitions.append(
                .init {
                    $0.index = found.partition.partition
                    $0.committedOffset = found.offset?.offset ?? -1
                    $0.committedLeaderEpoch = found.offset?.leaderEpoch ?? -1
                    $0.metadata = found.offset?.metadata ?? ""
                    $0.errorCode = ErrorCode(rawValue: found.error.rawValue)
                })
        }
        return (ErrorCode(rawValue: result.error.rawValue), order.compactMap { byTopic[$0] } + unknown)
    }

    private func unknownTopic(_ topic: OffsetFetchRequest.Topic) -> OffsetFetchResponse.Topic {
        .init {
            $0.topicID = topic.topicID
            $0.partitions = topic.partitionIndexes.map { index in
                .init {
                    $0.index = index
                    $0.committedOffset = -1
                    $0.metadata = ""
                    $0.errorCode = .unknownTopicID
                }
            }
        }
    }

    func offsetDelete(_ request: OffsetDeleteRequest, _ reply: Reply<OffsetDeleteRequest>) {
        let partitions = request.topics.flatMap { topic in
            topic.partitions.map { KafkaLogCoordination.TopicPartition(topic.name, $0.index) }
        }
        perform(groups.deleteOffsets(groupID: request.groupID, partitions: partitions, token(for: .offsetDelete(reply)), coordinatorTime))
    }

    func offsetDeleteResponse(_ result: OffsetDeleteResult) -> OffsetDeleteResponse {
        OffsetDeleteResponse { response in
            response.errorCode = ErrorCode(rawValue: result.error.rawValue)
            response.topics = Dictionary(grouping: result.partitions, by: \.partition.topic).sorted { $0.key < $1.key }.map { name, results in
                .init {
                    $0.name = name
                    $0.partitions = results.map { result in
                        .init {
                            $0.index = result.partition.partition
                            $0.errorCode = ErrorCode(rawValue: result.error.rawValue)
                        }
                    }
                }
            }
        }
    }

    /// Offsets of a topic that is gone mean nothing to a later topic of the same name.
    func forgetOffsets(ofTopic name: String) {
        perform(groups.removeTopic(name))
    }
}
