import Glibc
import KafkaLogProtocol

/// The loop of the broker's thread: waits for sockets, other threads and deadlines, and serves them in turn.
extension Broker {
    private enum Key {
        static let listener: UInt64 = 0
        static let mailbox: UInt64 = 1
        static let storage: UInt64 = 2
        static let internalListener: UInt64 = 3
        static let firstConnection: UInt64 = 16
    }

    /// How many bytes a connection may receive or send before the others get their turn.
    private static var turnBytes: Int { 1 << 20 }

    /// How often it is noted how far the logs are on disk: what a start after a crash has to read.
    private static var checkpointMilliseconds: Int64 { 60_000 }

    /// Registers what has to be waited for besides connections.
    func prepare() throws(SocketError) {
        nextConnectionID = Key.firstConnection
        try poller.add(listener.socket.descriptor, key: Key.listener, .read)
        if let internalListener { try poller.add(internalListener.socket.descriptor, key: Key.internalListener, .read) }
        try poller.add(mailbox.descriptor, key: Key.mailbox, .read)
        try poller.add(storageWakeUpDescriptor, key: Key.storage, .read)
        timers.add(.idleConnections, at: clock.now + idleSweepMilliseconds)
        timers.add(.retention, at: clock.now + Int64(configuration.retentionCheckMilliseconds))
        timers.add(.compaction, at: clock.now + compactionCheckMilliseconds)
        timers.add(.checkpoint, at: clock.now + Broker.checkpointMilliseconds)
    }

    /// Runs until told to stop. Only the broker's thread calls it, once.
    func run() {
        while !isStopping {
            finishTurn()
            do {
                try poller.wait(milliseconds: pollTimeout()) { event in handle(event) }
            } catch {
                configuration.log(LogEvent(.error, "the log stops: its sockets cannot be waited for", ["error": error.description]))
                isStopping = true
            }
            receiveBuffered()
            runTimers()
        }
        finishTurn()
        for connection in connections.values { connection.close() }
        connections = [:]
    }

    /// What handlers left to do together: one sync for all appends of the turn, then what became possible for parked
    /// requests, then the sockets.
    private func finishTurn() {
        repeat {
            flushStorage()
            serveAdvancedPartitions()
            while let connection = attention.popLast() { serve(connection) }
        } while hasUnflushedStorage
    }

    private func pollTimeout() -> Int32 {
        guard buffered.isEmpty else { return 0 }
        guard let deadline = earliestDeadline() else { return -1 }
        return Int32(clamping: max(0, deadline - clock.now))
    }

    private func earliestDeadline() -> Int64? {
        switch (timers.earliest, coordinatorDeadline) {
        case (let a?, let b?): min(a, b)
        case (let a, let b): a ?? b
        }
    }

    private func handle(_ event: Poller.Event) {
        switch event.key {
        case Key.listener: acceptConnections(listener)
        case Key.internalListener: if let internalListener { acceptConnections(internalListener) }
        case Key.mailbox: for item in mailbox.take() { item(self) }
        case Key.storage: takeStorageCompletions()
        default:
            guard let connection = connections[event.key] else { return }
            if event.closed, connection.isSaturated(configuration.limits) { return close(connection, reason: nil) }
            if event.readable || event.closed || connection.tls?.waitsToWrite == true { receive(connection) }
            if event.writable { needsAttention(connection) }
        }
    }

    private func runTimers() {
        let now = clock.now
        while let timer = timers.next(now: now) {
            switch timer {
            case .fetch(let fetch): finishFetch(fetch)
            case .produce(let produce): expireProduce(produce)
            case .markers(let markers): retryMarkers(markers)
            case .journal: writeJournal()
            case .space: lookForSpaceAgain()
            case .journalSync: syncJournal()
            case .idleConnections:
                closeIdleConnections(now: now)
                timers.add(.idleConnections, at: now + idleSweepMilliseconds)
            case .retention:
                let isDone = applyRetention()
                timers.add(.retention, at: isDone ? now + Int64(configuration.retentionCheckMilliseconds) : clock.now + upkeepPauseMilliseconds)
            case .compaction:
                startCompaction()
                timers.add(.compaction, at: now + compactionCheckMilliseconds)
            case .checkpoint:
                let isDone = checkpoint()
                timers.add(.checkpoint, at: isDone ? now + Broker.checkpointMilliseconds : clock.now + upkeepPauseMilliseconds)
            case .acceptAgain:
                try? poller.change(listener.socket.descriptor, key: Key.listener, .read)
                if let internalListener { try? poller.change(internalListener.socket.descriptor, key: Key.internalListener, .read) }
            case .refuseLogin(let connection, let reply): refuseLogin(connection, reply)
            }
        }
        if let deadline = coordinatorDeadline, deadline <= now { tickCoordinators(now: now) }
    }

    // Connections

    private func acceptConnections(_ listener: BrokerListener) {
        while true {
            switch listener.socket.accept() {
            case .none: return
            case .exhausted(let error):
                configuration.log(LogEvent(.error, "cannot accept a connection", ["error": error.description]))
                let key = listener === self.listener ? Key.listener : Key.internalListener
                try? poller.change(listener.socket.descriptor, key: key, [])
                timers.add(.acceptAgain, at: clock.now + 1000)
                return
            case .connection(let descriptor, let peer):
                counters.connectionsAccepted += 1
                if let reason = listener.admit(peer, configuration.limits) {
                    refuse(descriptor, peer, reason)
                    continue
                }
                let tls = listener.security.tls?.session(on: descriptor)
                guard listener.security.tls == nil || tls != nil else {
                    listener.release(peer)
                    refuse(descriptor, peer, "no memory for TLS")
                    continue
                }
                let connection = Connection(
                    id: nextConnectionID, descriptor: descriptor, listener: listener, peer: peer, tls: tls, now: clock.now)
                nextConnectionID += 1
                if connection.isAuthenticated { admit(connection, as: LogSecurity.anonymous) }
                do throws(SocketError) {
                    try poller.add(descriptor, key: connection.id, .read)
                    connections[connection.id] = connection
                } catch {
                    configuration.log(LogEvent(.error, "connection refused", ["peer": connection.peer, "reason": error.description]))
                }
            }
        }
    }

    private func refuse(_ descriptor: Int32, _ peer: Peer, _ reason: String) {
        counters.connectionsRefused += 1
        configuration.log(LogEvent(.warning, "connection refused", ["peer": peer.description, "reason": reason]))
        _ = Glibc.close(descriptor)
    }

    /// Closes a connection. `reason` is logged unless the client went by itself.
    func close(_ connection: Connection, reason: String?) {
        guard connection.isOpen else { return }
        if let reason {
            configuration.log(
                LogEvent(.warning, "connection closed", ["peer": connection.peer, "client": connection.clientID, "reason": reason]))
        }
        receivedBytes -= connection.accountedInput
        answerBytes -= connection.accountedOutput
        for fetch in connection.parkedFetches.values { forget(fetch) }
        connection.parkedFetches = [:]
        pendingLogins[connection.id] = nil
        poller.remove(connection.descriptor)
        connection.close()
        connections[connection.id] = nil
    }

    private func closeIdleConnections(now: Int64) {
        let limits = configuration.limits
        let oldest = now - Int64(limits.idleMilliseconds)
        let oldestStranger = now - Int64(limits.authenticationMilliseconds)
        let oldestStall = now - Int64(limits.stalledMilliseconds)
        let slowest = now - Int64(limits.requestMilliseconds)
        for connection in connections.values {
            if connection.lastActivity < oldest {
                close(connection, reason: "idle")
            } else if !connection.isAuthenticated, connection.acceptedAt < oldestStranger {
                counters.failedAuthentications += 1
                close(connection, reason: "not authenticated within \(limits.authenticationMilliseconds) ms")
            } else if let stalledSince = connection.stalledSince, stalledSince < oldestStall {
                close(connection, reason: "it has taken nothing of its answers for \(limits.stalledMilliseconds) ms")
            } else if let began = connection.requestBegan, began < slowest, !connection.isSaturated(limits) {
                close(connection, reason: "a request was not here in whole after \(limits.requestMilliseconds) ms")
            }
        }
        if timers.count > 1000 {
            timers.compact { timer in
                switch timer {
                case .fetch(let fetch): fetch.isParked
                case .produce(let produce): produce.isWaiting
                default: true
                }
            }
        }
    }

    /// The connection has something to send or to take up again: it is served at the end of the turn.
    func needsAttention(_ connection: Connection) {
        guard connection.isOpen, !connection.isInAttention else { return }
        connection.isInAttention = true
        attention.append(connection)
    }

    private func receive(_ connection: Connection) {
        guard connection.isOpen, !connection.isSaturated(configuration.limits) else { return }
        if let tls = connection.tls, !tls.isEstablished {
            guard continueHandshake(connection, tls) else { return }
        }
        var budget = Broker.turnBytes
        while budget > 0, connection.isOpen, !connection.isSaturated(configuration.limits) {
            let received: InputBuffer.Received
            if let tls = connection.tls {
                received = connection.input.receive(through: tls)
            } else {
                received = connection.input.receive(from: connection.descriptor)
            }
            account(connection)
            switch received {
            case .bytes(let count):
                counters.socketBytesIn &+= UInt64(count)
                connection.lastActivity = clock.now
                budget -= count
                takeRequests(connection)
                connection.requestBegan = connection.input.isEmpty ? nil : connection.requestBegan ?? connection.lastActivity
            case .blocked:
                needsAttention(connection)
                return
            case .closed: return close(connection, reason: nil)
            case .failed(let error): return close(connection, reason: error.code == ECONNRESET ? nil : error.description)
            case .refused(let reason): return close(connection, reason: reason)
            }
        }
        needsAttention(connection)
    }

    /// Takes up what TLS has decrypted and nobody has read, the turn before having been over.
    private func receiveBuffered() {
        guard !buffered.isEmpty else { return }
        let waiting = buffered
        buffered = []
        for connection in waiting { receive(connection) }
    }

    /// Keeps the sum of input buffers. Beyond the limit the connection that takes the most is closed, not the one that came last.
    private func account(_ connection: Connection) {
        receivedBytes += connection.input.capacity - connection.accountedInput
        connection.accountedInput = connection.input.capacity
        guard receivedBytes > configuration.limits.receivedBytes,
            let largest = connections.values.max(by: { $0.accountedInput < $1.accountedInput }),
            largest.accountedInput > InputBuffer.smallCapacity
        else { return }
        close(largest, reason: "requests under way exceed \(configuration.limits.receivedBytes) bytes of memory")
    }

    /// The same for what is not sent.
    private func accountOutput(_ connection: Connection) {
        answerBytes += connection.outputBytes - connection.accountedOutput
        connection.accountedOutput = connection.outputBytes
        guard answerBytes > configuration.limits.answerBytes,
            let largest = connections.values.max(by: { $0.accountedOutput < $1.accountedOutput })
        else { return }
        close(largest, reason: "answers that are not read exceed \(configuration.limits.answerBytes) bytes of memory")
    }

    private func takeRequests(_ connection: Connection) {
        while connection.isOpen, !connection.isSaturated(configuration.limits) {
            let limit = connection.isAuthenticated ? configuration.limits.requestBytes : Broker.strangersRequestBytes
            switch connection.input.next(limit: limit) {
            case .incomplete: return
            case .badLength(let length):
                counters.malformedRequests += 1
                close(connection, reason: "a request of \(length) bytes; expected 1 to \(limit)")
            case .frame(let frame):
                connection.requestBegan = nil
                do {
                    try handle(frame, of: connection)
                } catch {
                    counters.malformedRequests += 1
                    close(connection, reason: error.description)
                }
            }
        }
    }

    private func serve(_ connection: Connection) {
        connection.isInAttention = false
        guard connection.isOpen else { return }
        var blocked = false
        if !connection.output.isEmpty {
            var sent: UInt64 = 0
            let progress: OutputQueue.Progress
            if let tls = connection.tls {
                progress = connection.output.send(through: tls, budget: Broker.turnBytes, sentBytes: &sent)
            } else {
                progress = connection.output.send(to: connection.descriptor, budget: Broker.turnBytes, sentBytes: &sent)
            }
            counters.socketBytesOut &+= sent
            if sent > 0 { connection.lastActivity = clock.now }
            switch progress {
            case .drained:
                connection.stalledSince = nil
                if connection.isEnding { return close(connection, reason: nil) }
            case .blocked:
                blocked = true
                if sent > 0 || connection.stalledSince == nil { connection.stalledSince = clock.now }
            case .failed(let error):
                let gone = error.code == EPIPE || error.code == ECONNRESET
                return close(connection, reason: gone ? nil : error.description)
            case .fileTooShort: return close(connection, reason: "a log segment is shorter than what was to be sent of it")
            case .refused(let reason): return close(connection, reason: reason)
            }
        }
        // What was received while it was saturated: the socket will not tell of it again.
        takeRequests(connection)
        guard connection.isOpen else { return }
        accountOutput(connection)
        guard connection.isOpen else { return }
        var interest: Poller.Interest = []
        if !connection.isSaturated(configuration.limits) { interest.insert(.read) }
        if blocked { interest.insert(.write) }
        if let tls = connection.tls {
            if tls.waitsToWrite { interest.insert(.write) }
            if interest.contains(.read), tls.hasBufferedInput { buffered.append(connection) }
        }
        guard interest.rawValue != connection.interest.rawValue else { return }
        connection.interest = interest
        do {
            try poller.change(connection.descriptor, key: connection.id, interest)
        } catch {
            close(connection, reason: error.description)
        }
    }
}
