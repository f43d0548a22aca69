/// Commits offsets of a group.
package struct OffsetCommitRequest: RequestMessage {
    package typealias Response = OffsetCommitResponse
    package static let api = ApiKey.offsetCommit
    package static let versions: ClosedRange<Int16> = 2...10
    package static let flexibleSince: Int16? = 8

    package var groupID: String = ""
    package var generation: Int32 = -1
    package var memberID: String = ""
    package var groupInstanceID: String?
    package var retentionTimeMilliseconds: Int64 = -1
    package var topics: [Topic] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&groupID)
        try coder.field(&generation)
        try coder.field(&memberID)
        try coder.field(&groupInstanceID, since: 7)
        try coder.field(&retentionTimeMilliseconds, through: 4)
        try coder.field(&topics)
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
            package var committedMetadata: String?

            package init() {}

            package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                try coder.field(&index)
                try coder.field(&committedOffset)
                try coder.field(&committedLeaderEpoch, since: 6)
                try coder.field(&committedMetadata)
            }
        }
    }
}

/// Answers `OffsetCommitRequest`.
package struct OffsetCommitResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var topics: [Topic] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds, since: 3)
        try coder.field(&topics)
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
            package var errorCode: ErrorCode = .none

            package init() {}

            package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                try coder.field(&index)
                try coder.field(&errorCode)
            }
        }
    }
}
