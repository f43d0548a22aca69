/// The cluster and its brokers (KIP-700), or its controllers (KIP-919).
package struct DescribeClusterRequest: RequestMessage {
    package typealias Response = DescribeClusterResponse
    package static let api = ApiKey.describeCluster
    package static let versions: ClosedRange<Int16> = 0...2
    package static let flexibleSince: Int16? = 0

    package var includeClusterAuthorizedOperations: Bool = false
    /// 1 for brokers, 2 for controllers.
    package var endpointType: Int8 = 1
    package var includeFencedBrokers: Bool = false

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&includeClusterAuthorizedOperations)
        try coder.field(&endpointType, since: 1)
        try coder.field(&includeFencedBrokers, since: 2)
    }
}

/// Answers `DescribeClusterRequest`.
package struct DescribeClusterResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var errorCode: ErrorCode = .none
    package var errorMessage: String?
    package var endpointType: Int8 = 1
    package var clusterID: String = ""
    package var controllerID: Int32 = -1
    package var brokers: [Broker] = []
    package var clusterAuthorizedOperations: Int32 = .min

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds)
        try coder.field(&errorCode)
        try coder.field(&errorMessage)
        try coder.field(&endpointType, since: 1)
        try coder.field(&clusterID)
        try coder.field(&controllerID)
        try coder.field(&brokers)
        try coder.field(&clusterAuthorizedOperations)
    }

    package struct Broker: WireStructure {
        package var brokerID: Int32 = 0
        package var host: String = ""
        package var port: Int32 = 0
        package var rack: String?
        package var isFenced: Bool = false

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&brokerID)
            try coder.field(&host)
            try coder.field(&port)
            try coder.field(&rack)
            try coder.field(&isFenced, since: 2)
        }
    }
}
