/// What a server keeps of a password (RFC 5802): enough to check it and to prove that it knows it, not enough to log in with.
package struct ScramCredential: Equatable, Sendable {
    /// RFC 7677 asks for at least 4096.
    package static let iterationRange = 4096...200_000
    package static let usualIterations = 8192
    static let saltByteCount = 16

    package let hash: ScramHash
    package let iterations: Int
    package let salt: [UInt8]
    package let storedKey: [UInt8]
    package let serverKey: [UInt8]

    /// Derives it from a password: slow on purpose, a few milliseconds.
    /// - Parameter salt: nil for a random one.
    package init(_ hash: ScramHash, password: String, salt: [UInt8]? = nil, iterations: Int = usualIterations) {
        self.hash = hash
        self.iterations = iterations
        self.salt = salt ?? SecureRandom.bytes(Self.saltByteCount)
        (storedKey, serverKey) = Self.keys(hash, Array(password.utf8), self.salt, iterations)
    }

    /// Nobody's: no password fits.
    init(unusable hash: ScramHash, salt: [UInt8], iterations: Int) {
        self.hash = hash
        self.iterations = iterations
        self.salt = salt
        storedKey = SecureRandom.bytes(hash.byteCount)
        serverKey = SecureRandom.bytes(hash.byteCount)
    }

    /// Reads `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`, in base64: the form of RFC 5803 and of PostgreSQL.
    package init?(verifier: String) {
        let parts = verifier.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 3, let hash = ScramHash.allCases.first(where: { $0.mechanism == parts[0] }) else { return nil }
        let head = parts[1].split(separator: ":", omittingEmptySubsequences: false)
        let keys = parts[2].split(separator: ":", omittingEmptySubsequences: false)
        guard head.count == 2, keys.count == 2, let iterations = Int(head[0]), Self.iterationRange.contains(iterations),
            let salt = Base64.decode(head[1]), (8...64).contains(salt.count), let storedKey = Base64.decode(keys[0]),
            let serverKey = Base64.decode(keys[1]), storedKey.count == hash.byteCount, serverKey.count == hash.byteCount
        else { return nil }
        self.hash = hash
        self.iterations = iterations
        self.salt = salt
        self.storedKey = storedKey
        self.serverKey = serverKey
    }

    package var verifier: String {
        "\(hash.mechanism)$\(iterations):\(Base64.encode(salt))$\(Base64.encode(storedKey)):\(Base64.encode(serverKey))"
    }

    /// Whether `password` is the one; as slow as making the credential.
    func fits(password: [UInt8]) -> Bool {
        areEqualInConstantTime(Self.keys(hash, password, salt, iterations).stored, storedKey)
    }

    private static func keys(
        _ hash: ScramHash, _ password: [UInt8], _ salt: [UInt8], _ iterations: Int
    ) -> (stored: [UInt8], server: [UInt8]) {
        let salted = hash.stretch(password, salt: salt, iterations: iterations)
        let stored = hash.digest(hash.authenticationCode(key: salted, Array("Client Key".utf8)))
        return (stored, hash.authenticationCode(key: salted, Array("Server Key".utf8)))
    }
}
