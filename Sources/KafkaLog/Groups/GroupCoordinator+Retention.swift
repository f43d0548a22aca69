import KafkaLogCoordination

extension GroupCoordinator {
    /// Forgets the offsets of groups that have been empty for the retention time, and groups with nothing left.
    func expireOffsets(_ now: CoordinatorTime, _ actions: inout [GroupAction]) {
        var records: [CoordinatorRecord] = []
        for groupID in groups.keys.sorted() {
            guard let group = groups[groupID], group.state == .empty else { continue }
            let expired = group.offsets.filter { partition, offset in
                // Somebody may commit to an empty group without joining it: that counts as use.
                let used = max(offset.committed.commitTimestamp, group.stateTimestamp)
                return now.wallMilliseconds &- used >= configuration.offsetsRetentionMilliseconds
                    && !group.hasPendingOffset(partition)
            }
            records += removeOffsets(group, expired.keys.sorted())
            if group.isForgettable { records += forget(group) }
        }
        if !records.isEmpty { actions.append(.persist(records)) }
    }
}
