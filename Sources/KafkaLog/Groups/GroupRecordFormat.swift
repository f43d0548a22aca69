import KafkaLogCoordination

/// The journal entries of the group coordinator, version 1. Fields as `RecordWriter` writes them; "string?" is an optional one.
///
/// | entry | key | value |
/// |---|---|---|
/// | group | 0x01, group id string | version u8, protocol type string?, generation i32, protocol name string?, leader string?, state ms i64, number of members u32 and each: member id string, instance id string?, client id string, client host string, rebalance time-out ms i32, session time-out ms i32, number of protocols u32 and each: name string, metadata blob; then the assignment blob |
/// | committed offset | 0x02, group id string, topic string, partition i32 | version u8, sequence u64, offset i64, leader epoch i32, commit ms i64, metadata string |
/// | pending offset | 0x03, group id string, producer id i64, topic string, partition i32 | as a committed offset |
///
/// A group entry is written when a generation has its assignment, when a static member takes its place again, and when the
/// group becomes empty: a restart finds the last of these, like Kafka. A group with nothing but offsets has none. A value
/// of nil deletes. A change of the format gets a new version byte, and the code that reads version 1 stays.
enum GroupRecordFormat {
    static let version: UInt8 = 1

    /// A group entry's contents.
    struct StoredGroup {
        var groupID: String
        var protocolType: String?
        var generation: Int32
        var protocolName: String?
        var leaderID: String?
        var stateTimestamp: Int64
        var members: [GroupMember] = []
    }

    enum Entry {
        case group(StoredGroup)
        case noGroup(groupID: String)
        /// nil when it was deleted.
        case committed(groupID: String, TopicPartition, Group.StoredOffset?)
        case pending(groupID: String, producerID: Int64, TopicPartition, Group.StoredOffset?)
    }

    // MARK: Writing

    static func group(_ group: Group) -> CoordinatorRecord {
        var value = RecordWriter()
        value.integer(version)
        value.optionalString(group.protocolType)
        value.integer(group.generation)
        value.optionalString(group.protocolName)
        value.optionalString(group.leaderID)
        value.integer(group.stateTimestamp)
        value.integer(UInt32(group.members.count))
        for member in group.membersInOrder {
            value.string(member.memberID)
            value.optionalString(member.groupInstanceID)
            value.string(member.clientID)
            value.string(member.clientHost)
            value.integer(member.rebalanceTimeoutMilliseconds)
            value.integer(member.sessionTimeoutMilliseconds)
            value.integer(UInt32(member.protocols.count))
            for offer in member.protocols {
                value.string(offer.name)
                value.blob(offer.metadata)
            }
            value.blob(member.assignment)
        }
        return CoordinatorRecord(key: groupKey(group.groupID), value: value.bytes)
    }

    static func noGroup(_ groupID: String) -> CoordinatorRecord {
        CoordinatorRecord(key: groupKey(groupID), value: nil)
    }

    static func committed(_ groupID: String, _ partition: TopicPartition, _ offset: Group.StoredOffset?) -> CoordinatorRecord {
        var key = RecordWriter()
        key.integer(CoordinatorRecordKind.committedOffset.rawValue)
        key.string(groupID)
        key.string(partition.topic)
        key.integer(partition.partition)
        return CoordinatorRecord(key: key.bytes, value: offset.map(value))
    }

    static func pending(
        _ groupID: String, producerID: Int64, _ partition: TopicPartition, _ offset: Group.StoredOffset?
    ) -> CoordinatorRecord {
        var key = RecordWriter()
        key.integer(CoordinatorRecordKind.pendingOffset.rawValue)
        key.string(groupID)
        key.integer(producerID)
        key.string(partition.topic)
        key.integer(partition.partition)
        return CoordinatorRecord(key: key.bytes, value: offset.map(value))
    }

    private static func groupKey(_ groupID: String) -> [UInt8] {
        var key = RecordWriter()
        key.integer(CoordinatorRecordKind.group.rawValue)
        key.string(groupID)
        return key.bytes
    }

    private static func value(_ offset: Group.StoredOffset) -> [UInt8] {
        var value = RecordWriter()
        value.integer(version)
        value.integer(offset.sequence)
        value.integer(offset.committed.offset)
        value.integer(offset.committed.leaderEpoch)
        value.integer(offset.committed.commitTimestamp)
        value.string(offset.committed.metadata)
        return value.bytes
    }

    // MARK: Reading

    static func decode(_ record: CoordinatorRecord) throws(CoordinatorRecordError) -> Entry {
        guard let kind = record.key.first.flatMap(CoordinatorRecordKind.init(rawValue:)) else {
            throw .unknownKind(record.key.first)
        }
        var key = RecordReader(Array(record.key.dropFirst()), of: kind)
        switch kind {
        case .group:
            let groupID = try key.string("group id")
            try key.end()
            guard let value = record.value else { return .noGroup(groupID: groupID) }
            return .group(try storedGroup(groupID, value))
        case .committedOffset:
            let groupID = try key.string("group id")
            let partition = TopicPartition(try key.string("topic"), try key.integer("partition"))
            try key.end()
            return .committed(groupID: groupID, partition, try storedOffset(record.value, kind))
        case .pendingOffset:
            let groupID = try key.string("group id")
            let producerID: Int64 = try key.integer("producer id")
            let partition = TopicPartition(try key.string("topic"), try key.integer("partition"))
            try key.end()
            return .pending(groupID: groupID, producerID: producerID, partition, try storedOffset(record.value, kind))
        case .transaction, .producerIDBlock:
            throw .unknownKind(kind.rawValue)
        }
    }

    private static func storedOffset(
        _ bytes: [UInt8]?, _ kind: CoordinatorRecordKind
    ) throws(CoordinatorRecordError) -> Group.StoredOffset? {
        guard let bytes else { return nil }
        var value = RecordReader(bytes, of: kind)
        try value.version(version)
        let sequence: UInt64 = try value.integer("sequence")
        var committed = CommittedOffset(offset: try value.integer("offset"))
        committed.leaderEpoch = try value.integer("leader epoch")
        committed.commitTimestamp = try value.integer("commit timestamp")
        committed.metadata = try value.string("metadata")
        try value.end()
        return Group.StoredOffset(committed: committed, sequence: sequence)
    }

    private static func storedGroup(_ groupID: String, _ bytes: [UInt8]) throws(CoordinatorRecordError) -> StoredGroup {
        var value = RecordReader(bytes, of: .group)
        try value.version(version)
        var group = StoredGroup(
            groupID: groupID, protocolType: try value.optionalString("protocol type"), generation: try value.integer("generation"),
            protocolName: try value.optionalString("protocol name"), leaderID: try value.optionalString("leader"),
            stateTimestamp: try value.integer("state timestamp"))
        let count = try value.count("number of members", bytesEach: 29)
        for _ in 0..<count {
            var member = GroupMember(
                memberID: try value.string("member id"), groupInstanceID: try value.optionalString("instance id"),
                clientID: try value.string("client id"), clientHost: try value.string("client host"),
                rebalanceTimeoutMilliseconds: try value.integer("rebalance time-out"),
                sessionTimeoutMilliseconds: try value.integer("session time-out"), protocols: [])
            for _ in 0..<(try value.count("number of protocols", bytesEach: 8)) {
                member.protocols.append(GroupProtocol(name: try value.string("protocol"), metadata: try value.blob("metadata")))
            }
            member.assignment = try value.blob("assignment")
            group.members.append(member)
        }
        try value.end()
        let ids = Set(group.members.map(\.memberID))
        let isComplete = ids.isEmpty
            ? group.leaderID == nil : group.leaderID.map(ids.contains) == true && group.protocolType != nil && group.protocolName != nil
        guard ids.count == group.members.count, group.generation >= 0, isComplete else {
            throw value.malformed("generation \(group.generation) with \(group.members.count) members and leader \(group.leaderID ?? "none")")
        }
        return group
    }
}
