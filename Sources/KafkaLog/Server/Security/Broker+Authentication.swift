import KafkaLogProtocol

/// A connection on its way to being somebody.
final class Login {
    enum State {
        case start
        case scram(ScramExchange)
        case plain
        /// It was refused, or its password is being checked.
        case over
    }

    var state = State.start
    /// Its next frames are tokens without a request around them (a handshake of version 0).
    var sendsBareTokens = false
}

/// Where the answer to a token goes.
enum LoginReply {
    case message(Reply<SaslAuthenticateRequest>)
    /// The place of an answer without a message around it.
    case bare(UInt64)
}

/// Who a connection is: a certificate, a SASL login, or nobody where nobody is asked.
extension Broker {
    /// Bytes of a request before its connection is authenticated.
    static var strangersRequestBytes: Int { 64 << 10 }

    /// How long a refused login waits for its answer: what guessing costs.
    private static var refusalMilliseconds: Int64 { 250 }

    /// The connection is `principal` from now on.
    func admit(_ connection: Connection, as principal: String) {
        connection.login = nil
        connection.isAuthenticated = true
        connection.access = connection.listener.security.authorizer.map { Access(principal: principal, authorizer: $0) }
    }

    /// Goes on with the handshake of TLS; true once it is done.
    func continueHandshake(_ connection: Connection, _ tls: TLSSession) -> Bool {
        switch tls.handshake() {
        case .bytes:
            if connection.login == nil { admit(connection, as: tls.clientSubject ?? LogSecurity.anonymous) }
            return true
        case .blocked: needsAttention(connection)
        case .closed: close(connection, reason: nil)
        case .failed(let reason):
            counters.failedAuthentications += 1
            close(connection, reason: reason)
        }
        return false
    }

    func saslHandshake(_ request: SaslHandshakeRequest, _ reply: Reply<SaslHandshakeRequest>) {
        let offered = reply.connection.listener.security.mechanisms
        func answer(_ code: ErrorCode) {
            self.answer(reply) {
                $0.errorCode = code
                $0.mechanisms = offered.map(\.rawValue)
            }
        }
        guard let login = reply.connection.login, case .start = login.state else { return answer(.illegalSaslState) }
        guard let mechanism = SaslMechanism(rawValue: request.mechanism), offered.contains(mechanism) else {
            report(reply.connection, user: nil, "it asks for another mechanism than \(offered.map(\.rawValue).joined(separator: ", "))")
            login.state = .over
            reply.connection.isEnding = true
            return answer(.unsupportedSaslMechanism)
        }
        login.state = mechanism.hash.map { .scram(ScramExchange($0)) } ?? .plain
        login.sendsBareTokens = reply.version == 0
        answer(.none)
    }

    func saslAuthenticate(_ request: SaslAuthenticateRequest, _ reply: Reply<SaslAuthenticateRequest>) {
        guard let login = reply.connection.login else {
            return answer(reply) {
                $0.errorCode = .illegalSaslState
                $0.errorMessage = "there is nothing to log in to, or it is done"
            }
        }
        if case .start = login.state {
            reply.connection.isEnding = true
            return answer(reply) {
                $0.errorCode = .illegalSaslState
                $0.errorMessage = "expected a SaslHandshake before SaslAuthenticate"
            }
        }
        take(token: request.token.array, .message(reply), reply.connection)
    }

    /// Takes one token of the mechanism that was chosen.
    func take(token: [UInt8], _ reply: LoginReply, _ connection: Connection) {
        guard let login = connection.login, let users = connection.listener.security.users else { return }
        switch login.state {
        case .scram(var exchange):
            let outcome = exchange.take(token, users.credential)
            login.state = .scram(exchange)
            switch outcome {
            case .challenge(let text): answer(reply, Array(text.utf8), connection)
            case .done(let user, let final):
                admit(connection, as: user)
                answer(reply, Array(final.utf8), connection)
            case .refused(let user, let reason): refuseLater(connection, reply, user: user, reason)
            }
        case .plain: takePassword(token, reply, connection, login, users)
        case .start, .over: refuseLater(connection, reply, user: nil, "a token that was not asked for")
        }
    }

    private func takePassword(_ token: [UInt8], _ reply: LoginReply, _ connection: Connection, _ login: Login, _ users: UserDirectory) {
        login.state = .over
        guard let message = PlainMessage(token) else { return refuseLater(connection, reply, user: nil, "a malformed PLAIN message") }
        if passwords.remembers(message) {
            admit(connection, as: message.user)
            return answer(reply, [], connection)
        }
        guard passwords.underWay < PasswordChecker.mostUnderWay else {
            return close(connection, reason: "\(PasswordChecker.mostUnderWay) other logins are being checked")
        }
        let id = connection.id
        pendingLogins[id] = reply
        passwords.check(message, users, mailbox) { broker, isRight in
            guard let reply = broker.pendingLogins.removeValue(forKey: id), let connection = broker.connections[id] else { return }
            if isRight {
                broker.admit(connection, as: message.user)
                broker.answer(reply, [], connection)
            } else {
                broker.refuseLater(connection, reply, user: message.user, "unknown user or wrong password")
            }
        }
    }

    private func answer(_ reply: LoginReply, _ token: [UInt8], _ connection: Connection) {
        switch reply {
        case .message(let reply): answer(reply) { $0.token = Bytes(token) }
        case .bare(let place):
            guard connection.isOpen else { return }
            let length = withUnsafeBytes(of: Int32(token.count).bigEndian) { [UInt8]($0) }
            connection.fulfil(place, [.bytes(length + token)])
            needsAttention(connection)
        }
    }

    private func report(_ connection: Connection, user: String?, _ reason: String) {
        counters.failedAuthentications += 1
        configuration.log(
            LogEvent(
                .warning, "a login failed",
                ["peer": connection.peer, "client": connection.clientID, "user": user ?? "", "reason": reason]))
    }

    private func refuseLater(_ connection: Connection, _ reply: LoginReply, user: String?, _ reason: String) {
        connection.login?.state = .over
        report(connection, user: user, reason)
        timers.add(.refuseLogin(connection, reply), at: clock.now + Broker.refusalMilliseconds)
    }

    /// Tells the client that its login failed, not why, and ends the connection.
    func refuseLogin(_ connection: Connection, _ reply: LoginReply) {
        guard connection.isOpen else { return }
        switch reply {
        case .message(let reply):
            connection.isEnding = true
            answer(reply) {
                $0.errorCode = .saslAuthenticationFailed
                $0.errorMessage = "Authentication failed: unknown user or wrong password"
            }
        // Without a message around it there is no way to say so.
        case .bare: close(connection, reason: nil)
        }
    }
}

extension ApiKey {
    /// Whether it is answered before its client is authenticated.
    var isForStrangers: Bool { self == .apiVersions || self == .saslHandshake || self == .saslAuthenticate }
}
