package struct JournalEntry: Sendable, Hashable {
    package let key: [UInt8]
    /// nil: the key is deleted.
    package let value: [UInt8]?

    package init(key: [UInt8], value: [UInt8]?) {
        self.key = key
        self.value = value
    }
}

/// A small append-only key/value file for coordinator state. All entries of one append survive together or not at all.
package final class Journal {
    package let name: String
    /// The last append that is durable.
    package private(set) var durableSequence: UInt64 = 0

    init(name: String) {
        self.name = name
    }

    /// Returns the append's number; it is durable once `durableSequence` has reached it.
    package func append(_ entries: [JournalEntry]) throws(StorageError) -> UInt64 {
        throw StorageError(.unknownServerError, "skeleton")
    }
}
