import Runtime
import Testing

struct RateLimiterTests {
    @Test func whatIsTakenIsPaidForInTime() {
        let start = ContinuousClock.now
        let limiter = RateLimiter(recordsPerSecond: 1_000, now: start)
        var now = start
        var taken = 0
        while now < start + .seconds(10) {
            limiter.pay(for: limiter.recordsMax, now)
            taken += limiter.recordsMax
            now = now.advanced(by: limiter.pause(now))
        }
        // 1,000 a second, and up to a tenth of a second's in advance.
        #expect((9_900...10_200).contains(taken))
    }

    @Test func aPauseOfTheReadersIsNotMadeUpFor() {
        let start = ContinuousClock.now
        let limiter = RateLimiter(recordsPerSecond: 1_000, now: start)
        let later = start + .seconds(60)
        limiter.pay(for: 500, later)
        #expect(limiter.pause(later) == .milliseconds(400))
    }

    @Test func aLowRateIsOneRecordAtATime() {
        let start = ContinuousClock.now
        let limiter = RateLimiter(recordsPerSecond: 3, now: start)
        #expect(limiter.recordsMax == 1)
        limiter.pay(for: 1, start + .seconds(1))
        #expect(limiter.pause(start + .seconds(1)) > .milliseconds(200))
    }
}
