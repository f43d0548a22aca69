import KafkaLogStorage
import Synchronization

/// Whether records can be read and written.
package enum LogServerStatus: Equatable, Sendable {
    case notStarted
    case ready
    /// It waits for something, room on the disk perhaps, and goes on by itself.
    case notReady(reason: String)
    /// It answers, but takes no records until it is started again.
    case offline(reason: String)
    case stopped

    package var isReady: Bool { self == .ready }
}

/// A Kafka broker for one machine. It serves once `start` was called, and has let go of its directory, port and thread once
/// `stop` returns. Any thread may use it, except from within the closures of its configuration.
package final class LogServer: Sendable {
    /// The port that clients connect to.
    package let port: UInt16
    package let configuration: LogServerConfiguration
    /// How clients on this machine get in where others have to log in; nil unless the configuration asks for it. While the
    /// server runs it is also in a file of the log's directory, see `InternalAccess(directory:)`.
    package let internalAccess: InternalAccess?
    /// Kafka's cluster id: 22 characters.
    package let clusterID: String

    private let mailbox: Mailbox
    private let state: Mutex<State>

    private struct State {
        /// Held until `start` hands it to its thread.
        var unstarted: BrokerHandover?
        var thread: BrokerThread?
        var lastStatistics = LogStatistics()
        var lastStatus = LogServerStatus.notStarted
    }

    /// Opens the directory, recovers what it holds, and binds the port; clients wait in its backlog until `start`.
    package init(configuration: LogServerConfiguration) throws(LogServerError) {
        try configuration.validate()
        let mailbox: Mailbox
        do {
            mailbox = try Mailbox()
        } catch {
            throw .system(error)
        }
        let security = configuration.security
        let mayLeaveLoopback = configuration.isInsecure || (security.tls != nil && security.authenticates)
        let socket = try Listener(host: configuration.host, port: configuration.port, loopbackOnly: !mayLeaveLoopback)
        self.port = socket.port
        let ready = try ListenerSecurity(security, isLoopback: socket.isLoopback)
        let listener = BrokerListener(socket, advertised: configuration.advertised, host: configuration.host, security: ready)
        let (internalListener, internalAccess) =
            configuration.hasInternalListener ? try InternalAccess.open() : (nil, nil)
        self.internalAccess = internalAccess
        self.configuration = configuration
        self.mailbox = mailbox
        let broker = try Broker(
            configuration: configuration, clock: BrokerClock(), listener: listener, internalListener: internalListener, mailbox: mailbox)
        self.clusterID = broker.directory.clusterID
        self.state = Mutex(State(unstarted: BrokerHandover(broker)))
    }

    deinit { stop() }

    /// Whether a process serves the log in that directory now.
    package static func isRunning(inDirectory path: String) -> Bool { LogDirectory.isInUse(path) }

    /// Starts the broker's thread. A second call, or one after `stop`, does nothing.
    package func start() throws(LogServerError) {
        guard let handover = state.withLock({ $0.unstarted.take() }) else { return }
        do throws(SocketError) {
            try internalAccess?.write(toDirectory: configuration.directory)
        } catch {
            handover.shutDown()
            throw .system(error)
        }
        mailbox.open()
        do {
            let thread = try BrokerThread(handover)
            state.withLock { state in
                state.thread = thread
                state.lastStatus = .ready
            }
        } catch {
            handover.shutDown()
            throw .system(error)
        }
        configuration.log(
            LogEvent(
                .info, "the log is ready",
                [
                    "listen": "\(configuration.host):\(port)", "directory": configuration.directory, "fsync": "\(configuration.fsync)",
                    "cluster": clusterID, "tls": "\(configuration.security.tls != nil)",
                    "clients": configuration.security.authenticates ? "authenticated" : "anybody",
                ]))
    }

    /// Ends all connections, brings everything to disk, and leaves the mark of a clean shutdown. Returns when all of that is
    /// done; a second call returns at once.
    package func stop() {
        let (unstarted, thread) = state.withLock { ($0.unstarted.take(), $0.thread.take()) }
        guard unstarted != nil || thread != nil else { return }
        if internalAccess != nil { InternalAccess.remove(fromDirectory: configuration.directory) }
        if let last = ask({ $0.statistics() }) { state.withLock { $0.lastStatistics = last } }
        unstarted?.shutDown()
        if let thread {
            _ = mailbox.post { $0.isStopping = true }
            thread.join()
        }
        state.withLock { $0.lastStatus = .stopped }
        configuration.log(LogEvent(.info, "the log has stopped", ["directory": configuration.directory]))
    }

    package var status: LogServerStatus {
        ask { $0.status } ?? state.withLock { $0.lastStatus }
    }

    /// Counters and gauges of this moment; after `stop`, those of the end.
    package func statistics() -> LogStatistics {
        ask { $0.statistics() } ?? state.withLock { $0.lastStatistics }
    }

    /// Has `question` answered on the broker's thread; nil when there is none to answer.
    private func ask<Answer: Sendable>(_ question: @escaping @Sendable (Broker) -> Answer) -> Answer? {
        let slot = AnswerSlot<Answer>()
        guard mailbox.post({ slot.put(question($0)) }) else { return nil }
        return slot.wait()
    }
}
