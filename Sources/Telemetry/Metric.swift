import Synchronization

/// Counts up, from any thread.
package final class Counter: Sendable {
    private let value = Atomic<Int>(0)

    package init() {}

    package func add(_ amount: Int = 1) {
        value.wrappingAdd(amount, ordering: .relaxed)
    }

    package var current: Int { value.load(ordering: .relaxed) }
}

/// A value that goes up and down, from any thread.
package final class Gauge: Sendable {
    private let bits = Atomic<UInt64>(0)

    package init() {}

    package func set(_ value: Double) {
        bits.store(value.bitPattern, ordering: .relaxed)
    }

    package var current: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}

/// How often an observed value fell into each of its ranges, from any thread.
package final class Histogram: Sendable {
    /// Upper bounds of the ranges, ascending, in the metric's unit; a last range without bound is implied.
    package let bounds: [Double]
    private struct Counts {
        var ranges: [Int]
        var sum = 0.0
    }
    private let counts: Mutex<Counts>

    package init(bounds: [Double]) {
        precondition(zip(bounds, bounds.dropFirst()).allSatisfy(<), "a histogram's bounds ascend")
        self.bounds = bounds
        self.counts = Mutex(Counts(ranges: [Int](repeating: 0, count: bounds.count + 1)))
    }

    /// Records `value` as seen `times` times.
    package func observe(_ value: Double, times: Int = 1) {
        let range = bounds.firstIndex { value <= $0 } ?? bounds.count
        counts.withLock {
            $0.ranges[range] += times
            $0.sum += value * Double(times)
        }
    }

    /// Shows what somebody else has counted: hits of each range, not cumulated, one more than there are bounds.
    package func set(ranges: [Int], sum: Double) {
        precondition(ranges.count == bounds.count + 1, "a histogram has one range more than bounds")
        counts.withLock { $0 = Counts(ranges: ranges, sum: sum) }
    }

    /// How often each range was hit (not cumulated), and the sum of all values.
    package var current: (ranges: [Int], sum: Double) {
        counts.withLock { ($0.ranges, $0.sum) }
    }

    /// The upper bound of the range that holds the value at `quantile` (0...1); nil before the first observation.
    package func bound(at quantile: Double) -> Double? {
        let ranges = current.ranges
        let total = ranges.reduce(0, +)
        guard total > 0 else { return nil }
        var seen = 0
        for (range, count) in ranges.enumerated() {
            seen += count
            if Double(seen) >= quantile * Double(total) { return range < bounds.count ? bounds[range] : .infinity }
        }
        return .infinity
    }

    /// From 0.5 ms to a minute: what commits, requests and end-to-end latencies need.
    package static let seconds: [Double] = [
        0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60,
    ]
}
