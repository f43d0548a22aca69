/// Commits offsets of a group as part of a transaction (KIP-447 from v3).
package struct TransactionOffsetCommitRequest: RequestMessage {
    package typealias Response = TransactionOffsetCommitResponse
    package static let api = ApiKey.transactionOffsetCommit
    package static let versions: ClosedRange<Int16> = 0...4
    package static let flexibleSince: Int16? = 3

    package var transactionalID: String = ""
    package var groupID: String = ""
    package var producerID: Int64 = 0
    package var producerEpoch: Int16 = 0
    package var generation: Int32 = -1
    package var memberID: String = ""
    package var groupInstanceID: String?
    package var topics: [Topic] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&transactionalID)
        try coder.field(&groupID)
        try coder.field(&producerID)
        try coder.field(&producerEpoch)
        try coder.field(&generation, since: 3)
        try coder.field(&memberID, since: 3)
        try coder.field(&groupInstanceID, since: 3)
        try coder.field(&topics)
    }

    package struct Topic: WireStructure {
        package var name: String = ""
        package var partitions: [Partition] = []

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&name)
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
                try coder.field(&committedLeaderEpoch, since: 2)
                try coder.field(&committedMetadata)
            }
        }
    }
}

/// Answers `TransactionOffsetCommitRequest`.
package struct TransactionOffsetCommitResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var topics: [Topic] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds)
        try coder.field(&topics)
    }

    package struct Topic: WireStructure {
        package var name: String = ""
        package var partitions: [Partition] = []

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&name)
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
