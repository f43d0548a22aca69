/// A moment, given to the coordinators by their caller: they have no clock of their own.
///
/// Time-outs run on the monotonic clock, so that a jump of the wall clock expires nobody. What is persisted and shown
/// (commit times, retention) is wall time, because a monotonic reading means nothing after a restart.
package struct CoordinatorTime: Hashable, Sendable {
    /// Milliseconds of a clock that never goes back. Its origin is of no importance but must not change while the process lives.
    package var monotonicMilliseconds: Int64
    /// Milliseconds since 1970 UTC.
    package var wallMilliseconds: Int64

    package init(monotonicMilliseconds: Int64, wallMilliseconds: Int64) {
        self.monotonicMilliseconds = monotonicMilliseconds
        self.wallMilliseconds = wallMilliseconds
    }
}
