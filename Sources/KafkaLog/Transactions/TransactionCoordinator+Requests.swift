import KafkaLogCoordination

extension TransactionCoordinator {
    /// AddPartitionsToTxn: the partitions become part of the transaction, which begins with the first of them. That they
    /// exist is for the caller to check, and to answer for: when one does not, none is added.
    package func addPartitions(
        transactionalID: String, producer: ProducerIDAndEpoch, partitions: [TopicPartition], _ token: RequestToken,
        _ now: CoordinatorTime
    ) -> [TransactionAction] {
        var actions: [TransactionAction] = []
        var error = TransactionError.none
        do throws(TransactionError) {
            var transaction = try open(transactionalID, producer)
            let isNew = transaction.state != .ongoing
            if isNew || !transaction.partitions.isSuperset(of: partitions) {
                transaction.begin(now)
                transaction.partitions.formUnion(partitions)
                extend(transaction, isNew: isNew, now, &actions)
            }
        } catch let refusal {
            error = refusal
        }
        actions.append(.replyWhenDurable(token, .addPartitions(error)))
        return actions
    }

    /// AddOffsetsToTxn: the transaction will commit offsets of this group.
    package func addOffsets(
        transactionalID: String, producer: ProducerIDAndEpoch, groupID: String, _ token: RequestToken, _ now: CoordinatorTime
    ) -> [TransactionAction] {
        var actions: [TransactionAction] = []
        var error = TransactionError.none
        do throws(TransactionError) {
            guard !groupID.isEmpty else { throw .invalidGroupID }
            var transaction = try open(transactionalID, producer)
            let isNew = transaction.state != .ongoing
            if isNew || !transaction.groups.contains(groupID) {
                transaction.begin(now)
                guard transaction.groups.count < configuration.maximumGroupsPerTransaction, !isFull else { throw .policyViolation }
                transaction.groups.insert(groupID)
                extend(transaction, isNew: isNew, now, &actions)
            }
        } catch let refusal {
            error = refusal
        }
        actions.append(.replyWhenDurable(token, .addOffsets(error)))
        return actions
    }

    /// EndTxn. Answered when the markers are durable. Asked again: OK for the outcome that it had, INVALID_TXN_STATE for the
    /// other, CONCURRENT_TRANSACTIONS until the markers are written.
    package func endTransaction(
        transactionalID: String, producer: ProducerIDAndEpoch, commit: Bool, _ token: RequestToken, _ now: CoordinatorTime
    ) -> [TransactionAction] {
        var actions: [TransactionAction] = []
        do throws(TransactionError) {
            let transaction = try lookUp(transactionalID, producer)
            switch (transaction.state, commit) {
            case (.ongoing, _):
                waitingEnds[transactionalID] = token
                prepare(transaction, commit: commit, now, &actions)
                return actions
            case (.completeCommit, true), (.completeAbort, false):
                actions.append(.replyWhenDurable(token, .endTransaction(.none)))
            case (.prepareCommit, true), (.prepareAbort, false):
                throw .concurrentTransactions
            case (.empty, _), (.completeCommit, false), (.completeAbort, true), (.prepareCommit, false), (.prepareAbort, true):
                throw .invalidTransactionState
            }
        } catch {
            actions.append(.reply(token, .endTransaction(error)))
        }
        return actions
    }

    private func extend(
        _ transaction: Transaction, isNew: Bool, _ now: CoordinatorTime, _ actions: inout [TransactionAction]
    ) {
        if isNew { startTimeout(transaction, now) }
        store(transaction, &actions)
    }

    func startTimeout(_ transaction: Transaction, _ now: CoordinatorTime) {
        timers.set(
            .transaction(transaction.transactionalID),
            at: now.monotonicMilliseconds &+ Int64(transaction.timeoutMilliseconds))
    }

    /// The transaction of this producer, able to take more in.
    private func open(_ transactionalID: String, _ producer: ProducerIDAndEpoch) throws(TransactionError) -> Transaction {
        let transaction = try lookUp(transactionalID, producer)
        guard !transaction.isPrepared else { throw .concurrentTransactions }
        return transaction
    }

    private func lookUp(_ transactionalID: String, _ producer: ProducerIDAndEpoch) throws(TransactionError) -> Transaction {
        guard !transactionalID.isEmpty else { throw .invalidRequest }
        guard let transaction = transactions[transactionalID], transaction.producer.producerID == producer.producerID else {
            throw .invalidProducerIDMapping
        }
        guard transaction.producer.epoch == producer.epoch else { throw .producerFenced }
        return transaction
    }
}
