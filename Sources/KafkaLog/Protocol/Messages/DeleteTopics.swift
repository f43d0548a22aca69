/// Deletes topics by name, from v6 also by id.
package struct DeleteTopicsRequest: RequestMessage {
    package typealias Response = DeleteTopicsResponse
    package static let api = ApiKey.deleteTopics
    package static let versions: ClosedRange<Int16> = 0...6
    package static let flexibleSince: Int16? = 4

    package var topics: [Topic] = []
    package var topicNames: [String] = []
    package var timeoutMilliseconds: Int32 = 0

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&topics, since: 6)
        try coder.field(&topicNames, through: 5)
        try coder.field(&timeoutMilliseconds)
    }

    package struct Topic: WireStructure {
        package var name: String?
        package var topicID: WireUUID = .zero

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&name)
            try coder.field(&topicID)
        }
    }
}

/// Answers `DeleteTopicsRequest`.
package struct DeleteTopicsResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var topics: [Topic] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds, since: 1)
        try coder.field(&topics)
    }

    package struct Topic: WireStructure {
        package var name: String?
        package var topicID: WireUUID = .zero
        package var errorCode: ErrorCode = .none
        package var errorMessage: String?

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&name, nullableSince: 6)
            try coder.field(&topicID, since: 6)
            try coder.field(&errorCode)
            try coder.field(&errorMessage, since: 5)
        }
    }
}
