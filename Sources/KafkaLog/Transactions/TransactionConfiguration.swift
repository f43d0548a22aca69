/// Limits of the transaction coordinator. The comments name Kafka's settings.
package struct TransactionConfiguration: Hashable, Sendable {
    /// The longest time-out a producer may ask for (`transaction.max.timeout.ms`).
    package var maximumTimeoutMilliseconds: Int32 = 900_000
    /// How long an idle transactional id is remembered (`transactional.id.expiration.ms`).
    package var transactionalIDExpirationMilliseconds: Int64 = 7 * 24 * 3_600_000
    /// How often idle transactional ids are looked for (`transaction.remove.expired.transaction.cleanup.interval.ms`).
    package var expirationCheckIntervalMilliseconds: Int64 = 3_600_000
    /// Transactional ids remembered at a time.
    package var maximumTransactionalIDs = 100_000
    /// Groups whose offsets can be part of one transaction.
    package var maximumGroupsPerTransaction = 1_000
    /// Producer ids taken per journal entry. What is left of a block is lost with a restart.
    package var producerIDBlockSize: Int64 = 1_000
    /// Written into the markers. One broker never changes hands, so it stays the same.
    package var coordinatorEpoch: Int32 = 0

    package init() {}
}
