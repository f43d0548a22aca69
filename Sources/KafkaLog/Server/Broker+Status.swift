import KafkaLogProtocol
import KafkaLogStorage

extension Broker {
    var status: LogServerStatus {
        if let storageFailure { return .offline(reason: storageFailure.message) }
        if let failure = directory.failure { return .offline(reason: failure.message) }
        if let obstacle = persistence.obstacle ?? outOfSpace { return .notReady(reason: obstacle) }
        return .ready
    }

    func statistics() -> LogStatistics {
        var statistics = LogStatistics()
        statistics.recordsIn = counters.recordsIn
        statistics.bytesIn = counters.bytesIn
        statistics.recordsOut = counters.recordsOut
        statistics.bytesOut = counters.bytesOut
        statistics.socketBytesIn = counters.socketBytesIn
        statistics.socketBytesOut = counters.socketBytesOut
        for (api, count) in counters.requests { statistics.requests["\(api)"] = count }
        statistics.malformedRequests = counters.malformedRequests
        statistics.deniedRequests = counters.deniedRequests
        statistics.failedAuthentications = counters.failedAuthentications
        statistics.connections = connections.count
        statistics.connectionsAccepted = counters.connectionsAccepted
        statistics.connectionsRefused = counters.connectionsRefused
        let syncs = directory.syncStatistics
        statistics.fsyncDurations = syncs.durations
        statistics.produceDurations = counters.produceDurations
        statistics.fetchDurations = counters.fetchDurations
        statistics.diskFullFailures = counters.diskFullFailures
        statistics.isUsable = status.isReady
        for (state, count) in transactions.countByState() where [.ongoing, .prepareCommit, .prepareAbort].contains(state) {
            statistics.openTransactions += count
        }
        for (state, count) in groups.countByState() { statistics.groupsByState[state.rawValue] = count }
        for topic in directory.topics.values {
            let counted = counters.topics[topic.name] ?? .init()
            var entry = LogStatistics.Topic(
                bytesIn: counted.bytesIn, bytesOut: counted.bytesOut, recordsIn: counted.recordsIn, recordsOut: counted.recordsOut,
                partitions: Int(topic.partitionCount))
            let atStart = bytesAtStart[topic.id] ?? []
            for index in 0..<topic.partitionCount {
                let unused = Int(index) < atStart.count ? atStart[Int(index)] : 0
                entry.logBytes += partitions[TopicPartition(topic.name, index)]?.log.byteCount ?? unused
            }
            statistics.topics[topic.name] = entry
        }
        return statistics
    }

    /// The whole life of the broker's thread.
    func runUntilStopped() {
        startCoordinators()
        run()
        shutDown()
    }

    /// Brings everything to disk. The last thing that is done with a broker.
    func shutDown() {
        for leftover in mailbox.close() { leftover(self) }
        do {
            try directory.close()
        } catch {
            configuration.log(
                LogEvent(.error, "the log was not closed cleanly; the next start recovers it", ["reason": error.message]))
        }
    }
}
