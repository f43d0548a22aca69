/// How a partition's log is kept. Names and defaults are Kafka's.
package struct LogConfiguration: Sendable, Hashable {
    package enum CleanupPolicy: String, Sendable {
        case delete
        case compact
        case compactAndDelete = "compact,delete"
    }

    /// `segment.bytes`: a segment is closed before it grows beyond this; 1 KiB to 2 GiB - 1.
    package var segmentBytes: Int = 1 << 30
    /// `segment.ms`: a segment is closed when it is so many milliseconds old; 1 and up.
    package var segmentMilliseconds: Int64 = 7 * 24 * 3_600_000
    /// `retention.bytes`: old segments go when the partition is larger than this; -1: never.
    package var retentionBytes: Int64 = -1
    /// `retention.ms`: segments go whose newest record is so many milliseconds old; -1: never.
    package var retentionMilliseconds: Int64 = 7 * 24 * 3_600_000
    /// `index.interval.bytes`: one index entry for about so many bytes of log.
    package var indexIntervalBytes: Int = 4096
    /// `max.message.bytes`: the largest batch that is taken, bytes with its header.
    package var maxMessageBytes: Int = 1_048_588
    /// `cleanup.policy`.
    package var cleanupPolicy: CleanupPolicy = .delete
    /// `delete.retention.ms`: tombstones and markers stay for so many milliseconds after they were first cleaned.
    package var deleteRetentionMilliseconds: Int64 = 24 * 3_600_000
    /// `min.compaction.lag.ms`: segments with a newer record are not cleaned.
    package var minCompactionLagMilliseconds: Int64 = 0
    /// `max.compaction.lag.ms`: a record is not older than this before it is cleaned, however little there is to clean.
    package var maxCompactionLagMilliseconds: Int64 = .max
    /// `min.cleanable.dirty.ratio`: what was never cleaned has to be more than this part of what can be cleaned; 0 to 1.
    package var minCleanableDirtyRatio: Double = 0.5

    /// Old segments are dropped.
    package var isDeleted: Bool { cleanupPolicy != .compact }
    /// Only the newest value of a key is kept.
    package var isCompacted: Bool { cleanupPolicy != .delete }
    /// How old a segment may become before it is closed: what is written to is never cleaned.
    var rollMilliseconds: Int64 { isCompacted ? min(segmentMilliseconds, maxCompactionLagMilliseconds) : segmentMilliseconds }

    package init() {}
}
