import KafkaLogCoordination
import Seeded
import Testing

struct DeadlineQueueTests {
    @Test func theEarliestComesFirstAndEqualOnesInTheOrderTheyWereSet() {
        var queue = DeadlineQueue<String>()
        queue.set("late", at: 30)
        queue.set("b", at: 10)
        queue.set("a", at: 10)
        #expect(queue.next == 10)
        #expect(queue.popDue(9) == nil)
        #expect(queue.popDue(10) == "b")
        #expect(queue.popDue(10) == "a")
        #expect(queue.popDue(10) == nil)
        #expect(queue.next == 30)
    }

    @Test func aDeadlineThatMovedIsDueOnlyAtItsLastMoment() {
        var queue = DeadlineQueue<String>()
        queue.set("member", at: 10)
        queue.set("member", at: 50)
        #expect(queue.popDue(49) == nil)
        #expect(queue.next == 50)
        queue.set("member", at: 20)
        #expect(queue.popDue(20) == "member")
        #expect(queue.popDue(1_000) == nil)
        #expect(queue.next == nil)
    }

    @Test func theEndsOfTimeAreDeadlinesLikeOthers() {
        var queue = DeadlineQueue<String>()
        queue.set("never", at: .max)
        queue.set("at once", at: .min)
        queue.set("put off", at: 5)
        queue.set("put off", at: .max)
        #expect(queue.next == .min)
        #expect(queue.popDue(.min) == "at once")
        #expect(queue.popDue(.max - 1) == nil)
        #expect(queue.next == .max)
        queue.set("put off", at: .min)
        #expect(queue.popDue(.max) == "put off")
        #expect(queue.popDue(.max) == "never")
        #expect(queue.popDue(.max) == nil)
        #expect(queue.count == 0 && queue.next == nil)
    }

    /// Against a plain dictionary, with a clock that stands still, jumps ahead, and deadlines as far as it goes.
    @Test func randomUseAgreesWithADictionary() {
        let seed: UInt64 = 0x1d7e_0001
        var random = SplitMix64(seed: seed)
        var queue = DeadlineQueue<Int>()
        var model: [Int: Int64] = [:]
        var now: Int64 = 0
        for step in 0..<50_000 {
            let key = Int.random(in: 0..<40, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<6:
                let farther: [Int64] = [.max, .min, now + 1 << 40]
                let deadline = Int.random(in: 0..<20, using: &random) == 0
                    ? farther.randomElement(using: &random) ?? 0 : now + Int64.random(in: -10..<500, using: &random)
                queue.set(key, at: deadline)
                model[key] = deadline
            case 6:
                queue.cancel(key)
                model[key] = nil
            default:
                now += Int.random(in: 0..<200, using: &random) == 0 ? 1 << 41 : Int64.random(in: 0..<60, using: &random)
                var due: Set<Int> = []
                while let key = queue.popDue(now) { due.insert(key) }
                #expect(due == Set(model.filter { $0.value <= now }.keys), "seed \(seed) step \(step)")
                model = model.filter { $0.value > now }
            }
            #expect(queue.count == model.count)
            if let earliest = model.values.min() { #expect(queue.next.map { $0 <= earliest } == true, "seed \(seed) step \(step)") }
        }
    }
}
