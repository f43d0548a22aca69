/// Changes configuration of topics: operation 0 sets, 1 deletes, 2 appends, 3 subtracts (KIP-339).
package struct IncrementalAlterConfigsRequest: RequestMessage {
    package typealias Response = IncrementalAlterConfigsResponse
    package static let api = ApiKey.incrementalAlterConfigs
    package static let versions: ClosedRange<Int16> = 0...1
    package static let flexibleSince: Int16? = 1

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
            package var configOperation: Int8 = 0
            package var value: String?

            package init() {}

            package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                try coder.field(&name)
                try coder.field(&configOperation)
                try coder.field(&value)
            }
        }
    }
}

/// Answers `IncrementalAlterConfigsRequest`.
package struct IncrementalAlterConfigsResponse: WireStructure {
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
