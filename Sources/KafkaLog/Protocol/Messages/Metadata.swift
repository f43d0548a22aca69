/// Brokers, topics and partitions. A request with no topic list (v1+ null, v0 empty) asks for all.
package struct MetadataRequest: RequestMessage {
    package typealias Response = MetadataResponse
    package static let api = ApiKey.metadata
    package static let versions: ClosedRange<Int16> = 0...13
    package static let flexibleSince: Int16? = 9

    package var topics: [Topic]? = []
    package var allowAutoTopicCreation: Bool = true
    package var includeClusterAuthorizedOperations: Bool = false
    package var includeTopicAuthorizedOperations: Bool = false

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&topics, nullableSince: 1)
        try coder.field(&allowAutoTopicCreation, since: 4)
        try coder.field(&includeClusterAuthorizedOperations, since: 8, through: 10)
        try coder.field(&includeTopicAuthorizedOperations, since: 8)
    }

    package struct Topic: WireStructure {
        package var topicID: WireUUID = .zero
        package var name: String?

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&topicID, since: 10)
            try coder.field(&name, nullableSince: 10)
        }
    }
}

/// Answers `MetadataRequest`.
package struct MetadataResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var brokers: [Broker] = []
    package var clusterID: String?
    package var controllerID: Int32 = -1
    package var topics: [Topic] = []
    package var clusterAuthorizedOperations: Int32 = .min
    package var errorCode: ErrorCode = .none

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds, since: 3)
        try coder.field(&brokers)
        try coder.field(&clusterID, since: 2)
        try coder.field(&controllerID, since: 1)
        try coder.field(&topics)
        try coder.field(&clusterAuthorizedOperations, since: 8, through: 10)
        try coder.field(&errorCode, since: 13)
    }

    package struct Broker: WireStructure {
        package var nodeID: Int32 = 0
        package var host: String = ""
        package var port: Int32 = 0
        package var rack: String?

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&nodeID)
            try coder.field(&host)
            try coder.field(&port)
            try coder.field(&rack, since: 1)
        }
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
            try coder.field(&name, nullableSince: 12)
            try coder.field(&topicID, since: 10)
            try coder.field(&isInternal, since: 1)
            try coder.field(&partitions)
            try coder.field(&topicAuthorizedOperations, since: 8)
        }

        package struct Partition: WireStructure {
            package var errorCode: ErrorCode = .none
            package var index: Int32 = 0
            package var leaderID: Int32 = 0
            package var leaderEpoch: Int32 = -1
            package var replicas: [Int32] = []
            package var inSyncReplicas: [Int32] = []
            package var offlineReplicas: [Int32] = []

            package init() {}

            package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                try coder.field(&errorCode)
                try coder.field(&index)
                try coder.field(&leaderID)
                try coder.field(&leaderEpoch, since: 7)
                try coder.field(&replicas)
                try coder.field(&inSyncReplicas)
                try coder.field(&offlineReplicas, since: 5)
            }
        }
    }
}
