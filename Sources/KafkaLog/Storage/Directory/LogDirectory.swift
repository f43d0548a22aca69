/// A topic's identity, 16 bytes (KIP-516).
package struct TopicID: Hashable, Sendable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

package struct Topic: Sendable, Hashable {
    package let id: TopicID
    package let name: String
    package internal(set) var partitionCount: Int32
    /// Kafka's names (`retention.ms`) and values, only what differs from the defaults.
    package internal(set) var overrides: [String: String]
}

/// What `completeSyncs` found.
package struct SyncProgress: Sendable {
    /// Partitions whose high watermark moved.
    package var partitions: [TopicPartition] = []
    /// Names of journals whose durable sequence moved.
    package var journals: [String] = []
    /// Set once fsync has failed: nothing that waits will ever be acknowledged, all appends are refused until restart.
    package var failure: StorageError?
}

/// Something that was cut or found damaged when a file was opened; for the server's log.
package struct RecoveryEvent: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        /// A torn tail was cut: `bytes` at `position`.
        case truncated
        /// Damage below what was acknowledged: the partition takes no writes; nothing was changed.
        case damaged
        /// An index or snapshot was rebuilt.
        case rebuilt
    }
    package let kind: Kind
    package let path: String
    /// First offset that is not there any more, or is affected.
    package let offset: Int64
    package let position: Int64
    package let bytes: Int64
    package let reason: String
}

/// The directory that holds a broker's whole state. One process at a time.
///
/// Not thread-safe: all calls come from the broker's thread. The loop calls `requestSync` once after each round of appends, waits for
/// `completionDescriptor` with epoll, and calls `completeSyncs` when it is readable.
package final class LogDirectory {
    /// Kafka's 22-character base64 of a random UUID.
    package let clusterID: String
    package let nodeID: Int32

    /// - Parameters:
    ///   - defaults: configuration of topics where they do not say otherwise.
    ///   - clock: milliseconds since 1970.
    package init(
        path: String, nodeID: Int32, durability: Durability, defaults: LogConfiguration,
        clock: @escaping @Sendable () -> Int64, operations: FileOperations = .system
    ) throws(StorageError) {
        throw StorageError(.unknownServerError, "skeleton")
    }

    /// All topics by name.
    package var topics: [String: Topic] { [:] }
    package func topic(_ id: TopicID) -> Topic? { nil }

    /// Durable when it returns.
    package func createTopic(_ name: String, partitions: Int32, overrides: [String: String]) throws(StorageError) -> Topic {
        throw StorageError(.unknownServerError, "skeleton")
    }

    package func deleteTopic(_ name: String) throws(StorageError) {
        throw StorageError(.unknownServerError, "skeleton")
    }

    /// Grows a topic to `count` partitions.
    package func addPartitions(_ name: String, count: Int32) throws(StorageError) {
        throw StorageError(.unknownServerError, "skeleton")
    }

    /// Opened at the first call (and recovered then, if need be); the same object after that.
    package func partition(_ name: TopicPartition) throws(StorageError) -> PartitionLog {
        throw StorageError(.unknownServerError, "skeleton")
    }

    /// Opens a journal (once per name) and hands its live entries to `restore` in the order in which they were written.
    package func journal(_ name: String, restore: (JournalEntry) -> Void) throws(StorageError) -> Journal {
        throw StorageError(.unknownServerError, "skeleton")
    }

    /// Moves the log start to `offset`; durable when it returns. Returns the new log start offset.
    package func deleteRecords(_ name: TopicPartition, before offset: Int64) throws(StorageError) -> Int64 {
        throw StorageError(.unknownServerError, "skeleton")
    }

    /// Hands what was appended since the last call to the sync thread.
    package func requestSync() {}
    /// An eventfd that is readable when `completeSyncs` has something to do.
    package var completionDescriptor: Int32 { -1 }
    package func completeSyncs() -> SyncProgress { SyncProgress() }

    /// What recovery did since the last call.
    package func drainRecoveryEvents() -> [RecoveryEvent] { [] }
    /// Writes the recovery points; every minute or so.
    package func checkpoint() throws(StorageError) {}
    /// Drops what is older or larger than configured; expires producers. Every few minutes.
    package func applyRetention() throws(StorageError) {}
    /// Syncs everything, writes snapshots and the clean-shutdown marker, stops the sync thread.
    package func close() throws(StorageError) {}
}
