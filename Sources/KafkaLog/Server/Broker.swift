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
    let listener: Listener
    let poller: Poller
    let mailbox: Mailbox
    let advertisedHost: String
    let advertisedPort: UInt16
    var isStopping = false

    // Sockets.
    var connections: [UInt64: Connection] = [:]
    var nextConnectionID: UInt64 = 0
    /// Connections to be served at the end of the turn.
    var attention: [Connection] = []
    /// Memory of all input buffers.
    var receivedBytes = 0
    var timers = TimerQueue<BrokerTimer>()
    var counters = BrokerCounters()

    // Storage.
    let directory: LogDirectory
    var partitions: [TopicPartition: PartitionState] = [:]
    /// Partitions whose high watermark or last stable offset moved since parked requests were last looked at.
    var advanced: [PartitionState] = []
    /// Something was appended that the sync thread has not been told of.
    var hasUnflushedStorage = false
    /// Set once an fsync has failed: nothing is acknowledged any more.
    var storageFailure: StorageError?
    var nextFetchID: UInt64 = 0

    // Coordinators.
    let groups: GroupCoordinator
    let transactions: TransactionCoordinator
    let journal: Journal
    /// Where the coordinators' entries are on their way to disk.
    var persistence = PersistenceQueue()
    /// What is to be done when the entries up to a number are durable, in order.
    var whenDurable: [(number: UInt64, action: DurableAction)] = []
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
        configuration: LogServerConfiguration, clock: BrokerClock, listener: consuming Listener, mailbox: Mailbox
    ) throws(LogServerError) {
        self.configuration = configuration
        self.clock = clock
        self.mailbox = mailbox
        self.advertisedHost = configuration.advertised?.host ?? configuration.host
        self.advertisedPort = configuration.advertised?.port ?? listener.port
        self.listener = listener
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
        (self.groups, self.transactions, self.journal) = try Broker.restoreCoordinators(directory, configuration)
        do {
            try prepare()
        } catch {
            throw .system(error)
        }
    }

    /// How often idle connections are looked for.
    var idleSweepMilliseconds: Int64 { max(10, min(10_000, Int64(configuration.limits.idleMilliseconds) / 4)) }
}

/// What may come due.
enum BrokerTimer {
    case fetch(ParkedFetch)
    case produce(PendingProduce)
    case markers(PendingMarkers)
    case journal
    case idleConnections
    case retention
    case compaction
    case checkpoint
    case acceptAgain
}

/// The counters behind `LogStatistics`.
struct BrokerCounters {
    var recordsIn: UInt64 = 0
    var bytesIn: UInt64 = 0
    var bytesOut: UInt64 = 0
    var socketBytesIn: UInt64 = 0
    var socketBytesOut: UInt64 = 0
    var requests: [ApiKey: UInt64] = [:]
    var malformedRequests: UInt64 = 0
    var connectionsAccepted: UInt64 = 0
    var connectionsRefused: UInt64 = 0
    var topics: [String: LogStatistics.Topic] = [:]

    mutating func count(records: UInt64, bytes: UInt64, topic: String) {
        recordsIn &+= records
        bytesIn &+= bytes
        topics[topic, default: .init()].recordsIn &+= records
        topics[topic, default: .init()].bytesIn &+= bytes
    }

    mutating func count(bytesOut bytes: UInt64, topic: String) {
        bytesOut &+= bytes
        topics[topic, default: .init()].bytesOut &+= bytes
    }
}
