/// Offsets by timestamp: -1 latest, -2 earliest, -3 the record with the largest timestamp (v7, KIP-734), -4 the earliest that is
/// on this machine (v8, KIP-405), -5 the latest that is elsewhere (v9, KIP-1005).
package struct ListOffsetsRequest: RequestMessage {
    package typealias Response = ListOffsetsResponse
    package static let api = ApiKey.listOffsets
    package static let versions: ClosedRange<Int16> = 1...10
    package static let flexibleSince: Int16? = 6

    package var replicaID: Int32 = 0
    package var isolationLevel: Int8 = 0
    package var topics: [Topic] = []
    /// For what has to be read from elsewhere.
    package var timeoutMilliseconds: Int32 = 0

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&replicaID)
        try coder.field(&isolationLevel, since: 2)
        try coder.field(&topics)
        try coder.field(&timeoutMilliseconds, since: 10)
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
            package var currentLeaderEpoch: Int32 = -1
            package var timestamp: Int64 = 0

            package init() {}

            package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                try coder.field(&index)
                try coder.field(&currentLeaderEpoch, since: 4)
                try coder.field(&timestamp)
            }
        }
    }
}

/// Answers `ListOffsetsRequest`.
package struct ListOffsetsResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var topics: [Topic] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds, since: 2)
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
            package var timestamp: Int64 = -1
            package var offset: Int64 = -1
            package var leaderEpoch: Int32 = -1

            package init() {}

            package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                try coder.field(&index)
                try coder.field(&errorCode)
                try coder.field(&timestamp)
                try coder.field(&offset)
                try coder.field(&leaderEpoch, since: 4)
            }
        }
    }
}
