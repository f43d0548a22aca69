/// Keeps a group member alive.
package struct HeartbeatRequest: RequestMessage {
    package typealias Response = HeartbeatResponse
    package static let api = ApiKey.heartbeat
    package static let versions: ClosedRange<Int16> = 0...4
    package static let flexibleSince: Int16? = 4

    package var groupID: String = ""
    package var generation: Int32 = 0
    package var memberID: String = ""
    package var groupInstanceID: String?

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&groupID)
        try coder.field(&generation)
        try coder.field(&memberID)
        try coder.field(&groupInstanceID, since: 3)
    }
}

/// Answers `HeartbeatRequest`.
package struct HeartbeatResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var errorCode: ErrorCode = .none

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds, since: 1)
        try coder.field(&errorCode)
    }
}
