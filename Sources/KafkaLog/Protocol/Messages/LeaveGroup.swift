/// Leaves a group: one member up to v2, several from v3.
package struct LeaveGroupRequest: RequestMessage {
    package typealias Response = LeaveGroupResponse
    package static let api = ApiKey.leaveGroup
    package static let versions: ClosedRange<Int16> = 0...5
    package static let flexibleSince: Int16? = 4

    package var groupID: String = ""
    package var memberID: String = ""
    package var members: [Member] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&groupID)
        try coder.field(&memberID, through: 2)
        try coder.field(&members, since: 3)
    }

    package struct Member: WireStructure {
        package var memberID: String = ""
        package var groupInstanceID: String?
        package var reason: String?

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&memberID)
            try coder.field(&groupInstanceID)
            try coder.field(&reason, since: 5)
        }
    }
}

/// Answers `LeaveGroupRequest`.
package struct LeaveGroupResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var errorCode: ErrorCode = .none
    package var members: [Member] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds, since: 1)
        try coder.field(&errorCode)
        try coder.field(&members, since: 3)
    }

    package struct Member: WireStructure {
        package var memberID: String = ""
        package var groupInstanceID: String?
        package var errorCode: ErrorCode = .none

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&memberID)
            try coder.field(&groupInstanceID)
            try coder.field(&errorCode)
        }
    }
}
