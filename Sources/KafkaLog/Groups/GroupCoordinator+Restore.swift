import KafkaLogCoordination

extension GroupCoordinator {
    /// Whether a journal entry is one of this coordinator's.
    package static func owns(_ record: CoordinatorRecord) -> Bool {
        switch record.key.first.flatMap(CoordinatorRecordKind.init(rawValue:)) {
        case .group, .committedOffset, .pendingOffset: true
        default: false
        }
    }

    /// Takes in one entry of the journal, in the journal's order, before anything else is called. Then `start`.
    /// - Throws: for an entry that is not understood. Do not go on: what was acknowledged would be forgotten.
    package func restore(_ record: CoordinatorRecord) throws(CoordinatorRecordError) {
        switch try GroupRecordFormat.decode(record) {
        case .group(let stored):
            let group = Group(stored.groupID, usage)
            if let old = groups[stored.groupID] {
                group.offsets = old.offsets
                group.pendingOffsets = old.pendingOffsets
            }
            group.generation = stored.generation
            group.protocolName = stored.protocolName
            group.stateTimestamp = stored.stateTimestamp
            for member in stored.members { group.add(member, protocolType: stored.protocolType ?? "") }
            group.protocolType = stored.protocolType
            group.leaderID = stored.leaderID
            group.state = stored.members.isEmpty ? .empty : .stable
            groups[stored.groupID] = group
        case .noGroup(let groupID):
            guard let old = groups.removeValue(forKey: groupID), !old.offsets.isEmpty || !old.pendingOffsets.isEmpty else { break }
            let group = Group(groupID, usage)
            group.offsets = old.offsets
            group.pendingOffsets = old.pendingOffsets
            groups[groupID] = group
        case .committed(let groupID, let partition, let offset):
            restored(groupID, offset) { $0.offsets[partition] = offset }
        case .pending(let groupID, let producerID, let partition, let offset):
            restored(groupID, offset) {
                $0.pendingOffsets[producerID, default: [:]][partition] = offset
                if $0.pendingOffsets[producerID]?.isEmpty == true { $0.pendingOffsets[producerID] = nil }
            }
        }
    }

    private func restored(_ groupID: String, _ offset: Group.StoredOffset?, _ apply: (Group) -> Void) {
        let group = groups[groupID] ?? Group(groupID, usage)
        apply(group)
        if let offset { nextSequence = max(nextSequence, offset.sequence &+ 1) }
        groups[groupID] = group
        dropIfUnused(group)
    }

    /// Call once after the last `restore`, also when there was none. The members of the last generation that was complete are
    /// members still: they go on with their heartbeats and have a whole session time-out to do so.
    package func start(_ now: CoordinatorTime) -> [GroupAction] {
        scheduleRetention(now)
        var actions: [GroupAction] = []
        for groupID in groups.keys.sorted() {
            guard let group = groups[groupID] else { continue }
            for memberID in group.members.keys { extendSession(group, memberID, now) }
            // The limit was lowered: who rejoins last is turned away.
            if group.members.count > configuration.maximumMembers { prepareRebalance(group, now, &actions) }
        }
        return actions
    }
}
