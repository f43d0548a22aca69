/// A token of the SASL mechanism that the handshake chose (KIP-152; `sessionLifetimeMilliseconds` is KIP-368).
package struct SaslAuthenticateRequest: RequestMessage {
    package typealias Response = SaslAuthenticateResponse
    package static let api = ApiKey.saslAuthenticate
    package static let versions: ClosedRange<Int16> = 0...2
    package static let flexibleSince: Int16? = 2

    package var token: Bytes = .empty

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&token)
    }
}

/// Answers `SaslAuthenticateRequest`.
package struct SaslAuthenticateResponse: WireStructure {
    package var errorCode: ErrorCode = .none
    package var errorMessage: String?
    package var token: Bytes = .empty
    /// 0: the client need not log in again.
    package var sessionLifetimeMilliseconds: Int64 = 0

    package init() {}

    package mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try coder.field(&errorCode)
        try coder.field(&errorMessage)
        try coder.field(&token)
        try coder.field(&sessionLifetimeMilliseconds, since: 1)
    }
}
