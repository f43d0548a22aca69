import CRdKafka

/// A producer whose records and offsets become visible together (KIP-98, KIP-447).
package struct TransactionalProducerConfiguration: Sendable {
    package var producer: ProducerConfiguration
    /// One an instance of the application; whoever initialises with it fences the one before.
    package var transactionalID: String
    /// The coordinator aborts a transaction that is open for longer. Brokers allow up to 15 min by default.
    package var transactionTimeout: Duration
    /// The largest record that is sent; topics have limits of their own.
    package static let recordBytesMax = 16 << 20

    package init(producer: ProducerConfiguration, transactionalID: String, transactionTimeout: Duration = .seconds(60)) {
        self.producer = producer
        self.transactionalID = transactionalID
        self.transactionTimeout = transactionTimeout
    }
}

/// Order of calls: `initTransactions` once, then for each transaction `begin`, `produce` and `sendOffsets` as often as
/// needed, `commit` or `abort`. One thread at a time; it need not be the consumer's.
package final class TransactionalProducer: Sendable {
    private let core: ProducerCore

    package init(_ configuration: TransactionalProducerConfiguration) throws(ConfigurationError) {
        core = try ProducerCore(
            configuration.producer, transactionalID: configuration.transactionalID,
            transactionTimeout: configuration.transactionTimeout)
    }

    /// Settles what an earlier producer with this id left (a commit that was sent is completed, anything else aborted),
    /// and fences it. `.retriable` when no coordinator answered in time.
    package func initTransactions(timeout: Duration) throws(ProducerError) {
        try check("initialise transactions", rd_kafka_init_transactions(core.client.pointer, timeout.wholeMilliseconds))
    }

    package func begin() throws(ProducerError) {
        core.serveCallbacks()
        core.forgetFailures()
        try check("begin a transaction", rd_kafka_begin_transaction(core.client.pointer))
    }

    /// Puts one record into the transaction; its bytes are copied. `partition` -1 goes by the key. A `key` of nil is no key,
    /// a `value` of nil a tombstone. `timestampMilliseconds` 0 is now. Waits up to `timeout` for room in the queue, then
    /// `.retriable`. `.rejected` (`MSG_SIZE_TOO_LARGE` ...) leaves the transaction as it was.
    package func produce(
        topic: String, partition: Int32 = -1, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?,
        headers: [MessageHeader] = [], timestampMilliseconds: Int64 = 0, timeout: Duration = .seconds(30)
    ) throws(ProducerError) {
        try core.produce(
            topic: topic, partition: partition, key: key, value: value, headers: headers,
            timestampMilliseconds: timestampMilliseconds, timeout: timeout)
    }

    /// Puts many records into the transaction, in order. Whatever the error, some of them may be in the transaction already:
    /// abort it.
    package func produce(_ records: OutgoingRecords, topic: String, timeout: Duration = .seconds(30)) throws(ProducerError) {
        try core.produce(records, topic: topic, timeout: timeout)
    }

    /// Adds offsets to the transaction; they are committed with it, metadata strings included. `.abortable` when the group
    /// has moved on (`ILLEGAL_GENERATION`, `UNKNOWN_MEMBER_ID`, `FENCED_INSTANCE_ID`).
    package func sendOffsets(_ offsets: [OffsetToCommit], group: GroupMetadata, timeout: Duration) throws(ProducerError) {
        let list = PartitionList(capacity: offsets.count)
        for offset in offsets { list.add(offset.partition, offset: offset.offset, metadata: offset.metadata) }
        try check(
            "send \(offsets.count) offsets to the transaction",
            rd_kafka_send_offsets_to_transaction(
                core.client.pointer, list.pointer, group.pointer, timeout.wholeMilliseconds))
    }

    /// Waits for every record to be acknowledged, then commits. Errors:
    /// - `.retriable`: not all records were acknowledged in time, the commit was not sent. Call again or abort.
    /// - `.abortable`: a record was not delivered or the coordinator refused; nothing of the transaction is visible. A record
    ///   that a broker refused leaves a gap in the sequence: the transaction after it may have to be aborted too
    ///   (`OUT_OF_ORDER_SEQUENCE_NUMBER`, or its records are `_PURGE_QUEUE`), the one after that works.
    /// - `.outcomeUnknown`: the commit was sent and no answer came, or the instance was fenced while waiting for it
    ///   (`cause.isFatal`): a commit that took effect before its answer was lost looks the same.
    package func commit(timeout: Duration) throws(ProducerError) {
        let deadline = ContinuousClock.now + timeout
        try core.flush(timeout: timeout)
        if let failure = core.failures.first {
            throw ProducerError(.abortable, failure)
        }
        let operation = "commit the transaction"
        if let fatal = core.client.fatalError(operation) { throw ProducerError(.fatal, fatal) }
        let remaining = max(.milliseconds(1), deadline - .now)
        guard let error = rd_kafka_commit_transaction(core.client.pointer, remaining.wholeMilliseconds) else { return }
        let cause = KafkaClientError(operation, consuming: error)
        let classified = ProducerError(flagsOf: cause)
        switch classified.remedy {
        case .fatal, .retriable: throw ProducerError(.outcomeUnknown, cause)
        default: throw classified
        }
    }

    /// Throws the transaction away, records that are still queued included.
    package func abort(timeout: Duration) throws(ProducerError) {
        try check("abort the transaction", rd_kafka_abort_transaction(core.client.pointer, timeout.wholeMilliseconds))
        core.forgetFailures()
    }

    /// The error that made this instance unusable, if there was one.
    package var fatalError: KafkaClientError? { core.client.fatalError("produce in transactions") }

    /// The first record of this transaction that could not be delivered, if any: `commit` will refuse.
    package var deliveryFailure: KafkaClientError? {
        core.serveCallbacks()
        return core.failures.first
    }

    /// How many partitions a topic has, asked of the broker. May create the topic where brokers do that on request.
    package func partitionCount(of topic: String, timeout: Duration) throws(KafkaClientError) -> Int32 {
        try core.client.partitionCount(of: topic, timeout)
    }

    private func check(_ operation: String, _ error: OpaquePointer?) throws(ProducerError) {
        guard let error else { return }
        throw ProducerError(flagsOf: KafkaClientError(operation, consuming: error))
    }
}
