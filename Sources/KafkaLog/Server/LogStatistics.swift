/// Counters and gauges of a log server at one moment. Counters start at 0 with the process.
package struct LogStatistics: Sendable {
    /// What Produce requests appended: records, and the bytes of their batches.
    package var recordsIn: UInt64 = 0
    package var bytesIn: UInt64 = 0
    /// Bytes of the batches that were sent in Fetch responses.
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

    /// Files that were synced, and the time that took.
    package var fsyncs: UInt64 = 0
    package var fsyncSeconds = 0.0

    package var openTransactions = 0
    package var groupsByState: [String: Int] = [:]
    package var topics: [String: Topic] = [:]

    package struct Topic: Sendable {
        package var bytesIn: UInt64 = 0
        package var bytesOut: UInt64 = 0
        package var recordsIn: UInt64 = 0
        /// Bytes on disk.
        package var logBytes: Int64 = 0
        package var partitions = 0

        package init() {}
    }

    package init() {}
}
