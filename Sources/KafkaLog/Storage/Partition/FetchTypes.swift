/// What a reader may see.
package enum IsolationLevel: Int8, Sendable {
    /// Everything below the high watermark.
    case readUncommitted = 0
    /// Everything below the last stable offset; the reader drops aborted transactions by the list it gets.
    case readCommitted = 1
}

/// Bytes of a file that stay readable while this value lives, also after their segment was deleted.
package struct FileRegion: Sendable {
    package let file: LogFile
    /// First byte.
    package let position: Int64
    /// Bytes, 1 and up.
    package let length: Int

    /// For `sendfile`; open while this value lives.
    package var descriptor: Int32 { file.descriptor }

    /// Copies the bytes. For tests and small reads; `sendfile` needs no copy.
    package func bytes() throws(StorageError) -> [UInt8] {
        try file.read(at: position, count: length)
    }
}

/// A transaction that was aborted: the records of this producer from `firstOffset` to its abort marker do not count.
package struct AbortedTransaction: Sendable, Hashable {
    package let producerID: Int64
    package let firstOffset: Int64

    package init(producerID: Int64, firstOffset: Int64) {
        self.producerID = producerID
        self.firstOffset = firstOffset
    }
}

/// What a fetch of one partition gives.
package struct FetchResult: Sendable {
    /// Whole batches, the first of which contains the wanted offset; nil when there is nothing to read yet.
    package let region: FileRegion?
    package let highWatermark: Int64
    package let lastStableOffset: Int64
    package let logStartOffset: Int64
    /// By first offset; only for `readCommitted`, only those that touch the region.
    package let abortedTransactions: [AbortedTransaction]
    /// Offsets that the region covers, 0 without one: its records, but for those that a compaction has removed.
    package let offsetCount: Int64
}

/// What became of an append.
package struct AppendResult: Sendable, Hashable {
    /// Offset of the batch's first record: of the first time it was appended when it is a duplicate.
    package let baseOffset: Int64
    /// Offset of its last record.
    package let lastOffset: Int64
    package let logStartOffset: Int64
    /// The batch was there already; nothing was written.
    package let isDuplicate: Bool

    /// The append may be acknowledged once the partition's high watermark has reached this.
    package var acknowledgedAt: Int64 { lastOffset + 1 }
}

/// An answer to "which offset at this time".
package struct TimestampOffset: Sendable, Hashable {
    package let offset: Int64
    /// Milliseconds since 1970 of that record.
    package let timestamp: Int64

    package init(offset: Int64, timestamp: Int64) {
        self.offset = offset
        self.timestamp = timestamp
    }
}
