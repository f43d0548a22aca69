import KafkaLogCoordination

extension GroupCoordinator {
    /// DescribeGroups, for one group.
    package func describe(groupID: String) -> GroupDescription {
        guard let group = groups[groupID] else { return GroupDescription(error: .none, groupID: groupID, state: .dead) }
        let isStable = group.state == .stable
        return GroupDescription(
            error: .none, groupID: groupID, state: group.state, protocolType: group.protocolType ?? "",
            protocolName: isStable ? group.protocolName ?? "" : "",
            members: group.membersInOrder.map {
                GroupDescription.Member(
                    memberID: $0.memberID, groupInstanceID: $0.groupInstanceID, clientID: $0.clientID,
                    clientHost: $0.clientHost, metadata: isStable ? $0.metadata(for: group.protocolName) : [],
                    assignment: isStable ? $0.assignment : [])
            })
    }

    /// Whether there is such a group, be it with nothing but offsets.
    package func knows(groupID: String) -> Bool { groups[groupID] != nil }

    /// ListGroups: all of them, by group id. The filters of the request are the caller's.
    package func list() -> [GroupListing] {
        groups.values
            .map { GroupListing(groupID: $0.groupID, protocolType: $0.protocolType ?? "", state: $0.state) }
            .sorted { $0.groupID < $1.groupID }
    }

    /// How many groups are in each state, for metrics.
    package func countByState() -> [GroupState: Int] {
        groups.values.reduce(into: [:]) { $0[$1.state, default: 0] += 1 }
    }

    /// DeleteGroups: groups without members go, with their offsets.
    package func deleteGroups(_ groupIDs: [String], _ token: RequestToken) -> [GroupAction] {
        var records: [CoordinatorRecord] = []
        let results = groupIDs.map { groupID in
            guard let group = groups[groupID] else { return DeletedGroup(groupID: groupID, error: .groupIDNotFound) }
            guard group.state == .empty else { return DeletedGroup(groupID: groupID, error: .nonEmptyGroup) }
            let pending = group.pendingOffsets.values.flatMap(\.keys)
            records += removeOffsets(group, Set(group.offsets.keys).union(pending).sorted())
            records += forget(group)
            return DeletedGroup(groupID: groupID, error: .none)
        }
        return (records.isEmpty ? [] : [.persist(records)]) + [.replyWhenDurable(token, .deleteGroups(results))]
    }

    /// Takes an empty group out.
    func forget(_ group: Group) -> [CoordinatorRecord] {
        for memberID in group.pendingMembers { timers.cancel(.pendingMember(groupID: group.groupID, memberID: memberID)) }
        groups[group.groupID] = nil
        return [GroupRecordFormat.noGroup(group.groupID)]
    }
}
