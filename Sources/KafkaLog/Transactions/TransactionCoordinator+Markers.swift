import KafkaLogCoordination

extension TransactionCoordinator {
    /// Decides the ongoing transaction and asks for its markers. From here on it has one outcome.
    func prepare(_ transaction: Transaction, commit: Bool, _ now: CoordinatorTime, _ actions: inout [TransactionAction]) {
        var transaction = transaction
        transaction.state = commit ? .prepareCommit : .prepareAbort
        transaction.updateTimestamp = now.wallMilliseconds
        timers.cancel(.transaction(transaction.transactionalID))
        store(transaction, &actions)
        actions.append(.writeMarkers(markers(transaction)))
    }

    /// Aborts the ongoing transaction under a new epoch, which keeps its producer out from now on. The markers carry the new
    /// epoch, so the partitions refuse the old one too.
    func fence(_ transaction: Transaction, lastEpoch: Int16, _ now: CoordinatorTime, _ actions: inout [TransactionAction]) {
        var transaction = transaction
        // The largest epoch is never given to a producer (see `exhaustedEpoch`), so there is always one more here.
        if transaction.producer.epoch < .max { transaction.producer.epoch += 1 }
        transaction.lastEpoch = lastEpoch
        prepare(transaction, commit: false, now, &actions)
    }

    /// WriteTxnMarkers of an administrator, for a transaction that `knows(producerID:_:)` knows: aborts all of it under a new epoch.
    /// It has ended when `markersWritten` is called for it; asked again until then, there is nothing more to do.
    /// - Throws: INVALID_PRODUCER_EPOCH for an epoch that is not the transaction's, CONCURRENT_TRANSACTIONS when it is being committed.
    package func abort(_ producer: ProducerIDAndEpoch, _ now: CoordinatorTime) throws(TransactionError) -> [TransactionAction] {
        guard let id = transactionalIDs[producer.producerID], let transaction = transactions[id] else {
            throw .invalidProducerIDMapping
        }
        var actions: [TransactionAction] = []
        switch transaction.state {
        case .ongoing:
            guard producer.epoch == transaction.producer.epoch else { throw .invalidProducerEpoch }
            fence(transaction, lastEpoch: -1, now, &actions)
        case .prepareAbort: break
        case .prepareCommit: throw .concurrentTransactions
        case .empty, .completeCommit, .completeAbort: throw .invalidTransactionState
        }
        return actions
    }

    func markers(_ transaction: Transaction) -> TransactionMarkers {
        TransactionMarkers(
            producer: transaction.producer, coordinatorEpoch: configuration.coordinatorEpoch,
            commit: transaction.state == .prepareCommit, partitions: transaction.partitions.sorted(),
            groups: transaction.groups.sorted())
    }

    /// Call when everything that `writeMarkers` asked for is durable: the control batches, and what the group coordinator
    /// persisted for the groups. Called earlier, a crash could lose a marker that nobody writes again.
    ///
    /// The answer to EndTxn does not wait for the entry written here: were it lost, the markers would be written again, and
    /// the next transaction's entries come after it.
    package func markersWritten(_ producer: ProducerIDAndEpoch, _ now: CoordinatorTime) -> [TransactionAction] {
        guard let id = transactionalIDs[producer.producerID], var transaction = transactions[id],
            transaction.producer == producer, transaction.isPrepared
        else { return [] }
        var actions: [TransactionAction] = []
        transaction.complete(now)
        store(transaction, &actions)
        if let token = waitingEnds.removeValue(forKey: id) { actions.append(.reply(token, .endTransaction(.none))) }
        return actions
    }
}
