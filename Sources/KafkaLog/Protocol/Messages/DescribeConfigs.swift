/// Configuration of topics (resource type 2) and brokers (4).
package struct DescribeConfigsRequest: RequestMessage {
    package typealias Response = DescribeConfigsResponse
    package static let api = ApiKey.describeConfigs
    package static let versions: ClosedRange<Int16> = 0...4
    package static let flexibleSince: Int16? = 4

    package var resources: [Resource] = []
    package var includeSynonyms: Bool = false
    package var includeDocumentation: Bool = false

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&resources)
        try coder.field(&includeSynonyms, since: 1)
        try coder.field(&includeDocumentation, since: 3)
    }

    package struct Resource: WireStructure {
        package var resourceType: Int8 = 0
        package var resourceName: String = ""
        package var configurationKeys: [String]? = []

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&resourceType)
            try coder.field(&resourceName)
            try coder.field(&configurationKeys)
        }
    }
}

/// Answers `DescribeConfigsRequest`.
package struct DescribeConfigsResponse: WireStructure {
    package var throttleTimeMilliseconds: Int32 = 0
    package var results: [Result] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&throttleTimeMilliseconds)
        try coder.field(&results)
    }

    package struct Result: WireStructure {
        package var errorCode: ErrorCode = .none
        package var errorMessage: String?
        package var resourceType: Int8 = 0
        package var resourceName: String = ""
        package var configs: [Entry] = []

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&errorCode)
            try coder.field(&errorMessage)
            try coder.field(&resourceType)
            try coder.field(&resourceName)
            try coder.field(&configs)
        }

        package struct Entry: WireStructure {
            package var name: String = ""
            package var value: String?
            package var readOnly: Bool = false
            package var configSource: Int8 = -1
            package var isDefault: Bool = false
            package var isSensitive: Bool = false
            package var synonyms: [Synonym] = []
            package var configType: Int8 = 0
            package var documentation: String?

            package init() {}

            package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                try coder.field(&name)
                try coder.field(&value)
                try coder.field(&readOnly)
                try coder.field(&configSource, since: 1)
                try coder.field(&isDefault, through: 0)
                try coder.field(&isSensitive)
                try coder.field(&synonyms, since: 1)
                try coder.field(&configType, since: 3)
                try coder.field(&documentation, since: 3)
            }

            package struct Synonym: WireStructure {
                package var name: String = ""
                package var value: String?
                package var source: Int8 = 0

                package init() {}

                package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
                    try coder.field(&name)
                    try coder.field(&value)
                    try coder.field(&source)
                }
            }
        }
    }
}
