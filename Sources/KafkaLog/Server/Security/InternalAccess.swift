import Glibc

/// How the log's own machine gets in: a loopback listener with one user, whose password is made at each start. It is kept in a
/// file of the log's directory that nobody else may read: whoever can read that, can read the log.
package struct InternalAccess: Equatable, Sendable {
    package static let user = "millrace-internal"
    package static let fileName = "internal.access"
    static let host = "127.0.0.1"

    package let port: UInt16
    package let password: String

    package var brokers: String { "\(Self.host):\(port)" }

    /// librdkafka's properties for it.
    package var properties: [String: String] {
        [
            "security.protocol": "SASL_PLAINTEXT", "sasl.mechanisms": ScramHash.sha256.mechanism, "sasl.username": Self.user,
            "sasl.password": password,
        ]
    }

    /// A listener on a free port of loopback, and how to get in through it.
    static func open() throws(LogServerError) -> (BrokerListener, InternalAccess) {
        let socket = try Listener(host: host, port: 0, loopbackOnly: true)
        let access = InternalAccess(port: socket.port, password: Base64.encode(SecureRandom.bytes(32)))
        // The password has 256 random bits: more iterations would not make it harder to guess.
        let credential = ScramCredential(.sha256, password: access.password, iterations: ScramCredential.iterationRange.lowerBound)
        let users = UserDirectory([LogUser(name: user, secret: .credentials([credential]))])
        let security = ListenerSecurity(tls: nil, users: users, authorizer: nil, isPrivate: false)
        return (BrokerListener(socket, host: host, security: security), access)
    }

    /// Leaves it for this machine's commands.
    func write(toDirectory directory: String) throws(SocketError) {
        let path = "\(directory)/\(Self.fileName)", temporary = "\(path).new"
        unlink(temporary)
        let descriptor = Glibc.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SocketError.last("open \(temporary)") }
        defer { close(descriptor) }
        let text = Array("\(port) \(password)\n".utf8)
        guard Glibc.write(descriptor, text, text.count) == text.count, rename(temporary, path) == 0 else {
            throw SocketError.last("write \(temporary)")
        }
    }

    static func remove(fromDirectory directory: String) { unlink("\(directory)/\(fileName)") }

    /// What a running log left in its directory; nil when there is none, or when it is not for the caller to read.
    package init?(directory: String) {
        let descriptor = Glibc.open("\(directory)/\(Self.fileName)", O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = read(descriptor, &bytes, bytes.count)
        let words = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).split(whereSeparator: \.isWhitespace)
        guard words.count == 2, let port = UInt16(words[0]) else { return nil }
        self.port = port
        password = String(words[1])
    }

    private init(port: UInt16, password: String) {
        self.port = port
        self.password = password
    }
}
