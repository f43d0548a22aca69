import Synchronization

/// How long a transaction of a job may be open before the broker aborts it.
///
/// Whoever takes over from a process that died while it committed has to wait for that. So it is at first no more than the group takes to notice
/// the death. A commit for which it was not enough is aborted by the broker, and made again with twice as much.
package final class TransactionTimeout: Sendable {
    package static let first = LiveSurroundings.sessionTimeout
    /// Brokers allow 15 minutes by default (`transaction.max.timeout.ms`).
    package static let longest = Duration.seconds(600)

    private let value = Mutex(TransactionTimeout.first)

    package init() {}

    /// For the next producer.
    package var current: Duration { value.withLock { $0 } }

    /// A commit failed after `duration`: the next producer gets more time if that was all it had.
    package func failed(after duration: Duration) {
        value.withLock { if duration >= $0 { $0 = min($0 * 2, Self.longest) } }
    }
}
