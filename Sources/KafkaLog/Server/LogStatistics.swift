import KafkaLogStorage

/// Counters and gauges of a log server at one moment. Counters start at 0 with the process.
package struct LogStatistics: Sendable {
    /// What Produce requests appended: records, and the bytes of their batches.
    package var recordsIn: UInt64 = 0
    package var bytesIn: UInt64 = 0
    /// What was sent in Fetch responses: the bytes of batches, and the offsets that they cover. Those are their records, but for
    /// transaction markers, and for what a compaction has removed, which count too.
    package var recordsOut: UInt64 = 0
    package var bytesOut: UInt64 = 0
    /// Everything on the sockets.
    package var socketBytesIn: UInt64 = 0
    package var socketBytesOut: UInt64 = 0
    /// By the name of the API.
    package var requests: [String: UInt64] = [:]
    package var malformedRequests: UInt64 = 0
    /// Requests that the allow list refused, in whole or in part.
    package var deniedRequests: UInt64 = 0
    /// Logins that failed, and TLS handshakes.
    package var failedAuthentications: UInt64 = 0
    package var connections = 0
    package var connectionsAccepted: UInt64 = 0
    package var connectionsRefused: UInt64 = 0

    /// How long fsync took, each file by itself.
    package var fsyncDurations = DurationHistogram()
    /// From a request's arrival in whole to its answer, which under `FsyncMode.commit` waits for the disk.
    package var produceDurations = DurationHistogram()
    /// Likewise, without the time that a Fetch waited for records.
    package var fetchDurations = DurationHistogram()

    /// Whether records can be read and written.
    package var isUsable = false
    /// Writes that found no room on the device.
    package var diskFullFailures: UInt64 = 0

    package var openTransactions = 0
    package var groupsByState: [String: Int] = [:]
    package var topics: [String: Topic] = [:]

    package struct Topic: Sendable {
        package let bytesIn: UInt64
        package let bytesOut: UInt64
        package let recordsIn: UInt64
        package let recordsOut: UInt64
        package let partitions: Int
        /// Bytes of all segments.
        package internal(set) var logBytes: Int64 = 0
    }

    package init() {}
}
