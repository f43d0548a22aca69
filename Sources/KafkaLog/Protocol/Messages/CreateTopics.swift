/// Creates topics.
package struct CreateTopicsRequest: RequestMessage {
    package typealias Response = CreateTopicsResponse
    package static let api = ApiKey.createTopics
    package static let versions: ClosedRange<Int16> = 0...7
    package static let flexibleSince: Int16? = 5

    package var topics: [Topic] = []
    package var timeoutMilliseconds: Int32 = 60000
    package var validateOnly: Bool = false

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&topics)
        try coder.field(&timeoutMilliseconds)
        try coder.field(&validateOnly, since: 1)
    }

    package struct Topic: WireStructure {
        package var name: String = ""
        package var numPartitions: Int32 = 0
        package var replicationFactor: Int16 = 0
        package var assignments: [Assignment] = []
        package var configs: [Entry] = []

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&name)
            try coder.field(&numPartitions)
            try coder.field(&replicationFactor)
            try coder.field(&assignments)
            try coder.field(&configs)
        }

        package struct Assignment: WireStructure {
            package var index: Int32 = 0
            package var brokerIDs: [Int32] = []

            package init() {}

            package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                try coder.field(&index)
                try coder.field(&brokerIDs)
            }
        }

        package struct Entry: WireStructure {
            package var name: String = ""
            package var value: String?

            package init() {}

            package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                try coder.field(&name)
                try coder.field(&value)
            }
        }
    }
}

/// Answers `CreateTopicsRequest`.
package struct CreateTopicsResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var topics: [Topic] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds, since: 2)
        try coder.field(&topics)
    }

    package struct Topic: WireStructure {
        package var name: String = ""
        package var topicID: WireUUID = .zero
        package var errorCode: ErrorCode = .none
        package var errorMessage: String?
        package var numPartitions: Int32 = -1
        package var replicationFactor: Int16 = -1
        package var configs: [Entry]? = []

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&name)
            try coder.field(&topicID, since: 7)
            try coder.field(&errorCode)
            try coder.field(&errorMessage, since: 1)
            try coder.field(&numPartitions, since: 5)
            try coder.field(&replicationFactor, since: 5)
            try coder.field(&configs, since: 5)
        }

        package struct Entry: WireStructure {
            package var name: String = ""
            package var value: String?
            package var readOnly: Bool = false
            package var configSource: Int8 = -1
            package var isSensitive: Bool = false

            package init() {}

            package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                try coder.field(&name)
                try coder.field(&value)
                try coder.field(&readOnly)
                try coder.field(&configSource)
                try coder.field(&isSensitive)
            }
        }
    }
}
