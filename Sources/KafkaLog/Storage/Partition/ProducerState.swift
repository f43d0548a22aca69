/// What a partition remembers of one producer: enough to tell repeats, gaps and zombies (KIP-98, KIP-360).
struct ProducerState: Sendable, Hashable {
    struct Batch: Sendable, Hashable {
        let firstSequence: Int32
        let lastSequence: Int32
        let firstOffset: Int64
        let lastOffset: Int64

        /// Says where the sequence goes on once a transaction has ended, and matches no batch. A client that gives up records in flight when
        /// it aborts (librdkafka) may give their sequence numbers to records of its next transaction: to take those for repeats
        /// would acknowledge records that are nowhere. Out of order, which they are, makes the client begin a new epoch.
        static func afterTransaction(_ last: Batch) -> Batch {
            Batch(firstSequence: -1, lastSequence: last.lastSequence, firstOffset: last.firstOffset, lastOffset: last.lastOffset)
        }
    }

    /// How many batches are remembered: as many as a client may have in flight.
    static let remembered = 5

    var epoch: Int16
    var coordinatorEpoch: Int32 = -1
    /// When something of this producer was last appended, wall clock, milliseconds since 1970. Not the records' timestamps, as in Kafka:
    /// a producer that writes about the past would be forgotten at once.
    var lastAppend: Int64
    /// First offset of the transaction that is under way, -1 without one.
    var transactionStart: Int64 = -1
    /// The last batches of this epoch, oldest first.
    var batches: [Batch] = []
}

/// The producers of a partition.
struct ProducerStates: Sendable, Hashable {
    enum Verdict: Hashable {
        case new
        /// It is in the log already, here.
        case repeated(ProducerState.Batch)
    }

    private(set) var entries: [Int64: ProducerState] = [:]
    /// Transactions under way by first offset.
    private(set) var ongoing: [Ongoing] = []

    struct Ongoing: Sendable, Hashable {
        let firstOffset: Int64
        let producerID: Int64
    }

    /// The first offset that belongs to a transaction under way.
    var firstUndecidedOffset: Int64? { ongoing.first?.firstOffset }

    init() {}

    init(entries: [Int64: ProducerState]) {
        self.entries = entries
        ongoing = entries
            .filter { $0.value.transactionStart >= 0 }
            .map { Ongoing(firstOffset: $0.value.transactionStart, producerID: $0.key) }
            .sorted { $0.firstOffset < $1.firstOffset }
    }

    /// Whether a producer's batch may be appended now. Gives Kafka's answers, with two exceptions: a batch that is older than the
    /// remembered ones is told to be a duplicate (clients take that as success) where Kafka since 1.1 says out of order; and a batch of
    /// a transaction that has ended is no repeat in the next one, where Kafka before KIP-890 takes it for one.
    func check(_ header: RecordBatchHeader) throws(StorageError) -> Verdict {
        // A producer that is not known (any more) may begin anywhere: its state may have expired (KAFKA-8710).
        guard let state = entries[header.producerID] else { return .new }
        guard header.producerEpoch >= state.epoch else {
            throw StorageError(
                .invalidProducerEpoch,
                "producer \(header.producerID) wrote with epoch \(header.producerEpoch), epoch \(state.epoch) has been seen: another instance has taken over")
        }
        if header.producerEpoch == state.epoch {
            if let batch = state.batches.first(where: { $0.firstSequence == header.baseSequence && $0.lastSequence == header.lastSequence }) {
                return .repeated(batch)
            }
            try checkFollows(header, state)
        } else if header.baseSequence != 0 {
            throw StorageError(
                .outOfOrderSequenceNumber,
                "producer \(header.producerID) began epoch \(header.producerEpoch) with sequence \(header.baseSequence), expected 0")
        }
        if state.transactionStart >= 0 && !header.isTransactional {
            throw StorageError(
                .invalidTransactionState,
                "producer \(header.producerID) wrote outside of its transaction that began at offset \(state.transactionStart)")
        }
        return .new
    }

    private func checkFollows(_ header: RecordBatchHeader, _ state: ProducerState) throws(StorageError) {
        let expected = state.batches.last.map { RecordBatchHeader.sequence($0.lastSequence, plus: 1) } ?? 0
        guard header.baseSequence != expected else { return }
        if state.batches.count == ProducerState.remembered {
            // Sequences are a circle: what is less than half of it behind is old, the rest is ahead.
            let behind = (Int64(state.batches[0].firstSequence) - Int64(header.lastSequence)) & 0x7fff_ffff
            if behind >= 1 && behind < 0x4000_0000 {
                throw StorageError(
                    .duplicateSequenceNumber,
                    "producer \(header.producerID) sent sequence \(header.baseSequence) again, which is older than its last \(ProducerState.remembered) batches")
            }
        }
        throw StorageError(
            .outOfOrderSequenceNumber,
            "producer \(header.producerID) epoch \(header.producerEpoch) sent sequence \(header.baseSequence), expected \(expected)")
    }

    /// Takes note of a data batch that is in the log now.
    mutating func didAppend(_ header: RecordBatchHeader, now: Int64) {
        let batch = ProducerState.Batch(
            firstSequence: header.baseSequence, lastSequence: header.lastSequence,
            firstOffset: header.baseOffset, lastOffset: header.lastOffset)
        var state = entries.removeValue(forKey: header.producerID) ?? ProducerState(epoch: header.producerEpoch, lastAppend: now)
        if state.epoch != header.producerEpoch {
            state.epoch = header.producerEpoch
            state.batches.removeAll(keepingCapacity: true)
        }
        if state.batches.count == ProducerState.remembered { state.batches.removeFirst() }
        state.batches.append(batch)
        state.lastAppend = now
        if header.isTransactional && state.transactionStart < 0 {
            state.transactionStart = header.baseOffset
            ongoing.append(Ongoing(firstOffset: header.baseOffset, producerID: header.producerID))
        }
        entries[header.producerID] = state
    }

    /// Whether a marker says something new: it ends a transaction, or fences a producer that has none.
    func wouldEnd(producerID: Int64, epoch: Int16, coordinatorEpoch: Int32) throws(StorageError) -> Bool {
        guard let state = entries[producerID] else { return true }
        guard epoch >= state.epoch else {
            throw StorageError(
                .invalidProducerEpoch, "a marker for producer \(producerID) has epoch \(epoch), epoch \(state.epoch) has been seen")
        }
        guard coordinatorEpoch >= state.coordinatorEpoch else {
            throw StorageError(
                .transactionCoordinatorFenced,
                "a marker for producer \(producerID) has coordinator epoch \(coordinatorEpoch), \(state.coordinatorEpoch) has been seen")
        }
        return state.transactionStart >= 0 || epoch > state.epoch
    }

    /// Takes note of a marker that is in the log now.
    /// - Returns: the first offset of the transaction that it ended, nil when there was none.
    mutating func didEnd(producerID: Int64, epoch: Int16, coordinatorEpoch: Int32, now: Int64) -> Int64? {
        var state = entries.removeValue(forKey: producerID) ?? ProducerState(epoch: epoch, lastAppend: now)
        if state.epoch != epoch {
            state.epoch = epoch
            state.batches.removeAll(keepingCapacity: true)
        }
        let start = state.transactionStart
        state.coordinatorEpoch = coordinatorEpoch
        state.lastAppend = now
        state.transactionStart = -1
        if start >= 0, let last = state.batches.last { state.batches = [.afterTransaction(last)] }
        entries[producerID] = state
        guard start >= 0 else { return nil }
        ongoing.removeAll { $0.producerID == producerID }
        return start
    }

    /// Forgets producers that wrote nothing since `limit` (milliseconds since 1970) and have no transaction under way.
    mutating func expire(notSince limit: Int64) {
        entries = entries.filter { $0.value.transactionStart >= 0 || $0.value.lastAppend >= limit }
    }
}
