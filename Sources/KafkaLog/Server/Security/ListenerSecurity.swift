/// What a log server asks of its clients. The default asks for nothing and is for loopback.
package struct LogSecurity: Sendable {
    package var tls: LogTLSConfiguration?
    /// Not empty: every client has to log in with SASL, and its user is its principal. Otherwise the subject of a client's
    /// certificate is, and `ANONYMOUS` without one.
    package var users: [LogUser] = []
    /// Nil: whoever is in may do everything. An empty list allows nothing.
    package var allow: [AllowRule]?

    package init() {}

    package static let anonymous = "ANONYMOUS"

    /// Whether nobody gets in without having proved who it is.
    var authenticates: Bool { !users.isEmpty || tls?.clientCertificates == .required }
}

/// What one listener asks of its clients, ready for use.
struct ListenerSecurity: Sendable {
    let tls: TLSContext?
    /// Nil when nobody has to log in.
    let users: UserDirectory?
    /// Nil when everything is allowed.
    let authorizer: Authorizer?
    /// PLAIN shows the password to whoever sees the bytes: it is offered where nobody does.
    let mechanisms: [SaslMechanism]

    init(tls: TLSContext?, users: UserDirectory?, authorizer: Authorizer?, isPrivate: Bool) {
        self.tls = tls
        self.users = users
        self.authorizer = authorizer
        mechanisms = users == nil ? [] : SaslMechanism.allCases.filter { $0 != .plain || isPrivate }
    }

    /// Reads the files and derives the keys that `security` names.
    /// - Parameter isLoopback: nobody but this machine sees what is sent.
    init(_ security: LogSecurity, isLoopback: Bool) throws(LogServerError) {
        var context: TLSContext?
        if let tls = security.tls { context = try TLSContext(tls) }
        self.init(
            tls: context, users: security.users.isEmpty ? nil : UserDirectory(security.users),
            authorizer: security.allow.map(Authorizer.init), isPrivate: context != nil || isLoopback)
    }
}
