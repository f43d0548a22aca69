import KafkaLogCoordination

extension TransactionCoordinator {
    /// Whether a transactional batch may be appended to a partition: only into the ongoing transaction of this producer id
    /// and epoch, and only to a partition that is part of it. This keeps a zombie's or a delayed batch out of the next
    /// transaction, and no transaction can be open in a partition that the coordinator does not know of.
    /// - Throws: INVALID_PRODUCER_ID_MAPPING, INVALID_PRODUCER_EPOCH or INVALID_TXN_STATE.
    package func verify(_ producer: ProducerIDAndEpoch, _ partition: TopicPartition) throws(TransactionError) {
        guard try ongoing(producer).partitions.contains(partition) else { throw .invalidTransactionState }
    }

    /// Whether TxnOffsetCommit may add offsets of a group: after AddOffsetsToTxn, as `verify` for partitions. Kafka leaves this
    /// to the producer state of the offsets partition. Call it before `GroupCoordinator.commitTransactionOffsets`.
    /// - Throws: INVALID_PRODUCER_ID_MAPPING, INVALID_PRODUCER_EPOCH or INVALID_TXN_STATE.
    package func verify(_ producer: ProducerIDAndEpoch, groupID: String) throws(TransactionError) {
        guard try ongoing(producer).groups.contains(groupID) else { throw .invalidTransactionState }
    }

    private func ongoing(_ producer: ProducerIDAndEpoch) throws(TransactionError) -> Transaction {
        guard let id = transactionalIDs[producer.producerID], let transaction = transactions[id] else {
            throw .invalidProducerIDMapping
        }
        guard transaction.producer.epoch == producer.epoch else { throw .invalidProducerEpoch }
        guard transaction.state == .ongoing else { throw .invalidTransactionState }
        return transaction
    }

    /// Whether a transaction that is open in a partition will still be ended from here. Ask after a restart, for every open
    /// transaction of every partition: one that nobody knows (the journal lost an entry that was not acknowledged, or the
    /// journal was lost) would hold the last stable offset for ever. Append an abort marker for it.
    package func knows(producerID: Int64, _ partition: TopicPartition) -> Bool {
        guard let id = transactionalIDs[producerID], let transaction = transactions[id] else { return false }
        return transaction.partitions.contains(partition)
    }

    /// Likewise for a group's pending offsets (`GroupCoordinator.pendingProducers`): complete those that nobody knows as aborted.
    package func knows(producerID: Int64, groupID: String) -> Bool {
        guard let id = transactionalIDs[producerID], let transaction = transactions[id] else { return false }
        return transaction.groups.contains(groupID)
    }

    /// DescribeTransactions, for one transactional id.
    package func describe(transactionalID: String) -> TransactionDescription {
        guard !transactionalID.isEmpty else {
            return TransactionDescription(error: .invalidRequest, transactionalID: transactionalID)
        }
        guard let transaction = transactions[transactionalID] else {
            return TransactionDescription(error: .transactionalIDNotFound, transactionalID: transactionalID)
        }
        return TransactionDescription(
            error: .none, transactionalID: transactionalID, state: transaction.state, producer: transaction.producer,
            timeoutMilliseconds: transaction.timeoutMilliseconds, startTimestamp: transaction.startTimestamp,
            partitions: transaction.partitions.sorted(), groups: transaction.groups.sorted())
    }

    /// ListTransactions: all of them, by transactional id. The filters of the request are the caller's.
    package func list() -> [TransactionListing] {
        transactions.values
            .map {
                TransactionListing(
                    transactionalID: $0.transactionalID, producerID: $0.producer.producerID, state: $0.state,
                    startTimestamp: $0.startTimestamp)
            }
            .sorted { $0.transactionalID < $1.transactionalID }
    }

    /// How many transactional ids are in each state, for metrics.
    package func countByState() -> [TransactionState: Int] {
        transactions.values.reduce(into: [:]) { $0[$1.state, default: 0] += 1 }
    }
}
