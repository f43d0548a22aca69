/// Topics and partitions, page by page (KIP-966).
package struct DescribeTopicPartitionsRequest: RequestMessage {
    package typealias Response = DescribeTopicPartitionsResponse
    package static let api = ApiKey.describeTopicPartitions
    package static let versions: ClosedRange<Int16> = 0...0
    package static let flexibleSince: Int16? = 0

    /// Empty for all.
    package var topics: [Topic] = []
    /// How many partitions the answer may have.
    package var partitionLimit: Int32 = 2000
    /// Where an earlier answer ended.
    package var cursor: Cursor?

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&topics)
        try coder.field(&partitionLimit)
        try coder.field(&cursor)
    }

    package struct Topic: WireStructure {
        package var name: String = ""

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&name)
        }
    }

    /// A place in the order of topic names and partitions.
    package struct Cursor: WireStructure {
        package var topicName: String = ""
        package var partitionIndex: Int32 = 0

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&topicName)
            try coder.field(&partitionIndex)
        }
    }
}

/// Answers `DescribeTopicPartitionsRequest`.
package struct DescribeTopicPartitionsResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var topics: [Topic] = []
    /// Where to go on; nil at the end.
    package var nextCursor: DescribeTopicPartitionsRequest.Cursor?

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds)
        try coder.field(&topics)
        try coder.field(&nextCursor)
    }

    package struct Topic: WireStructure {
        package var errorCode: ErrorCode = .none
        package var name: String?
        package var topicID: WireUUID = .zero
        package var isInternal: Bool = false
        package var partitions: [Partition] = []
        package var topicAuthorizedOperations: Int32 = .min

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&errorCode)
            try coder.field(&name)
            try coder.field(&topicID)
            try coder.field(&isInternal)
            try coder.field(&partitions)
            try coder.field(&topicAuthorizedOperations)
        }

        package struct Partition: WireStructure {
            package var errorCode: ErrorCode = .none
            package var index: Int32 = 0
            package var leaderID: Int32 = 0
            package var leaderEpoch: Int32 = -1
            package var replicas: [Int32] = []
            package var inSyncReplicas: [Int32] = []
            package var eligibleLeaderReplicas: [Int32]?
            package var lastKnownEligibleLeaderReplicas: [Int32]?
            package var offlineReplicas: [Int32] = []

            package init() {}

            package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                try coder.field(&errorCode)
                try coder.field(&index)
                try coder.field(&leaderID)
                try coder.field(&leaderEpoch)
                try coder.field(&replicas)
                try coder.field(&inSyncReplicas)
                try coder.field(&eligibleLeaderReplicas)
                try coder.field(&lastKnownEligibleLeaderReplicas)
                try coder.field(&offlineReplicas)
            }
        }
    }
}
