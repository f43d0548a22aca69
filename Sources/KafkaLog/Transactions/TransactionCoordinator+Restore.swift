import KafkaLogCoordination

extension TransactionCoordinator {
    /// Whether a journal entry is one of this coordinator's.
    package static func owns(_ record: CoordinatorRecord) -> Bool {
        switch record.key.first.flatMap(CoordinatorRecordKind.init(rawValue:)) {
        case .transaction, .producerIDBlock: true
        default: false
        }
    }

    /// Takes in one entry of the journal, in the journal's order, before anything else is called. Then `start`.
    /// - Throws: for an entry that is not understood. Do not go on: what was acknowledged would be forgotten.
    package func restore(_ record: CoordinatorRecord) throws(CoordinatorRecordError) {
        switch try TransactionRecordFormat.decode(record) {
        case .producerIDBlock(let next):
            producerIDs.restore(next: next)
        case .forgotten(let id):
            if let old = transactions.removeValue(forKey: id) { transactionalIDs[old.producer.producerID] = nil }
        case .transaction(let transaction):
            let id = transaction.transactionalID
            if let other = transactionalIDs[transaction.producer.producerID], other != id {
                throw .malformed(
                    .transaction, detail: "producer id \(transaction.producer.producerID) belongs to both \(other) and \(id)")
            }
            if let old = transactions[id] { transactionalIDs[old.producer.producerID] = nil }
            transactions[id] = transaction
            transactionalIDs[transaction.producer.producerID] = id
        }
    }

    /// Call once after the last `restore`, also when there was none. Transactions that were decided get their markers again,
    /// wherever the last process stopped; ongoing ones have their whole time-out again, as nobody knows how long nobody
    /// could go on with them.
    package func start(_ now: CoordinatorTime) -> [TransactionAction] {
        scheduleExpiration(now)
        var actions: [TransactionAction] = []
        for transaction in transactions.values.sorted(by: { $0.transactionalID < $1.transactionalID }) {
            // The entry of a new producer id can be lost when that of its block is not, never the other way round.
            producerIDs.restore(next: transaction.producer.producerID &+ 1)
            if transaction.isPrepared {
                actions.append(.writeMarkers(markers(transaction)))
            } else if transaction.state == .ongoing {
                startTimeout(transaction, now)
            }
        }
        return actions
    }
}
