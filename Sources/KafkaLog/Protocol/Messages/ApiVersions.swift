/// What this broker speaks. Its response header is always version 0, so that any client can read it.
package struct ApiVersionsRequest: RequestMessage {
    package typealias Response = ApiVersionsResponse
    package static let api = ApiKey.apiVersions
    package static let versions: ClosedRange<Int16> = 0...4
    package static let flexibleSince: Int16? = 3

    package var clientSoftwareName: String = ""
    package var clientSoftwareVersion: String = ""

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&clientSoftwareName, since: 3)
        try coder.field(&clientSoftwareVersion, since: 3)
    }
}

/// Answers `ApiVersionsRequest`.
package struct ApiVersionsResponse: WireStructure {
    package var errorCode: ErrorCode = .none
    package var apiKeys: [Api] = []
    package var throttleTimeMilliseconds: Int32 = 0

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&errorCode)
        try coder.field(&apiKeys)
        try coder.field(&throttleTimeMilliseconds, since: 1)
    }

    package struct Api: WireStructure {
        package var apiKey: Int16 = 0
        package var minVersion: Int16 = 0
        package var maxVersion: Int16 = 0

        package init() {}

        package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
            try coder.field(&apiKey)
            try coder.field(&minVersion)
            try coder.field(&maxVersion)
        }
    }
}
