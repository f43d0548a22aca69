/// A user of the log, as configured.
package struct LogUser: Equatable, Sendable {
    package enum Secret: Equatable, Sendable {
        case password(String)
        /// One for each mechanism, at least one.
        case credentials([ScramCredential])
    }

    package var name: String
    package var secret: Secret

    package init(name: String, secret: Secret) {
        self.name = name
        self.secret = secret
    }

    /// Names and passwords are printable ASCII, which SASLprep (RFC 4013) leaves as it is: two writings of the same text cannot
    /// lock somebody out. Names have no spaces, since they stand in lists.
    package static func isName(_ name: String) -> Bool {
        (1...128).contains(name.utf8.count) && name.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    package static func isPassword(_ password: String) -> Bool {
        (1...1024).contains(password.utf8.count) && password.utf8.allSatisfy { (0x20...0x7E).contains($0) }
    }
}

/// Who may log in, by name. Names that it does not have look to a client as those that it has: they have a salt too, always
/// the same.
package struct UserDirectory: Sendable {
    private let users: [String: [ScramHash: ScramCredential]]
    private let fakeKey: [UInt8]
    private let fakeIterations: Int

    /// Slow for many users with a password: each costs some milliseconds.
    package init(_ configured: [LogUser]) {
        // Salts of passwords are the same after a restart, as those of stored credentials are: a salt that changed would tell the
        // one kind of name from the other. Whoever guesses at all passwords through a salt pays for it as for guessing at a key.
        let secrets = configured.map { user in
            switch user.secret {
            case .password(let password): "\(user.name)\n\(password)\n"
            case .credentials(let credentials): "\(user.name)\n" + credentials.map(\.verifier).joined(separator: "\n")
            }
        }
        let key = ScramHash.sha256.stretch(
            Array(secrets.joined(separator: "\n").utf8), salt: Array("millrace users".utf8), iterations: 2 * ScramCredential.usualIterations)
        var users: [String: [ScramHash: ScramCredential]] = [:]
        var iterations = ScramCredential.usualIterations
        for user in configured {
            switch user.secret {
            case .password(let password):
                users[user.name] = Dictionary(
                    uniqueKeysWithValues: ScramHash.allCases.map { hash in
                        (hash, ScramCredential(hash, password: password, salt: Self.salt(key, hash, user.name)))
                    })
            case .credentials(let credentials):
                users[user.name] = Dictionary(credentials.map { ($0.hash, $0) }, uniquingKeysWith: { first, _ in first })
                iterations = credentials.first?.iterations ?? iterations
            }
        }
        self.users = users
        fakeKey = key
        fakeIterations = iterations
    }

    private static func salt(_ key: [UInt8], _ hash: ScramHash, _ name: String) -> [UInt8] {
        Array(ScramHash.sha256.authenticationCode(key: key, Array("\(hash.mechanism) \(name)".utf8)).prefix(ScramCredential.saltByteCount))
    }

    /// What `name` logs in with by a SCRAM mechanism; for an unknown one a credential that nothing fits.
    package func credential(of name: String, _ hash: ScramHash) -> ScramCredential {
        users[name]?[hash]
            ?? ScramCredential(unusable: hash, salt: Self.salt(fakeKey, hash, name), iterations: fakeIterations)
    }

    /// Whether `password` is that of `name`. Takes milliseconds, as long for a name that is not there.
    package func knows(_ name: String, password: [UInt8]) -> Bool {
        let known = users[name]?[.sha256] ?? users[name]?[.sha512]
        return (known ?? credential(of: name, .sha256)).fits(password: password)
    }
}
