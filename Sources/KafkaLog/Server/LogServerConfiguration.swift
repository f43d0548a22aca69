import KafkaLogGroups
import KafkaLogStorage
import KafkaLogTransactions

/// When a record counts as written.
package enum FsyncMode: Equatable, Sendable {
    /// Acknowledged, and readable, once it is on disk.
    case commit
    /// Acknowledged at once; on disk this many milliseconds later.
    case interval(milliseconds: Int)
    /// Acknowledged at once; the operating system writes when it likes.
    case never
}

/// What a log server needs to know. Values are checked when the server is made.
package struct LogServerConfiguration: Sendable {
    /// Where to listen: a host name or address, and a port (0: any free one).
    package var host: String
    package var port: UInt16
    /// What clients are told to connect to; nil for the listener's own host and port.
    package var advertised: (host: String, port: UInt16)?
    package var security = LogSecurity()
    /// An address beyond loopback without TLS, or where nobody has to prove who he is, has to be asked for.
    package var isInsecure = false
    /// Whether this process's own clients get a listener of their own, see `LogServer.internalAccess`.
    package var hasInternalListener = false

    package var directory: String
    package var fsync: FsyncMode = .commit
    /// Partitions of a topic that is created without a number, by a request or by being used.
    package var defaultPartitions: Int32 = 4
    package var createsTopicsOnUse = true
    package var nodeID: Int32 = 1

    package var limits = LogServerLimits()
    /// Where a topic does not say otherwise.
    package var topicDefaults = LogConfiguration()
    package var groups = GroupConfiguration()
    package var transactions = TransactionConfiguration()
    /// How often old segments, producers and offsets are looked for, in milliseconds.
    package var retentionCheckMilliseconds = 300_000

    /// The calls that put data on disk: for tests that let them fail.
    package var fileOperations = FileOperations.system
    /// Structured events, called on the broker's thread: must not block.
    package var log: @Sendable (LogEvent) -> Void = { _ in }

    package init(host: String = "127.0.0.1", port: UInt16 = 9092, directory: String) {
        self.host = host
        self.port = port
        self.directory = directory
    }
}

extension LogServerConfiguration {
    func validate() throws(LogServerError) {
        func require(_ condition: Bool, _ field: String, _ reason: String) throws(LogServerError) {
            if !condition { throw .invalidConfiguration(field: field, reason: reason) }
        }
        try require(!directory.isEmpty, "directory", "expected a path, not an empty text")
        try require(!host.isEmpty, "listen", "expected host:port, the host is empty")
        try require(defaultPartitions > 0, "default_partitions", "expected 1 or more, not \(defaultPartitions)")
        if case .interval(let milliseconds) = fsync {
            try require(milliseconds > 0, "fsync", "expected an interval of 1 ms or more, not \(milliseconds)")
        }
        try require(limits.connections > 0, "limits", "expected at least one connection")
        try require(limits.connectionsPerAddress ?? 1 > 0, "limits", "expected at least one connection an address")
        try require(
            limits.idleMilliseconds > 0 && limits.authenticationMilliseconds > 0 && limits.stalledMilliseconds > 0, "limits",
            "expected times of at least 1 ms")
        try require(limits.requestBytes >= 1 << 10, "limits", "expected requests of at least 1 KiB, not \(limits.requestBytes) bytes")
        try require(limits.requestsInFlight > 0 && limits.outputBytes > 0, "limits", "expected room for at least one answer")
    }
}

/// Bounds of what clients can make the server hold.
package struct LogServerLimits: Sendable {
    package var connections = 1_000
    /// Connections from one address; nil for half of all, and no limit on loopback.
    package var connectionsPerAddress: Int?
    /// Bytes of one request.
    package var requestBytes = 100 << 20
    /// Bytes of all requests that are being received.
    package var receivedBytes = 512 << 20
    /// Requests of a connection that are not answered; it is not read from until some are.
    package var requestsInFlight = 64
    /// Bytes of answers in memory for a connection that does not read them; likewise.
    package var outputBytes = 4 << 20
    /// Bytes of answers in memory for all connections: beyond it the one that holds the most of them is closed.
    package var answerBytes = 256 << 20
    /// A connection that takes nothing of its answers for so long is closed, in milliseconds.
    package var stalledMilliseconds = 60_000
    /// A connection has to be through with TLS and its login after so long, in milliseconds.
    package var authenticationMilliseconds = 10_000
    /// A request has to be here in whole so long after it began to come, in milliseconds.
    package var requestMilliseconds = 600_000
    /// Bytes that groups, their offsets and transactional ids may take in the coordinators' journal: beyond it there are no new ones.
    package var coordinatorBytes = 256 << 20
    /// A connection that neither sends nor receives for so long is closed, in milliseconds.
    package var idleMilliseconds = 600_000
    package var partitions = 10_000
    /// The longest a Fetch may wait, in milliseconds.
    package var fetchWaitMilliseconds: Int32 = 60_000
    /// Bytes of one Fetch response, whatever was asked for.
    package var fetchBytes = 64 << 20

    package init() {}
}

/// Why a log server could not be made.
package enum LogServerError: Error, Equatable, CustomStringConvertible {
    case cannotListen(address: String, reason: String)
    case listenerNotLoopback(host: String)
    case invalidConfiguration(field: String, reason: String)
    /// A certificate or key that cannot be used.
    case tls(String)
    case storage(String)
    case coordinatorState(String)
    case system(SocketError)

    /// Whether another configuration would help, rather than another try.
    package var isOfConfiguration: Bool {
        switch self {
        case .listenerNotLoopback, .invalidConfiguration, .tls: true
        case .cannotListen, .storage, .coordinatorState, .system: false
        }
    }

    package var description: String {
        switch self {
        case .cannotListen(let address, let reason): "cannot listen on \(address): \(reason)"
        case .listenerNotLoopback(let host):
            "\(host) is not a loopback address, and the log has not both TLS and clients that have to prove who they are"
        case .invalidConfiguration(let field, let reason): "log configuration, \(field): \(reason)"
        case .tls(let reason): "log.tls: \(reason)"
        case .storage(let reason): "log directory: \(reason)"
        case .coordinatorState(let reason): "coordinator state: \(reason)"
        case .system(let error): error.description
        }
    }
}
