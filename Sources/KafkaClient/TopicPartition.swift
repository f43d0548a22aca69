/// One partition of a topic.
package struct TopicPartition: Hashable, Sendable, Comparable, CustomStringConvertible {
    package var topic: String
    package var partition: Int32

    package init(_ topic: String, _ partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    package var description: String { "\(topic)/\(partition)" }

    package static func < (left: TopicPartition, right: TopicPartition) -> Bool {
        left.topic == right.topic ? left.partition < right.partition : left.topic < right.topic
    }
}

/// Where reading of a partition starts.
package enum StartOffset: Sendable, Equatable {
    /// This offset, at least 0. If the partition does not have it, an `offsetOutOfRange` failure comes instead of records.
    case offset(Int64)
    /// The low watermark.
    case earliest
    /// The last stable offset (read committed) at the time of the answer.
    case latest
}

/// What a group has committed for a partition.
package struct CommittedOffset: Sendable, Equatable {
    package var partition: TopicPartition
    /// The next offset to read; nil if the group never committed one for this partition.
    package var offset: Int64?
    /// The metadata string that was committed with it, byte for byte; empty if there was none.
    package var metadata: String

    package init(partition: TopicPartition, offset: Int64?, metadata: String) {
        self.partition = partition
        self.offset = offset
        self.metadata = metadata
    }
}

/// An offset to be committed with a transaction.
package struct OffsetToCommit: Sendable, Equatable {
    package var partition: TopicPartition
    /// The next offset to read.
    package var offset: Int64
    package var metadata: String

    package init(partition: TopicPartition, offset: Int64, metadata: String) {
        self.partition = partition
        self.offset = offset
        self.metadata = metadata
    }
}

/// The ends of a partition.
package struct Watermarks: Sendable, Equatable {
    /// The first offset that is there.
    package var low: Int64
    /// One past the last record of a decided transaction: what a read-committed reader can reach.
    package var lastStableOffset: Int64

    package init(low: Int64, lastStableOffset: Int64) {
        self.low = low
        self.lastStableOffset = lastStableOffset
    }
}
