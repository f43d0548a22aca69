import KafkaLogCoordination

/// The coordinator of all transactions, as a state machine: requests and events go in, actions come out. It has no clock,
/// no thread and no I/O; all calls come from one thread.
///
/// It follows Kafka's TransactionCoordinator (KIP-98, KIP-360, KIP-588) with these differences:
/// - A change takes effect in memory at once and is answered when the journal has it. As the journal keeps its order and
///   stops for good when it fails, nothing later can become durable without it, and nobody sees what might not last.
/// - EndTxn is answered after the markers are durable, where Kafka answers after the decision is. A client whose commit was
///   confirmed sees its records and offsets at once. It costs one more sync; a repeated EndTxn meanwhile gets
///   CONCURRENT_TRANSACTIONS, as in Kafka.
/// - A producer that bumps its epoch while its transaction is ongoing (InitProducerId with its producer id and epoch) gets
///   the new epoch when it retries after the abort. Kafka fences it. And a stale epoch cannot abort the transaction of the
///   present one.
///
/// Files: `+InitProducerID`, `+Requests` (partitions, offsets, end), `+Markers`, `+Queries` (produce checks, descriptions),
/// `+Restore`.
package final class TransactionCoordinator {
    let configuration: TransactionConfiguration
    var transactions: [String: Transaction] = [:]
    /// The transactional id that a producer id belongs to. Present ones only.
    var transactionalIDs: [Int64: String] = [:]
    var producerIDs = ProducerIDAllocator()
    /// Transactional ids whose EndTxn waits for its markers.
    var waitingEnds: [String: RequestToken] = [:]
    var timers = DeadlineQueue<Timer>()
    /// The journal has no room for more: what is there goes on, there are no new transactional ids and no more groups in a transaction.
    package var isFull = false

    enum Timer: Hashable {
        case transaction(String)
        case expiration
    }

    package init(configuration: TransactionConfiguration) {
        self.configuration = configuration
    }

    /// When `tick` wants to be called next, in monotonic milliseconds; nil for never. Ask again after every call. It can be
    /// early, never late.
    package var nextDeadline: Int64? { timers.next }

    /// Aborts what has timed out, with a new epoch so that its producer is fenced, and forgets idle transactional ids.
    package func tick(_ now: CoordinatorTime) -> [TransactionAction] {
        var actions: [TransactionAction] = []
        while let timer = timers.popDue(now.monotonicMilliseconds) {
            switch timer {
            case .transaction(let id):
                if let transaction = transactions[id], transaction.state == .ongoing {
                    fence(transaction, lastEpoch: -1, now, &actions)
                }
            case .expiration:
                expireIdle(now, &actions)
                scheduleExpiration(now)
            }
        }
        return actions
    }

    func scheduleExpiration(_ now: CoordinatorTime) {
        timers.set(.expiration, at: now.monotonicMilliseconds &+ max(1, configuration.expirationCheckIntervalMilliseconds))
    }

    private func expireIdle(_ now: CoordinatorTime, _ actions: inout [TransactionAction]) {
        let expired = transactions.values.filter {
            $0.state != .ongoing && !$0.isPrepared
                && now.wallMilliseconds &- $0.updateTimestamp >= configuration.transactionalIDExpirationMilliseconds
        }
        guard !expired.isEmpty else { return }
        for transaction in expired {
            transactions[transaction.transactionalID] = nil
            transactionalIDs[transaction.producer.producerID] = nil
        }
        actions.append(.persist(expired.map(\.transactionalID).sorted().map(TransactionRecordFormat.forget)))
    }

    /// Takes a change in, and has it persisted.
    func store(_ transaction: Transaction, _ actions: inout [TransactionAction]) {
        let id = transaction.transactionalID
        if let old = transactions[id], old.producer.producerID != transaction.producer.producerID {
            transactionalIDs[old.producer.producerID] = nil
        }
        transactions[id] = transaction
        transactionalIDs[transaction.producer.producerID] = id
        actions.append(.persist([TransactionRecordFormat.record(transaction)]))
    }
}
