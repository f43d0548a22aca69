import KafkaLogCoordination

extension TransactionCoordinator {
    /// InitProducerId: a new producer id, or a new epoch that fences whoever had the transactional id before. An ongoing
    /// transaction is aborted first; the client gets CONCURRENT_TRANSACTIONS and comes again until that is done.
    package func initProducerID(
        _ request: InitProducerIDRequest, _ token: RequestToken, _ now: CoordinatorTime
    ) -> [TransactionAction] {
        var actions: [TransactionAction] = []
        var result: InitProducerIDResult
        do throws(TransactionError) {
            result = InitProducerIDResult(error: .none, producer: try initProducerID(request, now, &actions))
        } catch {
            result = InitProducerIDResult(error: error)
        }
        actions.append(.replyWhenDurable(token, .initProducerID(result)))
        return actions
    }

    private func initProducerID(
        _ request: InitProducerIDRequest, _ now: CoordinatorTime, _ actions: inout [TransactionAction]
    ) throws(TransactionError) -> ProducerIDAndEpoch {
        guard let id = request.transactionalID else {
            return ProducerIDAndEpoch(producerID: try newProducerID(&actions), epoch: 0)
        }
        guard !id.isEmpty else { throw .invalidRequest }
        guard (1...configuration.maximumTimeoutMilliseconds).contains(request.timeoutMilliseconds) else {
            throw .invalidTransactionTimeout
        }
        guard var transaction = transactions[id] else {
            guard transactions.count < configuration.maximumTransactionalIDs, !isFull else { throw .policyViolation }
            // A producer that presents an id which was forgotten here gets a new one, as in Kafka.
            let producer = ProducerIDAndEpoch(producerID: try newProducerID(&actions), epoch: 0)
            store(
                Transaction(
                    transactionalID: id, producer: producer, timeoutMilliseconds: request.timeoutMilliseconds,
                    updateTimestamp: now.wallMilliseconds), &actions)
            return producer
        }

        if let current = request.current { try check(current, against: transaction) }
        switch transaction.state {
        case .prepareCommit, .prepareAbort:
            throw .concurrentTransactions
        case .ongoing:
            fence(transaction, lastEpoch: request.current?.epoch ?? -1, now, &actions)
            throw .concurrentTransactions
        case .empty, .completeCommit, .completeAbort:
            break
        }

        let old = transaction.producer
        if let current = request.current, current != old, old.epoch <= Transaction.exhaustedEpoch {
            // The answer to an earlier request was lost: the same answer again.
            transaction.initialise(
                old, lastProducerID: transaction.lastProducerID, lastEpoch: transaction.lastEpoch,
                timeoutMilliseconds: request.timeoutMilliseconds, now)
        } else if old.epoch >= Transaction.exhaustedEpoch {
            transaction.initialise(
                ProducerIDAndEpoch(producerID: try newProducerID(&actions), epoch: 0), lastProducerID: old.producerID,
                lastEpoch: request.current?.epoch ?? -1, timeoutMilliseconds: request.timeoutMilliseconds, now)
        } else {
            transaction.initialise(
                ProducerIDAndEpoch(producerID: old.producerID, epoch: old.epoch + 1), lastProducerID: transaction.lastProducerID,
                lastEpoch: request.current?.epoch ?? -1, timeoutMilliseconds: request.timeoutMilliseconds, now)
        }
        store(transaction, &actions)
        return transaction.producer
    }

    /// Whether `current` is the present producer, or the one that asked for the present epoch and lost the answer.
    private func check(_ current: ProducerIDAndEpoch, against transaction: Transaction) throws(TransactionError) {
        if current == transaction.producer { return }
        let isRetry =
            transaction.state != .ongoing && current.epoch >= 0 && current.epoch == transaction.lastEpoch
            && (current.producerID == transaction.producer.producerID
                || current.producerID == transaction.lastProducerID && current.epoch >= Transaction.exhaustedEpoch)
        guard isRetry else { throw .producerFenced }
    }

    private func newProducerID(_ actions: inout [TransactionAction]) throws(TransactionError) -> Int64 {
        var record: CoordinatorRecord?
        guard let id = producerIDs.allocate(blockSize: configuration.producerIDBlockSize, &record) else {
            throw .coordinatorNotAvailable
        }
        if let record { actions.append(.persist([record])) }
        return id
    }
}
