import CRdKafka

/// An idempotent producer without transactions, for filling topics: no record twice, none out of order within its partition.
package final class Producer: Sendable {
    private let core: ProducerCore

    package init(_ configuration: ProducerConfiguration) throws(ConfigurationError) {
        core = try ProducerCore(configuration)
    }

    /// Queues one record; see `TransactionalProducer.produce`.
    package func produce(
        topic: String, partition: Int32 = -1, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?,
        headers: [MessageHeader] = [], timestampMilliseconds: Int64 = 0, timeout: Duration = .seconds(30)
    ) throws(ProducerError) {
        try core.produce(
            topic: topic, partition: partition, key: key, value: value, headers: headers,
            timestampMilliseconds: timestampMilliseconds, timeout: timeout)
    }

    /// Queues many records, in order; waits for room up to `timeout` in all.
    package func produce(_ records: OutgoingRecords, topic: String, timeout: Duration = .seconds(30)) throws(ProducerError) {
        try core.produce(records, topic: topic, timeout: timeout)
    }

    /// Waits until every queued record is acknowledged or given up on. `.retriable` when the time is over.
    package func flush(timeout: Duration) throws(ProducerError) { try core.flush(timeout: timeout) }

    package struct Deliveries: Sendable, Equatable {
        /// Records acknowledged by all in-sync replicas.
        package var acknowledged: Int
        /// Records given up on.
        package var failed: Int
        /// Records still underway (an upper bound: unread reports count too).
        package var pending: Int
        /// Why the first of the failed ones failed.
        package var firstFailure: KafkaClientError?

        package init(acknowledged: Int, failed: Int, pending: Int, firstFailure: KafkaClientError?) {
            self.acknowledged = acknowledged
            self.failed = failed
            self.pending = pending
            self.firstFailure = firstFailure
        }
    }

    /// Where the records are that were queued so far.
    package var deliveries: Deliveries {
        core.serveCallbacks()
        // Read in this order: a record that is acknowledged in between counts as pending still.
        let accepted = core.accepted
        let pending = core.pending
        let failures = core.failures
        return Deliveries(
            acknowledged: max(0, accepted - failures.count - pending), failed: failures.count, pending: pending,
            firstFailure: failures.first)
    }

    /// The error that made this instance unusable, if there was one.
    package var fatalError: KafkaClientError? { core.client.fatalError("produce") }
}
