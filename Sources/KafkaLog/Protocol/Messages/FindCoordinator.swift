/// The broker that coordinates a group (key type 0) or a transactional id (1).
package struct FindCoordinatorRequest: RequestMessage {
    package typealias Response = FindCoordinatorResponse
    package static let api = ApiKey.findCoordinator
    package static let versions: ClosedRange<Int16> = 0...6
    package static let flexibleSince: Int16? = 3

    package var key: String = ""
    package var keyType: Int8 = 0
    package var coordinatorKeys: [String] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&key, through: 3)
        try coder.field(&keyType, since: 1)
        try coder.field(&coordinatorKeys, since: 4)
    }
}

/// Answers `FindCoordinatorRequest`.
package struct FindCoordinatorResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var errorCode: ErrorCode = .none
    package var errorMessage: String?
    package var nodeID: Int32 = 0
    package var host: String = ""
    package var port: Int32 = 0
    package var coordinators: [Coordinator] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds, since: 1)
        try coder.field(&errorCode, through: 3)
        try coder.field(&errorMessage, since: 1, through: 3)
        try coder.field(&nodeID, through: 3)
        try coder.field(&host, through: 3)
        try coder.field(&port, through: 3)
        try coder.field(&coordinators, since: 4)
    }

    package struct Coordinator: WireStructure {
        package var key: String = ""
        package var nodeID: Int32 = 0
        package var host: String = ""
        package var port: Int32 = 0
        package var errorCode: ErrorCode = .none
        package var errorMessage: String?

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&key)
            try coder.field(&nodeID)
            try coder.field(&host)
            try coder.field(&port)
            try coder.field(&errorCode)
            try coder.field(&errorMessage)
        }
    }
}
