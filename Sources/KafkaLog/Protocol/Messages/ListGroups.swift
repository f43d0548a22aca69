/// All groups, by state and type when filters are given.
package struct ListGroupsRequest: RequestMessage {
    package typealias Response = ListGroupsResponse
    package static let api = ApiKey.listGroups
    package static let versions: ClosedRange<Int16> = 0...5
    package static let flexibleSince: Int16? = 3

    package var statesFilter: [String] = []
    package var typesFilter: [String] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&statesFilter, since: 4)
        try coder.field(&typesFilter, since: 5)
    }
}

/// Answers `ListGroupsRequest`.
package struct ListGroupsResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var errorCode: ErrorCode = .none
    package var groups: [Group] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds, since: 1)
        try coder.field(&errorCode)
        try coder.field(&groups)
    }

    package struct Group: WireStructure {
        package var groupID: String = ""
        package var protocolType: String = ""
        package var groupState: String = ""
        package var groupType: String = ""

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&groupID)
            try coder.field(&protocolType)
            try coder.field(&groupState, since: 4)
            try coder.field(&groupType, since: 5)
        }
    }
}
