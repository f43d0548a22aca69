/// The error codes that the transaction coordinator answers with: Kafka's names and numbers.
package enum TransactionError: Int16, Error, Sendable, CaseIterable {
    case none = 0
    case coordinatorNotAvailable = 15
    case invalidGroupID = 24
    case invalidRequest = 42
    /// A limit of this broker that Kafka does not have (the number of transactional ids).
    case policyViolation = 44
    case invalidProducerEpoch = 47
    case invalidTransactionState = 48
    case invalidProducerIDMapping = 49
    case invalidTransactionTimeout = 50
    case concurrentTransactions = 51
    case producerFenced = 90
    case transactionalIDNotFound = 105

    /// The code to send to a client. PRODUCER_FENCED is known from InitProducerId 4, AddPartitionsToTxn 2, AddOffsetsToTxn 2
    /// and EndTxn 2 on; older versions get INVALID_PRODUCER_EPOCH (KIP-588).
    package func forClient(knowsProducerFenced: Bool) -> TransactionError {
        self == .producerFenced && !knowsProducerFenced ? .invalidProducerEpoch : self
    }
}
