/// Hands the leader's assignment to the members.
package struct SyncGroupRequest: RequestMessage {
    package typealias Response = SyncGroupResponse
    package static let api = ApiKey.syncGroup
    package static let versions: ClosedRange<Int16> = 0...5
    package static let flexibleSince: Int16? = 4

    package var groupID: String = ""
    package var generation: Int32 = 0
    package var memberID: String = ""
    package var groupInstanceID: String?
    package var protocolType: String?
    package var protocolName: String?
    package var assignments: [Assignment] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&groupID)
        try coder.field(&generation)
        try coder.field(&memberID)
        try coder.field(&groupInstanceID, since: 3)
        try coder.field(&protocolType, since: 5)
        try coder.field(&protocolName, since: 5)
        try coder.field(&assignments)
    }

    package struct Assignment: WireStructure {
        package var memberID: String = ""
        package var assignment: Bytes = .empty

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&memberID)
            try coder.field(&assignment)
        }
    }
}

/// Answers `SyncGroupRequest`.
package struct SyncGroupResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var errorCode: ErrorCode = .none
    package var protocolType: String?
    package var protocolName: String?
    package var assignment: Bytes = .empty

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds, since: 1)
        try coder.field(&errorCode)
        try coder.field(&protocolType, since: 5)
        try coder.field(&protocolName, since: 5)
        try coder.field(&assignment)
    }
}
