/// The log of one partition: segments of record batches, byte for byte as producers sent them.
///
/// Not thread-safe: all calls come from the broker's thread.
package final class PartitionLog {
    package let name: TopicPartition
    package var configuration: LogConfiguration
    /// Offset of the oldest record.
    package private(set) var logStartOffset: Int64 = 0
    /// Offset that the next record gets.
    package private(set) var logEndOffset: Int64 = 0
    /// Readers see what is below. Under `Durability.commit` what fsync has covered, else the log end.
    package private(set) var highWatermark: Int64 = 0
    /// Readers of committed records see what is below: nothing at or above it belongs to an undecided transaction.
    package private(set) var lastStableOffset: Int64 = 0
    /// Bytes in all segments.
    package private(set) var byteCount: Int64 = 0
    /// Why nothing can be written, if so (damage, directory offline).
    package private(set) var offline: StorageError?

    init(name: TopicPartition, configuration: LogConfiguration) {
        self.name = name
        self.configuration = configuration
    }

    /// Appends the one record batch of a produce request. Its base offset and leader epoch are set in place; the rest stays as it is.
    package func append(_ batch: UnsafeMutableRawBufferPointer) throws(StorageError) -> AppendResult {
        throw StorageError(.unknownServerError, "skeleton")
    }

    /// Appends the marker that ends a producer's transaction here. Writes nothing (`isDuplicate`) when the transaction has ended
    /// already: a marker may be asked for again after a crash.
    package func appendMarker(
        producerID: Int64, producerEpoch: Int16, commit: Bool, coordinatorEpoch: Int32
    ) throws(StorageError) -> AppendResult {
        throw StorageError(.unknownServerError, "skeleton")
    }

    /// Finds what to send to a reader at `offset`: whole batches up to `maxBytes`, one at least if `minimumOneBatch`.
    package func read(
        from offset: Int64, maxBytes: Int, minimumOneBatch: Bool, isolation: IsolationLevel
    ) throws(StorageError) -> FetchResult {
        throw StorageError(.unknownServerError, "skeleton")
    }

    /// The first record at or after a time (milliseconds since 1970) that a reader may see, or nil.
    package func offset(atOrAfter timestamp: Int64, isolation: IsolationLevel) throws(StorageError) -> TimestampOffset? {
        throw StorageError(.unknownServerError, "skeleton")
    }

    /// The newest record by timestamp (ListOffsets -3), or nil when the log is empty.
    package func offsetOfMaximumTimestamp() throws(StorageError) -> TimestampOffset? {
        throw StorageError(.unknownServerError, "skeleton")
    }
}
