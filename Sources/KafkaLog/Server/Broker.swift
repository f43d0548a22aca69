import KafkaLogCoordination
import KafkaLogGroups
import KafkaLogProtocol
import KafkaLogStorage
import KafkaLogTransactions

/// Everything that the broker's thread owns: sockets, logs, coordinators, and requests that wait. It is made by the thread
/// that starts the server and handed over once; from then on only its own thread touches it.
final class Broker {
    let configuration: LogServerConfiguration
    let clock: BrokerClock
    let listener: BrokerListener
    /// For this machine's own clients; nil when the listener asks nobody who he is.
    let internalListener: BrokerListener?
    let poller: Poller
    let mailbox: Mailbox
    var isStopping = false

    // Sockets.
    var connections: [UInt64: Connection] = [:]
    var nextConnectionID: UInt64 = 0
    /// Connections to be served at the end of the turn.
    var attention: [Connection] = []
    /// Memory of all input buffers.
    var receivedBytes = 0
    /// Memory of all answers that are not sent.
    var answerBytes = 0
    /// TLS connections that have received more than was taken; their sockets will not tell of it.
    var buffered: [Connection] = []
    let passwords = PasswordChecker()
    /// Logins whose password is being checked, by connection.
    var pendingLogins: [UInt64: LoginReply] = [:]
    var timers = TimerQueue<BrokerTimer>()
    var counters = BrokerCounters()

    // Storage.
    let directory: LogDirectory
    var partitions: [TopicPartition: PartitionState] = [:]
    /// Bytes of the segments of each partition when the log was started: those that nobody has used since have them still.
    private(set) var bytesAtStart: [TopicID: [Int64]] = [:]
    /// Partitions whose high watermark or last stable offset moved since parked requests were last looked at.
    var advanced: [PartitionState] = []
    /// Something was appended that the sync thread has not been told of.
    var hasUnflushedStorage = false
    /// Set once an fsync has failed: nothing is acknowledged any more.
    var storageFailure: StorageError?
    /// Why nothing is appended for now: there is no room on the device.
    var outOfSpace: String?
    var nextFetchID: UInt64 = 0

    // Coordinators.
    let groups: GroupCoordinator
    let transactions: TransactionCoordinator
    let journal: Journal
    /// Where the coordinators' entries are on their way to disk.
    var persistence = PersistenceQueue()
    /// What is to be done when the entries up to a number are durable, in order.
    var whenDurable: [(number: UInt64, action: DurableAction)] = []
    /// A sync is planned for entries of the journal that nobody waits for.
    var isJournalSyncPlanned = false
    /// Requests that a coordinator will answer.
    var coordinatorReplies: [RequestToken: CoordinatorReply] = [:]
    var nextToken: UInt64 = 0
    /// Transactions whose markers are being written.
    var pendingMarkers: [ObjectIdentifier: PendingMarkers] = [:]
    /// Requests of administrators that wait for the end of a producer's transaction, by producer id.
    var markerWrites: [Int64: [MarkerWrite]] = [:]

    /// The only leader epoch: there is one broker, and its log is never truncated below what it acknowledged.
    static let leaderEpoch: Int32 = 0

    init(
        configuration: LogServerConfiguration, clock: BrokerClock, listener: BrokerListener, internalListener: BrokerListener? = nil,
        mailbox: Mailbox
    ) throws(LogServerError) {
        self.configuration = configuration
        self.clock = clock
        self.mailbox = mailbox
        self.listener = listener
        self.internalListener = internalListener
        do {
            self.poller = try Poller()
        } catch {
            throw .system(error)
        }
        do {
            self.directory = try LogDirectory(
                path: configuration.directory, nodeID: configuration.nodeID, durability: configuration.fsync.durability,
                defaults: configuration.topicDefaults, clock: { clock.now }, operations: configuration.fileOperations)
        } catch {
            throw .storage(error.message)
        }
        for topic in directory.topics.values { bytesAtStart[topic.id] = directory.segmentBytes(of: topic) }
        (self.groups, self.transactions, self.journal) = try Broker.restoreCoordinators(directory, configuration)
        do {
            try prepare()
        } catch {
            throw .system(error)
        }
    }

    /// How often connections are looked for that are idle, stalled, slow or not authenticated in time.
    var idleSweepMilliseconds: Int64 {
        let limits = configuration.limits
        let shortest = min(
            limits.idleMilliseconds, limits.stalledMilliseconds, limits.authenticationMilliseconds, limits.requestMilliseconds)
        return max(10, min(10_000, Int64(shortest) / 4))
    }
}

/// What may come due.
enum BrokerTimer {
    case fetch(ParkedFetch)
    case produce(PendingProduce)
    case markers(PendingMarkers)
    case journal
    case journalSync
    case idleConnections
    case retention
    case compaction
    case checkpoint
    case acceptAgain
    case space
    case refuseLogin(Connection, LoginReply)
}

/// The counters behind `LogStatistics`.
struct BrokerCounters {
    var recordsIn: UInt64 = 0
    var bytesIn: UInt64 = 0
    var recordsOut: UInt64 = 0
    var bytesOut: UInt64 = 0
    var socketBytesIn: UInt64 = 0
    var socketBytesOut: UInt64 = 0
    var requests: [ApiKey: UInt64] = [:]
    var malformedRequests: UInt64 = 0
    var deniedRequests: UInt64 = 0
    var failedAuthentications: UInt64 = 0
    var connectionsAccepted: UInt64 = 0
    var connectionsRefused: UInt64 = 0
    /// Writes that found no room on the device.
    var diskFullFailures: UInt64 = 0
    /// From a request's arrival in whole to its answer; of a Fetch without its wait for records.
    var produceDurations = DurationHistogram()
    var fetchDurations = DurationHistogram()
    var topics: [String: Topic] = [:]

    struct Topic {
        var recordsIn: UInt64 = 0
        var bytesIn: UInt64 = 0
        var recordsOut: UInt64 = 0
        var bytesOut: UInt64 = 0
    }

    mutating func count(recordsIn records: UInt64, bytes: UInt64, topic: String) {
        recordsIn &+= records
        bytesIn &+= bytes
        topics[topic, default: .init()].count(recordsIn: records, bytes)
    }

    mutating func count(recordsOut records: UInt64, bytes: UInt64, topic: String) {
        recordsOut &+= records
        bytesOut &+= bytes
        topics[topic, default: .init()].count(recordsOut: records, bytes)
    }

    mutating func answered(_ api: ApiKey, after nanoseconds: UInt64) {
        switch api {
        case .produce: produceDurations.observe(nanoseconds: nanoseconds)
        case .fetch: fetchDurations.observe(nanoseconds: nanoseconds)
        default: break
        }
    }
}

extension BrokerCounters.Topic {
    fileprivate mutating func count(recordsIn records: UInt64, _ bytes: UInt64) {
        recordsIn &+= records
        bytesIn &+= bytes
    }

    fileprivate mutating func count(recordsOut records: UInt64, _ bytes: UInt64) {
        recordsOut &+= records
        bytesOut &+= bytes
    }
}
