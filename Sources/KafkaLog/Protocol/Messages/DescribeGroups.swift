/// State and members of groups.
package struct DescribeGroupsRequest: RequestMessage {
    package typealias Response = DescribeGroupsResponse
    package static let api = ApiKey.describeGroups
    package static let versions: ClosedRange<Int16> = 0...6
    package static let flexibleSince: Int16? = 5

    package var groups: [String] = []
    package var includeAuthorizedOperations: Bool = false

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&groups)
        try coder.field(&includeAuthorizedOperations, since: 3)
    }
}

/// Answers `DescribeGroupsRequest`.
package struct DescribeGroupsResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var groups: [Group] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds, since: 1)
        try coder.field(&groups)
    }

    package struct Group: WireStructure {
        package var errorCode: ErrorCode = .none
        package var errorMessage: String?
        package var groupID: String = ""
        package var groupState: String = ""
        package var protocolType: String = ""
        package var protocolData: String = ""
        package var members: [Member] = []
        package var authorizedOperations: Int32 = .min

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&errorCode)
            try coder.field(&errorMessage, since: 6)
            try coder.field(&groupID)
            try coder.field(&groupState)
            try coder.field(&protocolType)
            try coder.field(&protocolData)
            try coder.field(&members)
            try coder.field(&authorizedOperations, since: 3)
        }

        package struct Member: WireStructure {
            package var memberID: String = ""
            package var groupInstanceID: String?
            package var clientID: String = ""
            package var clientHost: String = ""
            package var memberMetadata: Bytes = .empty
            package var memberAssignment: Bytes = .empty

            package init() {}

            package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                try coder.field(&memberID)
                try coder.field(&groupInstanceID, since: 4)
                try coder.field(&clientID)
                try coder.field(&clientHost)
                try coder.field(&memberMetadata)
                try coder.field(&memberAssignment)
            }
        }
    }
}
