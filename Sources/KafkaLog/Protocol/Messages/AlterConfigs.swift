/// Replaces the configuration of topics: what is not in the request goes back to its default.
package struct AlterConfigsRequest: RequestMessage {
    package typealias Response = AlterConfigsResponse
    package static let api = ApiKey.alterConfigs
    package static let versions: ClosedRange<Int16> = 0...2
    package static let flexibleSince: Int16? = 2

    package var resources: [Resource] = []
    package var validateOnly: Bool = false

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&resources)
        try coder.field(&validateOnly)
    }

    package struct Resource: WireStructure {
        package var resourceType: Int8 = 0
        package var resourceName: String = ""
        package var configs: [Entry] = []

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&resourceType)
            try coder.field(&resourceName)
            try coder.field(&configs)
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

/// Answers `AlterConfigsRequest`.
package struct AlterConfigsResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var responses: [Response] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds)
        try coder.field(&responses)
    }

    package struct Response: WireStructure {
        package var errorCode: ErrorCode = .none
        package var errorMessage: String?
        package var resourceType: Int8 = 0
        package var resourceName: String = ""

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&errorCode)
            try coder.field(&errorMessage)
            try coder.field(&resourceType)
            try coder.field(&resourceName)
        }
    }
}
