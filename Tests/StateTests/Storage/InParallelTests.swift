import Foundation
import State
import Synchronization
import Testing

@Suite struct InParallelTests {
    private struct Refusal: Error, Equatable {
        var number: Int
    }

    @Test(arguments: [1, 3, 100]) func resultsAreInTheOrderOfTheInputs(width: Int) {
        let doubled = inParallel(Array(0..<1_000), width: width) { $0 * 2 }
        #expect(doubled == (0..<1_000).map { $0 * 2 })
    }

    @Test func asManyAsTheWidthAreUnderWayAndNoMore() {
        let underWay = Mutex((now: 0, most: 0))
        // Each waits until three are there: with fewer it would not end.
        _ = inParallel(Array(0..<30), width: 3) { number in
            underWay.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
            while number < 3, underWay.withLock({ $0.most < 3 }) {}
            underWay.withLock { $0.now -= 1 }
        }
        #expect(underWay.withLock { $0.most } == 3)
    }

    /// More than there are cores, and below others that wait for them.
    @Test func thatOthersWaitMakesNobodyWait() {
        let meeting = Meeting(of: 32)
        _ = inParallel(Array(0..<4), width: 4) { _ in
            _ = inParallel(Array(0..<8), width: 8) { _ in meeting.attend() }
        }
        #expect(meeting.tookPlace)
    }

    @Test func thereMayBeMoreInputsThanThreads() {
        for _ in 0..<100 {
            let underWay = Mutex(0)
            let most = inParallel(Array(0..<20), width: 4) { _ in
                defer { underWay.withLock { $0 -= 1 } }
                return underWay.withLock { (now) -> Int in
                    now += 1
                    return now
                }
            }
            #expect(most.allSatisfy { (1...4).contains($0) })
        }
    }

    @Test(arguments: [1, 4]) func afterAFailureNothingMoreIsBegunAndItIsThrown(width: Int) {
        let begun = Mutex(0)
        #expect(throws: Refusal(number: 5)) {
            try inParallel(Array(0..<10_000), width: width) { (number) throws(Refusal) in
                begun.withLock { $0 += 1 }
                if number == 5 { throw Refusal(number: number) }
                // All of them together take longer than the thread that fails can be kept from saying so.
                usleep(2_000)
            }
        }
        #expect(begun.withLock { $0 } < 10_000)
    }
}

/// Takes place when so many are there at the same time.
private final class Meeting: @unchecked Sendable {
    // Unchecked: everything below is only touched while `condition` is locked.
    private let condition = NSCondition()
    private let size: Int
    private var present = 0

    init(of size: Int) { self.size = size }

    /// Waits for the others; not for as long as a pool that adds a thread a second would take.
    func attend() {
        condition.lock()
        defer { condition.unlock() }
        present += 1
        condition.broadcast()
        let end = Date(timeIntervalSinceNow: 10)
        while present < size, condition.wait(until: end) {}
        if present < size { present -= 1 }
    }

    var tookPlace: Bool { condition.withLock { present == size } }
}
