/// The SASL mechanisms that the log speaks, by their registered names.
enum SaslMechanism: String, CaseIterable {
    case scramSHA256 = "SCRAM-SHA-256"
    case scramSHA512 = "SCRAM-SHA-512"
    /// RFC 4616: the password as it is.
    case plain = "PLAIN"

    var hash: ScramHash? {
        switch self {
        case .scramSHA256: .sha256
        case .scramSHA512: .sha512
        case .plain: nil
        }
    }
}

/// The only message of PLAIN: `[authzid] NUL authcid NUL passwd`.
package struct PlainMessage: Equatable, Sendable {
    package let user: String
    package let password: [UInt8]

    /// Nil when the message has another form, or asks to act for somebody else.
    package init?(_ message: [UInt8]) {
        guard message.count <= 4096 else { return nil }
        let parts = message.split(separator: 0, omittingEmptySubsequences: false)
        guard parts.count == 3, let user = String(validating: parts[1], as: UTF8.self), LogUser.isName(user), !parts[2].isEmpty,
            parts[0].isEmpty || parts[0] == parts[1]
        else { return nil }
        self.user = user
        self.password = Array(parts[2])
    }
}
