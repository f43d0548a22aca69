import KafkaLogCoordination

extension GroupCoordinator {
    /// OffsetCommit. Answered when the offsets are durable. An offset whose metadata is too long is refused alone.
    package func commitOffsets(_ request: OffsetCommitRequest, _ token: RequestToken, _ now: CoordinatorTime) -> [GroupAction] {
        var actions: [GroupAction] = []
        do throws(GroupError) {
            // An empty group id is allowed here and only here: old clients without groups commit under it.
            if !request.groupID.isEmpty { try check(groupID: request.groupID) }
            if groups[request.groupID] == nil && request.generation >= 0 { throw .illegalGeneration }
            let group = try groupOrNew(request.groupID)
            defer { dropIfUnused(group) }
            try checkCommit(group, request, isTransactional: false)
            if group.state == .completingRebalance { throw .rebalanceInProgress }
            extendSession(group, request.memberID, now)

            var records: [CoordinatorRecord] = []
            let results = store(request, now, isKnown: { group.offsets[$0] != nil }) { partition, offset in
                group.offsets[partition] = offset
                records.append(GroupRecordFormat.committed(group.groupID, partition, offset))
            }
            if !records.isEmpty { actions.append(.persist(records)) }
            actions.append(.replyWhenDurable(token, .offsetCommit(results)))
        } catch {
            actions.append(.reply(token, .offsetCommit(refused(request, error))))
        }
        return actions
    }

    /// Who may commit: members of the present generation; anybody (generation -1) while there are no members. Transactional
    /// commits without a member id are allowed always, since older clients send none (KIP-447).
    func checkCommit(_ group: Group, _ request: OffsetCommitRequest, isTransactional: Bool) throws(GroupError) {
        if request.generation < 0 && group.state == .empty { return }
        if request.generation >= 0 || !request.memberID.isEmpty || request.groupInstanceID != nil {
            try checkMember(group, request.memberID, request.groupInstanceID)
            guard request.generation == group.generation else { throw .illegalGeneration }
        } else if !isTransactional {
            throw .unknownMemberID
        }
    }

    /// Hands every acceptable offset of the request to `keep`. `isKnown`: there is an offset already that it takes the place of.
    func store(
        _ request: OffsetCommitRequest, _ now: CoordinatorTime, isKnown: (TopicPartition) -> Bool, _ keep: (TopicPartition, Group.StoredOffset) -> Void
    ) -> [PartitionResult] {
        request.offsets.map { offset in
            guard offset.metadata.utf8.count <= configuration.maximumOffsetMetadataBytes else {
                return PartitionResult(partition: offset.partition, error: .offsetMetadataTooLarge)
            }
            let committed = CommittedOffset(
                offset: offset.offset, leaderEpoch: offset.leaderEpoch, metadata: offset.metadata,
                commitTimestamp: now.wallMilliseconds)
            guard !isFull || isKnown(offset.partition) else { return PartitionResult(partition: offset.partition, error: .policyViolation) }
            keep(offset.partition, Group.StoredOffset(committed: committed, sequence: nextSequence))
            nextSequence += 1
            return PartitionResult(partition: offset.partition, error: .none)
        }
    }

    func refused(_ request: OffsetCommitRequest, _ error: GroupError) -> [PartitionResult] {
        request.offsets.map { PartitionResult(partition: $0.partition, error: error) }
    }

    /// OffsetFetch, for one group. Hold the answer back until what was persisted so far is durable, like a
    /// `replyWhenDurable`: it may show an offset whose commit is not answered yet.
    /// - Parameters:
    ///   - partitions: nil for all that the group has offsets of, in ascending order.
    ///   - requiresStable: answer UNSTABLE_OFFSET_COMMIT for partitions that a transaction in flight has offsets of (KIP-447).
    package func fetchOffsets(groupID: String, partitions: [TopicPartition]?, requiresStable: Bool) -> OffsetFetchResult {
        guard let group = groups[groupID] else {
            let none = (partitions ?? []).map { OffsetFetchResult.Partition(partition: $0, offset: nil, error: .none) }
            return OffsetFetchResult(error: .none, partitions: none)
        }
        let pending = requiresStable ? Set(group.pendingOffsets.values.flatMap(\.keys)) : []
        let wanted = partitions ?? pending.union(group.offsets.keys).sorted()
        return OffsetFetchResult(
            error: .none,
            partitions: wanted.map {
                pending.contains($0)
                    ? OffsetFetchResult.Partition(partition: $0, offset: nil, error: .unstableOffsetCommit)
                    : OffsetFetchResult.Partition(partition: $0, offset: group.offsets[$0]?.committed, error: .none)
            })
    }

    /// OffsetDelete. While a consumer group has members, only of topics that none of them is subscribed to.
    package func deleteOffsets(
        groupID: String, partitions: [TopicPartition], _ token: RequestToken, _ now: CoordinatorTime
    ) -> [GroupAction] {
        var actions: [GroupAction] = []
        var result = OffsetDeleteResult(error: .none)
        do throws(GroupError) {
            try check(groupID: groupID)
            guard let group = groups[groupID] else { throw .groupIDNotFound }
            if group.state != .empty && group.protocolType != ConsumerSubscription.protocolType { throw .nonEmptyGroup }
            let subscribed = group.subscribedTopics
            let isFree = { (partition: TopicPartition) in
                group.state == .empty || !(subscribed?.contains(partition.topic) ?? true)
            }
            let records = removeOffsets(group, partitions.filter(isFree))
            if !records.isEmpty { actions.append(.persist(records)) }
            result.partitions = partitions.map {
                PartitionResult(partition: $0, error: isFree($0) ? .none : .groupSubscribedToTopic)
            }
        } catch {
            result.error = error
        }
        actions.append(.replyWhenDurable(token, .offsetDelete(result)))
        return actions
    }

    /// A topic was deleted: no group may go on at its offsets in a topic that comes under the same name.
    package func removeTopic(_ topic: String) -> [GroupAction] {
        var records: [CoordinatorRecord] = []
        for groupID in groups.keys.sorted() {
            guard let group = groups[groupID] else { continue }
            let pending = group.pendingOffsets.values.flatMap(\.keys)
            let partitions = Set(group.offsets.keys).union(pending).filter { $0.topic == topic }
            records += removeOffsets(group, partitions.sorted())
        }
        return records.isEmpty ? [] : [.persist(records)]
    }

    /// Forgets offsets, those of transactions in flight too.
    func removeOffsets(_ group: Group, _ partitions: [TopicPartition]) -> [CoordinatorRecord] {
        var records: [CoordinatorRecord] = []
        let producers = group.pendingOffsets.keys.sorted()
        for partition in partitions {
            if group.offsets.removeValue(forKey: partition) != nil {
                records.append(GroupRecordFormat.committed(group.groupID, partition, nil))
            }
            for producerID in producers {
                guard group.pendingOffsets[producerID]?.removeValue(forKey: partition) != nil else { continue }
                records.append(GroupRecordFormat.pending(group.groupID, producerID: producerID, partition, nil))
                if group.pendingOffsets[producerID]?.isEmpty == true { group.pendingOffsets[producerID] = nil }
            }
        }
        return records
    }
}
