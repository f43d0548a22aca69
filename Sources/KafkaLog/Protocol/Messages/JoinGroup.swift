/// Joins a group; answered when the rebalance is complete.
package struct JoinGroupRequest: RequestMessage {
    package typealias Response = JoinGroupResponse
    package static let api = ApiKey.joinGroup
    package static let versions: ClosedRange<Int16> = 0...9
    package static let flexibleSince: Int16? = 6

    package var groupID: String = ""
    package var sessionTimeoutMilliseconds: Int32 = 0
    package var rebalanceTimeoutMilliseconds: Int32 = -1
    package var memberID: String = ""
    package var groupInstanceID: String?
    package var protocolType: String = ""
    package var protocols: [GroupProtocol] = []
    package var reason: String?

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&groupID)
        try coder.field(&sessionTimeoutMilliseconds)
        try coder.field(&rebalanceTimeoutMilliseconds, since: 1)
        try coder.field(&memberID)
        try coder.field(&groupInstanceID, since: 5)
        try coder.field(&protocolType)
        try coder.field(&protocols)
        try coder.field(&reason, since: 8)
    }

    package struct GroupProtocol: WireStructure {
        package var name: String = ""
        package var metadata: Bytes = .empty

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&name)
            try coder.field(&metadata)
        }
    }
}

/// Answers `JoinGroupRequest`.
package struct JoinGroupResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var errorCode: ErrorCode = .none
    package var generation: Int32 = -1
    package var protocolType: String?
    package var protocolName: String?
    package var leader: String = ""
    package var skipAssignment: Bool = false
    package var memberID: String = ""
    package var members: [Member] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds, since: 2)
        try coder.field(&errorCode)
        try coder.field(&generation)
        try coder.field(&protocolType, since: 7)
        try coder.field(&protocolName, nullableSince: 7)
        try coder.field(&leader)
        try coder.field(&skipAssignment, since: 9)
        try coder.field(&memberID)
        try coder.field(&members)
    }

    package struct Member: WireStructure {
        package var memberID: String = ""
        package var groupInstanceID: String?
        package var metadata: Bytes = .empty

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&memberID)
            try coder.field(&groupInstanceID, since: 5)
            try coder.field(&metadata)
        }
    }
}
