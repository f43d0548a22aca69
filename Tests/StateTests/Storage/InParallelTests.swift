import Glibc
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
