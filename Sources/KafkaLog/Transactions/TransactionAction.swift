import KafkaLogCoordination

/// What the server has to do after a call of the transaction coordinator, in this order.
package enum TransactionAction: Hashable, Sendable {
    /// Append to the journal now. When the journal refuses, nothing that waits for it may be done: the log directory is
    /// offline until it is started again, and the coordinator's memory goes with it.
    case persist([CoordinatorRecord])
    /// Answer now.
    case reply(RequestToken, TransactionReply)
    /// Answer when everything that was persisted up to here is durable; at once when it already is.
    case replyWhenDurable(RequestToken, TransactionReply)
    /// When everything that was persisted up to here is durable, and not before: the decision must outlive a crash that
    /// leaves only some of the markers.
    case writeMarkers(TransactionMarkers)
}

/// The answer to a request, by kind.
package enum TransactionReply: Hashable, Sendable {
    case initProducerID(InitProducerIDResult)
    /// One error for all partitions of the request.
    case addPartitions(TransactionError)
    case addOffsets(TransactionError)
    case endTransaction(TransactionError)
}

/// A decided transaction: append a control batch to every partition, complete the transaction in every group, and when all
/// of that is durable call `markersWritten`.
///
/// The same markers can come again after a restart, and to partitions that had them before. A marker takes effect in a
/// partition where the producer has a transaction open that began at this epoch or an earlier one (an abort that fences
/// carries the new epoch), and is dropped otherwise. A partition or group that no longer exists counts as done.
package struct TransactionMarkers: Hashable, Sendable {
    package var producer: ProducerIDAndEpoch
    package var coordinatorEpoch: Int32
    package var commit: Bool
    /// Ascending.
    package var partitions: [TopicPartition]
    /// Ascending. For `GroupCoordinator.completeTransaction`.
    package var groups: [String]

    package init(
        producer: ProducerIDAndEpoch, coordinatorEpoch: Int32, commit: Bool, partitions: [TopicPartition], groups: [String]
    ) {
        self.producer = producer
        self.coordinatorEpoch = coordinatorEpoch
        self.commit = commit
        self.partitions = partitions
        self.groups = groups
    }
}
