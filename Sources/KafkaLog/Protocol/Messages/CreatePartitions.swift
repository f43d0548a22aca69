/// Adds partitions to topics.
package struct CreatePartitionsRequest: RequestMessage {
    package typealias Response = CreatePartitionsResponse
    package static let api = ApiKey.createPartitions
    package static let versions: ClosedRange<Int16> = 0...3
    package static let flexibleSince: Int16? = 2

    package var topics: [Topic] = []
    package var timeoutMilliseconds: Int32 = 0
    package var validateOnly: Bool = false

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&topics)
        try coder.field(&timeoutMilliseconds)
        try coder.field(&validateOnly)
    }

    package struct Topic: WireStructure {
        package var name: String = ""
        package var count: Int32 = 0
        package var assignments: [Assignment]? = []

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&name)
            try coder.field(&count)
            try coder.field(&assignments)
        }

        package struct Assignment: WireStructure {
            package var brokerIDs: [Int32] = []

            package init() {}

            package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                try coder.field(&brokerIDs)
            }
        }
    }
}

/// Answers `CreatePartitionsRequest`.
package struct CreatePartitionsResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var results: [Result] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds)
        try coder.field(&results)
    }

    package struct Result: WireStructure {
        package var name: String = ""
        package var errorCode: ErrorCode = .none
        package var errorMessage: String?

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&name)
            try coder.field(&errorCode)
            try coder.field(&errorMessage)
        }
    }
}
