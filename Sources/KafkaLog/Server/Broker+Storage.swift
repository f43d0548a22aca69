import KafkaLogProtocol
import KafkaLogStorage

extension FsyncMode {
    var durability: Durability {
        switch self {
        case .commit: .commit
        case .interval(let milliseconds): .interval(milliseconds: milliseconds)
        case .never: .never
        }
    }
}

/// How the broker deals with its logs: lookup, group commit, and what follows when it is done.
extension Broker {
    /// The state of a partition of an existing topic.
    func partition(_ name: TopicPartition) throws(RequestFailure) -> PartitionState {
        if let state = partitions[name] { return state }
        guard let topic = directory.topics[name.topic], (0..<topic.partitionCount).contains(name.partition) else {
            throw RequestFailure(.unknownTopicOrPartition, "there is no partition \(name)")
        }
        let log = try RequestFailure.fromStorage { () throws(StorageError) in try directory.partition(name) }
        let state = PartitionState(name: name, log: log)
        partitions[name] = state
        logRecovery()
        endUnknownTransactions(state)
        return state
    }

    /// A transaction that is open in a partition, and that the coordinator knows nothing of, would hold the last stable offset
    /// for ever. The journal can have lost its beginning only if nobody was told that it had begun.
    func endUnknownTransactions(_ state: PartitionState) {
        for (producerID, firstOffset) in state.log.ongoingTransactions {
            guard !transactions.knows(producerID: producerID, .init(state.name.topic, state.name.partition)),
                let epoch = state.log.epoch(ofProducer: producerID)
            else { continue }
            let fields: KeyValuePairs = ["partition": "\(state.name)", "producer": "\(producerID)", "offset": "\(firstOffset)"]
            do throws(StorageError) {
                _ = try state.log.appendMarker(
                    producerID: producerID, producerEpoch: epoch, commit: false,
                    coordinatorEpoch: configuration.transactions.coordinatorEpoch)
                hasUnflushedStorage = true
                configuration.log(LogEvent(.warning, "aborted a transaction that no producer will end", fields))
            } catch {
                configuration.log(LogEvent(.error, "cannot abort a transaction that no producer will end: \(error.message)", fields))
            }
        }
    }

    /// The same for a client that says which leader it believes in (-1: does not say).
    func partition(_ name: TopicPartition, leaderEpoch: Int32) throws(RequestFailure) -> PartitionState {
        let state = try partition(name)
        if leaderEpoch > Broker.leaderEpoch {
            throw RequestFailure(.unknownLeaderEpoch, "\(name): leader epoch \(leaderEpoch) has not been, it is \(Broker.leaderEpoch)")
        }
        return state
    }

    var storageWakeUpDescriptor: Int32 { directory.completionDescriptor }

    /// One request to the sync thread for all that was appended in this turn.
    func flushStorage() {
        guard hasUnflushedStorage else { return }
        hasUnflushedStorage = false
        directory.requestSync()
        runDurableActions()
    }

    /// The sync thread is done with something.
    func takeStorageCompletions() {
        let progress = directory.completeSyncs()
        if let failure = progress.failure, storageFailure == nil { stopAcknowledging(failure) }
        for name in progress.partitions {
            if let state = partitions[name] { markAdvanced(state) }
        }
        if !progress.journals.isEmpty { runDurableActions() }
        logCompaction()
    }

    func stopAcknowledging(_ failure: StorageError) {
        storageFailure = failure
        configuration.log(
            LogEvent(.error, "the log directory is offline until the next start", ["reason": failure.message, "directory": configuration.directory]))
        for state in partitions.values {
            let waiting = state.waitingProduces
            state.waitingProduces = []
            for item in waiting where item.produce.isWaiting { fail(item.produce, .kafkaStorageError) }
        }
        failDurableActions()
    }

    func markAdvanced(_ state: PartitionState) {
        guard !state.isAdvanced else { return }
        state.isAdvanced = true
        advanced.append(state)
    }

    /// Takes up requests that waited for a partition.
    func serveAdvancedPartitions() {
        while let state = advanced.popLast() {
            state.isAdvanced = false
            completeProduces(state)
            completeMarkers(state)
            retryFetches(state)
        }
    }

    /// Upkeep is done in small parts, between which requests have their turn.
    private static var upkeepPart: Int { 200 }
    var upkeepPauseMilliseconds: Int64 { 10 }
    /// How often it is looked whether there is something to clean.
    var compactionCheckMilliseconds: Int64 { min(15_000, Int64(configuration.retentionCheckMilliseconds)) }

    /// A part of a round of retention. Whether the round is done.
    func applyRetention() -> Bool {
        guard storageFailure == nil else { return true }
        defer {
            hasUnflushedStorage = true
            logRecovery()
        }
        do throws(StorageError) {
            return try !directory.applyRetention(limit: Broker.upkeepPart)
        } catch {
            configuration.log(LogEvent(.error, "retention failed", ["reason": error.message]))
            return true
        }
    }

    func startCompaction() {
        guard storageFailure == nil else { return }
        do throws(StorageError) {
            try directory.startCompaction()
        } catch {
            configuration.log(LogEvent(.error, "the cleaner cannot be started", ["reason": error.message]))
        }
        logCompaction()
    }

    /// Says what passes of the cleaner did; goes on with the next partition when there is one.
    private func logCompaction() {
        for report in directory.drainCompactionReports() {
            guard let failure = report.failure else {
                configuration.log(
                    LogEvent(
                        .info, "partition cleaned",
                        ["partition": "\(report.partition)", "bytes_before": "\(report.bytesRead)", "bytes_written": "\(report.bytesWritten)"]))
                startCompaction()
                continue
            }
            let message =
                report.isUncleanable
                ? "a partition cannot be cleaned; it is left as it is until a setting of its topic changes or the next start"
                : "a partition could not be cleaned; it is tried again"
            configuration.log(LogEvent(.error, message, ["partition": "\(report.partition)", "reason": failure.message]))
        }
    }

    /// A part of a checkpoint. Whether it is done.
    func checkpoint() -> Bool {
        guard storageFailure == nil else { return true }
        do throws(StorageError) {
            return try !directory.checkpoint(limit: Broker.upkeepPart)
        } catch {
            configuration.log(LogEvent(.error, "a checkpoint of the logs failed", ["reason": error.message]))
            return true
        }
    }

    /// Says what recovery cut or found damaged.
    func logRecovery() {
        for event in directory.drainRecoveryEvents() {
            let level: LogEvent.Level =
                switch event.kind {
                case .truncated: .warning
                case .damaged: .error
                case .rebuilt: .info
                }
            configuration.log(
                LogEvent(
                    level, "recovery: \(event.kind)",
                    [
                        "file": event.path, "offset": "\(event.offset)", "position": "\(event.position)", "bytes": "\(event.bytes)",
                        "reason": event.reason,
                    ]))
        }
    }
}
