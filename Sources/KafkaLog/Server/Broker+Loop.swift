import Glibc
import KafkaLogProtocol

/// The loop of the broker's thread: waits for sockets, other threads and deadlines, and serves them in turn.
extension Broker {
    private enum Key {
        static let listener: UInt64 = 0
        static let mailbox: UInt64 = 1
        static let storage: UInt64 = 2
        static let firstConnection: UInt64 = 16
    }

    /// How many bytes a connection may receive or send before the others get their turn.
    private static var turnBytes: Int { 1 << 20 }

    /// How often it is noted how far the logs are on disk: what a start after a crash has to read.
    private static var checkpointMilliseconds: Int64 { 60_000 }

    /// Registers what has to be waited for besides connections.
    func prepare() throws(SocketError) {
        nextConnectionID = Key.firstConnection
        try poller.add(listener.descriptor, key: Key.listener, .read)
        try poller.add(mailbox.descriptor, key: Key.mailbox, .read)
        try poller.add(storageWakeUpDescriptor, key: Key.storage, .read)
        timers.add(.idleConnections, at: clock.now + idleSweepMilliseconds)
        timers.add(.retention, at: clock.now + Int64(configuration.retentionCheckMilliseconds))
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
        case Key.listener: acceptConnections()
        case Key.mailbox: for item in mailbox.take() { item(self) }
        case Key.storage: takeStorageCompletions()
        default:
            guard let connection = connections[event.key] else { return }
            if event.closed, connection.isSaturated(configuration.limits) { return close(connection, reason: nil) }
            if event.readable || event.closed { receive(connection) }
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
            case .journalSync: syncJournal()
            case .space: lookForSpaceAgain()
            case .idleConnections:
                closeIdleConnections(now: now)
                timers.add(.idleConnections, at: now + idleSweepMilliseconds)
            case .retention:
                applyRetention(now: now)
                timers.add(.retention, at: now + Int64(configuration.retentionCheckMilliseconds))
            case .checkpoint:
                checkpoint()
                timers.add(.checkpoint, at: now + Broker.checkpointMilliseconds)
            case .acceptAgain: try? poller.change(listener.descriptor, key: Key.listener, .read)
            }
        }
        if let deadline = coordinatorDeadline, deadline <= now { tickCoordinators(now: now) }
    }

    // Connections

    private func acceptConnections() {
        while true {
            switch listener.accept() {
            case .none: return
            case .exhausted(let error):
                configuration.log(LogEvent(.error, "cannot accept a connection", ["error": error.description]))
                try? poller.change(listener.descriptor, key: Key.listener, [])
                timers.add(.acceptAgain, at: clock.now + 1000)
                return
            case .connection(let descriptor, let peer):
                let connection = Connection(id: nextConnectionID, descriptor: descriptor, peer: peer, now: clock.now)
                nextConnectionID += 1
                counters.connectionsAccepted += 1
                guard connections.count < configuration.limits.connections else {
                    counters.connectionsRefused += 1
                    configuration.log(
                        LogEvent(.warning, "connection refused", ["peer": peer, "reason": "all \(configuration.limits.connections) are taken"]))
                    continue
                }
                do throws(SocketError) {
                    try poller.add(descriptor, key: connection.id, .read)
                    connections[connection.id] = connection
                } catch {
                    configuration.log(LogEvent(.error, "connection refused", ["peer": peer, "reason": error.description]))
                }
            }
        }
    }

    /// Closes a connection. `reason` is logged unless the client went by itself.
    func close(_ connection: Connection, reason: String?) {
        guard connection.isOpen else { return }
        if let reason {
            configuration.log(
                LogEvent(.warning, "connection closed", ["peer": connection.peer, "client": connection.clientID, "reason": reason]))
        }
        receivedBytes -= connection.accountedInput
        for fetch in connection.parkedFetches.values { forget(fetch) }
        connection.parkedFetches = [:]
        poller.remove(connection.descriptor)
        connection.close()
        connections[connection.id] = nil
    }

    private func closeIdleConnections(now: Int64) {
        let oldest = now - Int64(configuration.limits.idleMilliseconds)
        for connection in connections.values where connection.lastActivity < oldest { close(connection, reason: "idle") }
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
        var budget = Broker.turnBytes
        while budget > 0, connection.isOpen, !connection.isSaturated(configuration.limits) {
            let received = connection.input.receive(from: connection.descriptor)
            account(connection)
            switch received {
            case .bytes(let count):
                counters.socketBytesIn &+= UInt64(count)
                connection.lastActivity = clock.now
                budget -= count
                takeRequests(connection)
            case .blocked:
                needsAttention(connection)
                return
            case .closed: return close(connection, reason: nil)
            case .failed(let error): return close(connection, reason: error.code == ECONNRESET ? nil : error.description)
            }
        }
        needsAttention(connection)
    }

    /// Keeps the sum of input buffers; a connection whose growth goes beyond the limit is closed.
    private func account(_ connection: Connection) {
        receivedBytes += connection.input.capacity - connection.accountedInput
        connection.accountedInput = connection.input.capacity
        if receivedBytes > configuration.limits.receivedBytes, connection.input.capacity > 1 << 20 {
            close(connection, reason: "requests under way exceed \(configuration.limits.receivedBytes) bytes of memory")
        }
    }

    private func takeRequests(_ connection: Connection) {
        while connection.isOpen, !connection.isSaturated(configuration.limits) {
            switch connection.input.next(limit: configuration.limits.requestBytes) {
            case .incomplete: return
            case .badLength(let length):
                counters.malformedRequests += 1
                close(connection, reason: "a request of \(length) bytes; expected 1 to \(configuration.limits.requestBytes)")
            case .frame(let frame):
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
            let progress = connection.output.send(to: connection.descriptor, budget: Broker.turnBytes, sentBytes: &sent)
            counters.socketBytesOut &+= sent
            if sent > 0 { connection.lastActivity = clock.now }
            switch progress {
            case .drained: break
            case .blocked: blocked = true
            case .failed(let error):
                let gone = error.code == EPIPE || error.code == ECONNRESET
                return close(connection, reason: gone ? nil : error.description)
            case .fileTooShort: return close(connection, reason: "a log segment is shorter than what was to be sent of it")
            }
        }
        // What was received while it was saturated: the socket will not tell of it again.
        takeRequests(connection)
        guard connection.isOpen else { return }
        var interest: Poller.Interest = []
        if !connection.isSaturated(configuration.limits) { interest.insert(.read) }
        if blocked { interest.insert(.write) }
        guard interest.rawValue != connection.interest.rawValue else { return }
        connection.interest = interest
        do {
            try poller.change(connection.descriptor, key: connection.id, interest)
        } catch {
            close(connection, reason: error.description)
        }
    }
}
