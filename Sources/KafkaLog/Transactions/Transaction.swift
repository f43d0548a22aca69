import KafkaLogCoordination

/// What is known of one transactional id. Exactly this is persisted, as one journal entry, so that a change is atomic.
struct Transaction: Hashable {
    var transactionalID: String
    var producer: ProducerIDAndEpoch
    /// The producer id before `producer.producerID`, -1 for none. A producer whose answer got lost may still present it.
    var lastProducerID: Int64 = -1
    /// The epoch that a producer presented to get the present one, -1 when the present one was not got that way: whoever
    /// presents it again is the same producer, which has lost the answer (KIP-360).
    var lastEpoch: Int16 = -1
    var timeoutMilliseconds: Int32
    var state: TransactionState = .empty
    var partitions: Set<TopicPartition> = []
    var groups: Set<String> = []
    /// Wall time in milliseconds; -1 without a transaction.
    var startTimestamp: Int64 = -1
    /// Wall time in milliseconds; what expiry goes by.
    var updateTimestamp: Int64

    /// The last epoch that a producer is given: the one after it is needed to fence it. Then comes a new producer id.
    static let exhaustedEpoch: Int16 = .max - 1

    var isPrepared: Bool { state == .prepareCommit || state == .prepareAbort }

    /// Starts a transaction when none is ongoing.
    mutating func begin(_ now: CoordinatorTime) {
        if state != .ongoing {
            state = .ongoing
            partitions = []
            groups = []
            startTimestamp = now.wallMilliseconds
            // Its producer has got the answer to InitProducerId; another one that asks for it again is a zombie.
            lastEpoch = -1
        }
        updateTimestamp = now.wallMilliseconds
    }

    /// Back to no transaction, with what InitProducerId decided.
    mutating func initialise(
        _ producer: ProducerIDAndEpoch, lastProducerID: Int64, lastEpoch: Int16, timeoutMilliseconds: Int32, _ now: CoordinatorTime
    ) {
        self.producer = producer
        self.lastProducerID = lastProducerID
        self.lastEpoch = lastEpoch
        self.timeoutMilliseconds = timeoutMilliseconds
        state = .empty
        partitions = []
        groups = []
        startTimestamp = -1
        updateTimestamp = now.wallMilliseconds
    }

    mutating func complete(_ now: CoordinatorTime) {
        state = state == .prepareCommit ? .completeCommit : .completeAbort
        partitions = []
        groups = []
        startTimestamp = -1
        updateTimestamp = now.wallMilliseconds
    }
}
