import Synchronization

/// Keeps what several workers take below a rate: whoever has taken records pays for them in time, and nobody takes any before that
/// time is over.
package final class RateLimiter: Sendable {
    /// What was not taken in so long a time is not made up for.
    private static let credit = Duration.milliseconds(100)
    private static let turnsPerSecond = 20

    private let recordsPerSecond: Int
    private let next: Mutex<ContinuousClock.Instant>

    package init(recordsPerSecond: Int, now: ContinuousClock.Instant) {
        self.recordsPerSecond = recordsPerSecond
        next = Mutex(now)
    }

    /// How many records may be taken at once, so that the rate is a steady one.
    package var recordsMax: Int { max(1, recordsPerSecond / Self.turnsPerSecond) }

    /// How long to wait before taking any.
    package func pause(_ now: ContinuousClock.Instant) -> Duration { max(.zero, next.withLock { $0 } - now) }

    package func pay(for records: Int, _ now: ContinuousClock.Instant) {
        let price = Duration.nanoseconds(Int64(records) * 1_000_000_000 / Int64(recordsPerSecond))
        next.withLock { $0 = max($0, now - Self.credit) + price }
    }
}
