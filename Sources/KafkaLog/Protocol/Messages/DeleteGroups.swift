/// Deletes empty groups.
package struct DeleteGroupsRequest: RequestMessage {
    package typealias Response = DeleteGroupsResponse
    package static let api = ApiKey.deleteGroups
    package static let versions: ClosedRange<Int16> = 0...2
    package static let flexibleSince: Int16? = 2

    package var groups: [String] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&groups)
    }
}

/// Answers `DeleteGroupsRequest`.
package struct DeleteGroupsResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var results: [Result] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds)
        try coder.field(&results)
    }

    package struct Result: WireStructure {
        package var groupID: String = ""
        package var errorCode: ErrorCode = .none

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&groupID)
            try coder.field(&errorCode)
        }
    }
}
