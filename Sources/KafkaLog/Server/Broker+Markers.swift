import KafkaLogCoordination
import KafkaLogProtocol
import KafkaLogStorage
import KafkaLogTransactions

/// A decided transaction on its way into the partitions and groups that took part.
final class PendingMarkers {
    let markers: TransactionMarkers
    /// Partitions that have no marker yet.
    var unwritten: [TopicPartition]
    /// The offset that has to be durable, by partition with a marker.
    var undurable: [TopicPartition: Int64] = [:]
    var waitsForGroups = false
    /// Whether it was said that a partition takes no marker.
    var hasComplained = false
    var isWaiting = true

    init(_ markers: TransactionMarkers) {
        self.markers = markers
        self.unwritten = markers.partitions.map { TopicPartition($0.topic, $0.partition) }
    }
}

/// Writes the markers that end transactions. They are tried again until they are durable: the decision is made.
extension Broker {
    private static var markerRetryMilliseconds: Int64 { 1000 }

    func writeMarkers(_ markers: TransactionMarkers) {
        let pending = PendingMarkers(markers)
        pendingMarkers[ObjectIdentifier(pending)] = pending
        if !markers.groups.isEmpty {
            perform(
                groups.completeTransaction(
                    producerID: markers.producer.producerID, commit: markers.commit, groups: markers.groups))
            pending.waitsForGroups = true
            whenDurable(.markersOfGroups(pending))
        }
        appendMarkers(pending)
    }

    /// What could not be written, for want of room perhaps, is tried again.
    func retryMarkers(_ pending: PendingMarkers) {
        if pending.isWaiting, storageFailure == nil { appendMarkers(pending) }
    }

    private func appendMarkers(_ pending: PendingMarkers) {
        let markers = pending.markers
        var refused: [TopicPartition] = []
        for name in pending.unwritten where exists(name) {
            do throws(RequestFailure) {
                let state = try partition(name)
                let result = try RequestFailure.fromStorage { () throws(StorageError) in
                    try state.log.appendMarker(
                        producerID: markers.producer.producerID, producerEpoch: markers.producer.epoch, commit: markers.commit,
                        coordinatorEpoch: markers.coordinatorEpoch)
                }
                markAdvanced(state)
                hasUnflushedStorage = true
                if result.acknowledgedAt > state.log.highWatermark {
                    pending.undurable[name] = result.acknowledgedAt
                    state.waitingMarkers.append(pending)
                }
            } catch {
                // A marker from the past: the producer has a newer epoch there, its transaction is over.
                guard error.code == .kafkaStorageError else { continue }
                refused.append(name)
                if !pending.hasComplained {
                    pending.hasComplained = true
                    configuration.log(
                        LogEvent(
                            .error, "a transaction cannot be ended in a partition; it is tried again",
                            ["partition": "\(name)", "producer": "\(markers.producer.producerID)", "reason": error.message]))
                }
            }
        }
        pending.unwritten = refused
        if !refused.isEmpty { timers.add(.markers(pending), at: clock.now + Broker.markerRetryMilliseconds) }
        completeMarkers(pending)
    }

    /// A partition's high watermark moved: markers in it may be durable.
    func completeMarkers(_ state: PartitionState) {
        guard !state.waitingMarkers.isEmpty else { return }
        let waiting = state.waitingMarkers
        state.waitingMarkers = []
        for pending in waiting {
            guard let offset = pending.undurable[state.name] else { continue }
            if offset <= state.log.highWatermark {
                pending.undurable[state.name] = nil
                completeMarkers(pending)
            } else {
                state.waitingMarkers.append(pending)
            }
        }
    }

    /// A partition is gone; nothing in it has to be ended any more.
    func abandonMarkers(_ state: PartitionState) {
        let waiting = state.waitingMarkers
        state.waitingMarkers = []
        for pending in waiting {
            pending.undurable[state.name] = nil
            completeMarkers(pending)
        }
    }

    /// Tells the coordinator once everything is durable.
    func completeMarkers(_ pending: PendingMarkers) {
        guard pending.isWaiting, pending.unwritten.isEmpty, pending.undurable.isEmpty, !pending.waitsForGroups else { return }
        pending.isWaiting = false
        pendingMarkers[ObjectIdentifier(pending)] = nil
        perform(transactions.markersWritten(pending.markers.producer, coordinatorTime))
        for write in markerWrites.removeValue(forKey: pending.markers.producer.producerID) ?? [] { didWriteMarkers(write) }
    }
}
