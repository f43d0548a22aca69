/// Chooses a SASL mechanism (KIP-43). After version 0 the tokens follow bare, each with its length alone; after version 1 in
/// `SaslAuthenticateRequest` (KIP-152).
package struct SaslHandshakeRequest: RequestMessage {
    package typealias Response = SaslHandshakeResponse
    package static let api = ApiKey.saslHandshake
    package static let versions: ClosedRange<Int16> = 0...1
    package static let flexibleSince: Int16? = nil

    package var mechanism: String = ""

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&mechanism)
    }
}

/// Answers `SaslHandshakeRequest`.
package struct SaslHandshakeResponse: WireStructure {
    package var errorCode: ErrorCode = .none
    package var mechanisms: [String] = []

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&errorCode)
        try coder.field(&mechanisms)
    }
}
