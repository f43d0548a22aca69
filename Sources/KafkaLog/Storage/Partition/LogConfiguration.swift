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

    package init() {}
}
