import Glibc

/// The broker's time: milliseconds since 1970 as the wall clock had it at the start, going on with the monotonic clock, so
/// that no time-out is cut short or stretched when somebody sets the wall clock.
struct BrokerClock {
    private let offset: Int64

    init() { offset = BrokerClock.milliseconds(CLOCK_REALTIME) - BrokerClock.milliseconds(CLOCK_MONOTONIC) }

    var now: Int64 { BrokerClock.milliseconds(CLOCK_MONOTONIC) + offset }

    private static func milliseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
