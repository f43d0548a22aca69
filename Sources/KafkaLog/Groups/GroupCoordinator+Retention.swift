import KafkaLogCoordination

extension GroupCoordinator {
    /// Forgets offsets that nobody has needed for the retention time (KIP-211), and groups with nothing left: all offsets of a group
    /// without members, and of a consumer group with members those of topics that none of them consumes any more.
    func expireOffsets(_ now: CoordinatorTime, _ actions: inout [GroupAction]) {
        var records: [CoordinatorRecord] = []
        for groupID in groups.keys.sorted() {
            guard let group = groups[groupID] else { continue }
            records += removeOffsets(group, expiredOffsets(group, now))
            if group.isForgettable { records += forget(group) }
        }
        if !records.isEmpty { actions.append(.persist(records)) }
    }

    private func expiredOffsets(_ group: Group, _ now: CoordinatorTime) -> [TopicPartition] {
        var subscribed: Set<String> = []
        switch group.state {
        case .empty: break
        case .stable:
            guard let topics = group.subscribedTopics else { return [] }
            subscribed = topics
        case .preparingRebalance, .completingRebalance, .dead: return []
        }
        let expired = group.offsets.filter { partition, offset in
            // Somebody may commit to an empty group without joining it: that counts as use.
            let used = group.state == .empty
                ? max(offset.committed.commitTimestamp, group.stateTimestamp) : offset.committed.commitTimestamp
            return !subscribed.contains(partition.topic)
                && now.wallMilliseconds &- used >= configuration.offsetsRetentionMilliseconds && !group.hasPendingOffset(partition)
        }
        return expired.keys.sorted()
    }
}
