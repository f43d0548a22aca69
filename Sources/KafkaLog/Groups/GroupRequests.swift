import KafkaLogCoordination

/// One assignment strategy that a member offers, with its metadata for the group leader.
package struct GroupProtocol: Hashable, Sendable {
    package var name: String
    package var metadata: [UInt8]

    package init(name: String, metadata: [UInt8]) {
        self.name = name
        self.metadata = metadata
    }
}

/// JoinGroup. Times in milliseconds.
package struct JoinGroupRequest: Sendable {
    package var groupID: String
    /// Empty for a member that is new.
    package var memberID: String
    /// `group.instance.id` of a static member.
    package var groupInstanceID: String?
    package var clientID: String
    package var clientHost: String
    package var sessionTimeoutMilliseconds: Int32
    /// Version 0 has none: give the session time-out.
    package var rebalanceTimeoutMilliseconds: Int32
    package var protocolType: String
    /// In the member's order of preference.
    package var protocols: [GroupProtocol]
    /// Version 4 and later: a new member is first told its id (KIP-394).
    package var requiresKnownMemberID: Bool
    /// Version 9 and later: a returning static leader can be told to skip the assignment (KIP-814).
    package var supportsSkippingAssignment: Bool

    package init(
        groupID: String, memberID: String, groupInstanceID: String? = nil, clientID: String, clientHost: String,
        sessionTimeoutMilliseconds: Int32, rebalanceTimeoutMilliseconds: Int32, protocolType: String,
        protocols: [GroupProtocol], requiresKnownMemberID: Bool, supportsSkippingAssignment: Bool
    ) {
        self.groupID = groupID
        self.memberID = memberID
        self.groupInstanceID = groupInstanceID
        self.clientID = clientID
        self.clientHost = clientHost
        self.sessionTimeoutMilliseconds = sessionTimeoutMilliseconds
        self.rebalanceTimeoutMilliseconds = rebalanceTimeoutMilliseconds
        self.protocolType = protocolType
        self.protocols = protocols
        self.requiresKnownMemberID = requiresKnownMemberID
        self.supportsSkippingAssignment = supportsSkippingAssignment
    }
}

package struct JoinGroupResult: Hashable, Sendable {
    package struct Member: Hashable, Sendable {
        package var memberID: String
        package var groupInstanceID: String?
        /// The member's metadata for the protocol that was chosen.
        package var metadata: [UInt8]
    }

    package var error: GroupError
    /// -1 with an error.
    package var generation: Int32 = -1
    package var protocolType: String?
    package var protocolName: String?
    /// Empty with an error.
    package var leaderID = ""
    package var skipAssignment = false
    package var memberID: String
    /// All members for the leader, none for the others.
    package var members: [Member] = []
}

package struct SyncGroupRequest: Sendable {
    package var groupID: String
    package var generation: Int32
    package var memberID: String
    package var groupInstanceID: String?
    /// Version 5 and later.
    package var protocolType: String?
    package var protocolName: String?
    /// By member id; only the leader sends any.
    package var assignments: [(memberID: String, assignment: [UInt8])]

    package init(
        groupID: String, generation: Int32, memberID: String, groupInstanceID: String? = nil, protocolType: String? = nil,
        protocolName: String? = nil, assignments: [(memberID: String, assignment: [UInt8])] = []
    ) {
        self.groupID = groupID
        self.generation = generation
        self.memberID = memberID
        self.groupInstanceID = groupInstanceID
        self.protocolType = protocolType
        self.protocolName = protocolName
        self.assignments = assignments
    }
}

package struct SyncGroupResult: Hashable, Sendable {
    package var error: GroupError
    package var protocolType: String?
    package var protocolName: String?
    package var assignment: [UInt8] = []
}

package struct LeavingMember: Hashable, Sendable {
    /// Empty removes the static member with this instance id, whoever it is (what an administrator does).
    package var memberID: String
    package var groupInstanceID: String?

    package init(memberID: String, groupInstanceID: String? = nil) {
        self.memberID = memberID
        self.groupInstanceID = groupInstanceID
    }
}

/// Versions 0 to 2 have one member and no list in the answer: use that member's error.
package struct LeaveGroupResult: Hashable, Sendable {
    package struct Member: Hashable, Sendable {
        package var member: LeavingMember
        package var error: GroupError
    }

    package var error: GroupError
    package var members: [Member] = []
}

/// An offset that a group committed.
package struct CommittedOffset: Hashable, Sendable {
    package var offset: Int64
    /// The leader epoch of the record before `offset`, -1 when the client did not say.
    package var leaderEpoch: Int32
    package var metadata: String
    /// When it was committed: wall time, milliseconds since 1970 UTC.
    package var commitTimestamp: Int64

    package init(offset: Int64, leaderEpoch: Int32 = -1, metadata: String = "", commitTimestamp: Int64 = -1) {
        self.offset = offset
        self.leaderEpoch = leaderEpoch
        self.metadata = metadata
        self.commitTimestamp = commitTimestamp
    }
}

/// OffsetCommit and TxnOffsetCommit. That the partitions exist is for the caller to check.
package struct OffsetCommitRequest: Sendable {
    package struct Offset: Hashable, Sendable {
        package var partition: TopicPartition
        package var offset: Int64
        package var leaderEpoch: Int32
        package var metadata: String

        package init(_ partition: TopicPartition, offset: Int64, leaderEpoch: Int32 = -1, metadata: String = "") {
            self.partition = partition
            self.offset = offset
            self.leaderEpoch = leaderEpoch
            self.metadata = metadata
        }
    }

    package var groupID: String
    /// -1 for a client that does not use group membership.
    package var generation: Int32
    package var memberID: String
    package var groupInstanceID: String?
    package var offsets: [Offset]

    package init(
        groupID: String, generation: Int32 = -1, memberID: String = "", groupInstanceID: String? = nil, offsets: [Offset]
    ) {
        self.groupID = groupID
        self.generation = generation
        self.memberID = memberID
        self.groupInstanceID = groupInstanceID
        self.offsets = offsets
    }
}

/// The error of one partition, in the order of the request.
package struct PartitionResult: Hashable, Sendable {
    package var partition: TopicPartition
    package var error: GroupError
}

package struct OffsetFetchResult: Hashable, Sendable {
    package struct Partition: Hashable, Sendable {
        package var partition: TopicPartition
        /// nil when there is no committed offset, or with an error: answer offset -1, leader epoch -1, empty metadata.
        package var offset: CommittedOffset?
        package var error: GroupError
    }

    package var error: GroupError
    package var partitions: [Partition] = []
}

package struct OffsetDeleteResult: Hashable, Sendable {
    package var error: GroupError
    /// Empty with an error of the whole request.
    package var partitions: [PartitionResult] = []
}

package struct GroupListing: Hashable, Sendable {
    package var groupID: String
    package var protocolType: String
    package var state: GroupState
}

package struct GroupDescription: Hashable, Sendable {
    package struct Member: Hashable, Sendable {
        package var memberID: String
        package var groupInstanceID: String?
        package var clientID: String
        package var clientHost: String
        /// Empty while the group is not stable.
        package var metadata: [UInt8]
        package var assignment: [UInt8]
    }

    package var error: GroupError
    package var groupID: String
    /// `dead` for a group that does not exist, with no error, as Kafka answers.
    package var state: GroupState
    package var protocolType = ""
    package var protocolName = ""
    package var members: [Member] = []
}

/// Where a group is in its life. The raw values are what ListGroups and DescribeGroups show.
package enum GroupState: String, Sendable, CaseIterable {
    /// No members. There may be offsets.
    case empty = "Empty"
    /// Waiting for the members to (re)join.
    case preparingRebalance = "PreparingRebalance"
    /// A new generation exists; its members wait for the leader's assignment.
    case completingRebalance = "CompletingRebalance"
    /// Every member has its assignment.
    case stable = "Stable"
    /// Does not exist.
    case dead = "Dead"
}
