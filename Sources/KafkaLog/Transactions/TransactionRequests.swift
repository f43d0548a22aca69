import KafkaLogCoordination

package struct ProducerIDAndEpoch: Hashable, Sendable {
    package var producerID: Int64
    package var epoch: Int16

    package init(producerID: Int64, epoch: Int16) {
        self.producerID = producerID
        self.epoch = epoch
    }
}

package struct InitProducerIDRequest: Sendable {
    /// nil for a producer that is only idempotent.
    package var transactionalID: String?
    package var timeoutMilliseconds: Int32
    /// What the producer had before, from version 3 on (KIP-360). nil when the request has producer id -1.
    package var current: ProducerIDAndEpoch?

    package init(transactionalID: String?, timeoutMilliseconds: Int32, current: ProducerIDAndEpoch? = nil) {
        self.transactionalID = transactionalID
        self.timeoutMilliseconds = timeoutMilliseconds
        self.current = current
    }
}

package struct InitProducerIDResult: Hashable, Sendable {
    package var error: TransactionError
    /// -1 and -1 with an error.
    package var producer = ProducerIDAndEpoch(producerID: -1, epoch: -1)
}

/// Where a transactional id is. The raw values are what DescribeTransactions and ListTransactions show.
///
/// Kafka also has PrepareEpochFence (bumping the epoch before an abort) and Dead (while an id expires). Here both are one
/// journal entry with nothing to wait for in between, so nobody can see them.
package enum TransactionState: String, Sendable, CaseIterable {
    /// An id and an epoch, nothing written.
    case empty = "Empty"
    case ongoing = "Ongoing"
    /// Decided; the markers are being written.
    case prepareCommit = "PrepareCommit"
    case prepareAbort = "PrepareAbort"
    /// The markers are written.
    case completeCommit = "CompleteCommit"
    case completeAbort = "CompleteAbort"
}

package struct TransactionDescription: Hashable, Sendable {
    package var error: TransactionError
    package var transactionalID: String
    package var state: TransactionState = .empty
    package var producer = ProducerIDAndEpoch(producerID: -1, epoch: -1)
    package var timeoutMilliseconds: Int32 = 0
    /// Wall time, milliseconds since 1970 UTC; -1 without a transaction.
    package var startTimestamp: Int64 = -1
    package var partitions: [TopicPartition] = []
    package var groups: [String] = []
}

package struct TransactionListing: Hashable, Sendable {
    package var transactionalID: String
    package var producerID: Int64
    package var state: TransactionState
    /// Wall time, milliseconds since 1970 UTC; -1 without a transaction.
    package var startTimestamp: Int64
}
