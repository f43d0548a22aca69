import KafkaLogCoordination

/// What the server has to do after a call of the group coordinator, in this order.
package enum GroupAction: Hashable, Sendable {
    /// Append to the journal now. When the journal refuses, nothing that waits for it may be answered: the log directory is
    /// offline until it is started again, and the coordinator's memory goes with it.
    case persist([CoordinatorRecord])
    /// Answer now.
    case reply(RequestToken, GroupReply)
    /// Answer when everything that was persisted up to here is durable; at once when it already is.
    case replyWhenDurable(RequestToken, GroupReply)
}

/// The answer to a request, by kind.
package enum GroupReply: Hashable, Sendable {
    case joinGroup(JoinGroupResult)
    case syncGroup(SyncGroupResult)
    case heartbeat(GroupError)
    case leaveGroup(LeaveGroupResult)
    case offsetCommit([PartitionResult])
    case transactionOffsetCommit([PartitionResult])
    case offsetDelete(OffsetDeleteResult)
    /// In the order of the request.
    case deleteGroups([DeletedGroup])
}

package struct DeletedGroup: Hashable, Sendable {
    package var groupID: String
    package var error: GroupError
}
