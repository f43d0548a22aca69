import Glibc

/// How often a duration fell into each of a fixed set of ranges. One thread's: no lock, and no allocation to take note of one.
package struct DurationHistogram: Sendable, Hashable {
    /// Upper bounds of the ranges, nanoseconds, ascending: 50 us to 10 s. A last range without a bound follows.
    package static let bounds: [UInt64] = [
        50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 50_000_000, 100_000_000, 200_000_000,
        500_000_000, 1_000_000_000, 2_000_000_000, 5_000_000_000, 10_000_000_000,
    ]

    /// Hits of each range, not cumulated.
    package private(set) var counts = [UInt64](repeating: 0, count: bounds.count + 1)
    package private(set) var sumNanoseconds: UInt64 = 0

    package init() {}

    package var count: UInt64 { counts.reduce(0, +) }

    package mutating func observe(nanoseconds: UInt64) {
        var range = 0
        while range < Self.bounds.count, nanoseconds > Self.bounds[range] { range += 1 }
        counts[range] &+= 1
        sumNanoseconds &+= nanoseconds
    }

    /// The monotonic clock that durations are measured with.
    package static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
