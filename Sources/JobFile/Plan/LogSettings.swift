package struct LogSettings: Hashable, Sendable {
    package enum Fsync: Hashable, Sendable {
        /// On disk before the acknowledgement.
        case commit
        /// Microseconds between two.
        case every(Int64)
        case never
    }

    package var listen = ListenAddress(host: "127.0.0.1", port: 9092)
    /// What clients are told to connect to; nil for `listen`.
    package var advertised: ListenAddress?
    package var directory = "./data/log"
    package var fsync = Fsync.commit
    /// 1...10,000.
    package var defaultPartitions = 4
    package var tls: LogTLSSettings?
    /// Names are unique.
    package var users: [LogUserSettings] = []
    /// Path of a file with a user a line, as written.
    package var usersFile: String?
    /// Nil: whoever is in may do everything.
    package var allow: [AllowSettings]?
    package var limits = LogLimitSettings()
    /// Others than this machine may get in without TLS, or without saying who they are.
    package var isInsecure = false

    package init() {}

    /// The plain listener on loopback is good enough for this process's own clients: nothing is asked of them.
    package var isOpenToThisMachine: Bool {
        listen.isLoopback && advertised == nil && tls == nil && users.isEmpty && usersFile == nil && allow == nil
    }
}

/// Paths of PEM files, as written.
package struct LogTLSSettings: Hashable, Sendable {
    package enum ClientCertificates: String, CaseIterable, Hashable, Sendable {
        /// They are not asked for.
        case notAsked = "none"
        case wanted, required
    }

    package var certificate: String
    package var key: String
    /// There unless `clientCertificates` is `notAsked`.
    package var clientCA: String?
    package var clientCertificates = ClientCertificates.notAsked

    package init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }
}

package struct LogUserSettings: Hashable, Sendable {
    package var name: String
    /// Either it or verifiers.
    package var password: String?
    /// `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`, or of SCRAM-SHA-512; of each at most one.
    package var verifiers: [String]

    package init(name: String, password: String? = nil, verifiers: [String] = []) {
        self.name = name
        self.password = password
        self.verifiers = verifiers
    }
}

/// One entry of the allow list. Names may end in `*`.
package struct AllowSettings: Hashable, Sendable {
    package static let operations = ["read", "write", "create", "delete", "alter", "describe", "describe_configs", "alter_configs"]

    /// `*` for everybody.
    package var principals: [String]
    /// Of `operations`.
    package var operations: Set<String>
    package var topics: [String] = []
    package var groups: [String] = []
    package var transactionalIDs: [String] = []
    package var cluster = false

    package init(principals: [String], operations: Set<String>) {
        self.principals = principals
        self.operations = operations
    }
}

/// Nil: the log's own default.
package struct LogLimitSettings: Hashable, Sendable {
    package var connections: Int?
    package var connectionsPerAddress: Int?
    /// Bytes.
    package var requestSize: Int?
    /// Bytes, of all connections.
    package var requestMemory: Int?
    package var responseMemory: Int?
    /// Microseconds.
    package var idleTimeout: Int64?
    package var authenticationTimeout: Int64?
    package var slowReaderTimeout: Int64?

    package init() {}
}
