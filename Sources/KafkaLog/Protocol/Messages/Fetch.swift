/// Reads record batches; before version 4, message sets. `records` of the response are file regions, sent without a copy.
package struct FetchRequest: RequestMessage {
    package typealias Response = FetchResponse
    package static let api = ApiKey.fetch
    package static let versions: ClosedRange<Int16> = 0...17
    package static let flexibleSince: Int16? = 12

    /// Tagged field 0 from version 12.
    package var clusterID: String?
    /// -1 for a consumer; in a tagged field of no interest here from version 15 on.
    package var replicaID: Int32 = -1
    package var maxWaitMilliseconds: Int32 = 0
    package var minBytes: Int32 = 0
    package var maxBytes: Int32 = .max
    package var isolationLevel: Int8 = 0
    package var sessionID: Int32 = 0
    package var sessionEpoch: Int32 = -1
    package var topics: [Topic] = []
    package var forgottenTopics: [ForgottenTopic] = []
    package var rackID: String = ""

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&replicaID, through: 14)
        try coder.field(&maxWaitMilliseconds)
        try coder.field(&minBytes)
        try coder.field(&maxBytes, since: 3)
        try coder.field(&isolationLevel, since: 4)
        try coder.field(&sessionID, since: 7)
        try coder.field(&sessionEpoch, since: 7)
        try coder.field(&topics)
        try coder.field(&forgottenTopics, since: 7)
        try coder.field(&rackID, since: 11)
    }

    package func tags(version: Int16) -> [UInt32] { clusterID == nil ? [] : [0] }

    package mutating func code<Coder: FieldCoder>(tag: UInt32, _ coder: inout Coder) throws(CodecError) -> Bool {
        guard tag == 0 else { return false }
        try coder.field(&clusterID)
        return true
    }

    package struct Topic: WireStructure {
        package var name: String = ""
        /// Instead of the name from version 13 on (KIP-516).
        package var topicID: WireUUID = .zero
        package var partitions: [Partition] = []

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&name, through: 12)
            try coder.field(&topicID, since: 13)
            try coder.field(&partitions)
        }

        package struct Partition: WireStructure {
            package var index: Int32 = 0
            package var currentLeaderEpoch: Int32 = -1
            package var fetchOffset: Int64 = 0
            package var lastFetchedEpoch: Int32 = -1
            package var logStartOffset: Int64 = -1
            package var partitionMaxBytes: Int32 = 0

            package init() {}

            package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                try coder.field(&index)
                try coder.field(&currentLeaderEpoch, since: 9)
                try coder.field(&fetchOffset)
                try coder.field(&lastFetchedEpoch, since: 12)
                try coder.field(&logStartOffset, since: 5)
                try coder.field(&partitionMaxBytes)
            }
        }
    }

    package struct ForgottenTopic: WireStructure {
        package var name: String = ""
        /// Instead of the name from version 13 on (KIP-516).
        package var topicID: WireUUID = .zero
        package var partitions: [Int32] = []

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&name, through: 12)
            try coder.field(&topicID, since: 13)
            try coder.field(&partitions)
        }
    }
}

/// Answers `FetchRequest`.
package struct FetchResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var errorCode: ErrorCode = .none
    package var sessionID: Int32 = 0
    package var topics: [Topic] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds, since: 1)
        try coder.field(&errorCode, since: 7)
        try coder.field(&sessionID, since: 7)
        try coder.field(&topics)
    }

    package struct Topic: WireStructure {
        package var name: String = ""
        /// Instead of the name from version 13 on (KIP-516).
        package var topicID: WireUUID = .zero
        package var partitions: [Partition] = []

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&name, through: 12)
            try coder.field(&topicID, since: 13)
            try coder.field(&partitions)
        }

        package struct Partition: WireStructure {
            package var index: Int32 = 0
            package var errorCode: ErrorCode = .none
            package var highWatermark: Int64 = 0
            package var lastStableOffset: Int64 = -1
            package var logStartOffset: Int64 = -1
            package var abortedTransactions: [AbortedTransaction]? = []
            package var preferredReadReplica: Int32 = -1
            package var records: Records = .null

            package init() {}

            package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                try coder.field(&index)
                try coder.field(&errorCode)
                try coder.field(&highWatermark)
                try coder.field(&lastStableOffset, since: 4)
                try coder.field(&logStartOffset, since: 5)
                try coder.field(&abortedTransactions, since: 4)
                try coder.field(&preferredReadReplica, since: 11)
                try coder.field(&records)
            }

            package struct AbortedTransaction: WireStructure {
                package var producerID: Int64 = 0
                package var firstOffset: Int64 = 0

                package init() {}

                package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                    try coder.field(&producerID)
                    try coder.field(&firstOffset)
                }
            }
        }
    }
}
