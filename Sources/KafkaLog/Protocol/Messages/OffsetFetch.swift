/// Committed offsets: of one group up to v7, of several from v8. Null topics ask for all.
package struct OffsetFetchRequest: RequestMessage {
    package typealias Response = OffsetFetchResponse
    package static let api = ApiKey.offsetFetch
    package static let versions: ClosedRange<Int16> = 1...10
    package static let flexibleSince: Int16? = 6

    package var groupID: String = ""
    package var topics: [Topic]? = []
    package var groups: [Group] = []
    package var requireStable: Bool = false

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&groupID, through: 7)
        try coder.field(&topics, through: 7, nullableSince: 2)
        try coder.field(&groups, since: 8)
        try coder.field(&requireStable, since: 7)
    }

    package struct Topic: WireStructure {
        package var name: String = ""
        /// Instead of the name from version 10 on (KIP-848).
        package var topicID: WireUUID = .zero
        package var partitionIndexes: [Int32] = []

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&name, through: 9)
            try coder.field(&topicID, since: 10)
            try coder.field(&partitionIndexes)
        }
    }

    package struct Group: WireStructure {
        package var groupID: String = ""
        /// Of a member of a group that goes by KIP-848.
        package var memberID: String?
        package var memberEpoch: Int32 = -1
        package var topics: [Topic]? = []

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&groupID)
            try coder.field(&memberID, since: 9)
            try coder.field(&memberEpoch, since: 9)
            try coder.field(&topics)
        }
    }
}

/// Answers `OffsetFetchRequest`.
package struct OffsetFetchResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var topics: [Topic] = []
    package var errorCode: ErrorCode = .none
    package var groups: [Group] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds, since: 3)
        try coder.field(&topics, through: 7)
        try coder.field(&errorCode, since: 2, through: 7)
        try coder.field(&groups, since: 8)
    }

    package struct Topic: WireStructure {
        package var name: String = ""
        /// Instead of the name from version 10 on (KIP-848).
        package var topicID: WireUUID = .zero
        package var partitions: [Partition] = []

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&name, through: 9)
            try coder.field(&topicID, since: 10)
            try coder.field(&partitions)
        }

        package struct Partition: WireStructure {
            package var index: Int32 = 0
            package var committedOffset: Int64 = 0
            package var committedLeaderEpoch: Int32 = -1
            package var metadata: String?
            package var errorCode: ErrorCode = .none

            package init() {}

            package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                try coder.field(&index)
                try coder.field(&committedOffset)
                try coder.field(&committedLeaderEpoch, since: 5)
                try coder.field(&metadata)
                try coder.field(&errorCode)
            }
        }
    }

    package struct Group: WireStructure {
        package var groupID: String = ""
        package var topics: [Topic] = []
        package var errorCode: ErrorCode = .none

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&groupID)
            try coder.field(&topics)
            try coder.field(&errorCode)
        }
    }
}
