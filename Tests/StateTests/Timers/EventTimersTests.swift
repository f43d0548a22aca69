import State
import Testing

/// A small random generator for tests that print their seed (Steele, Lea, Flood 2014).
private struct Random {
    var state: UInt64

    mutating func below(_ bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return Int((mixed ^ mixed >> 31) % UInt64(bound))
    }
}

@Test(arguments: [1, 7, 1000, 1_000_000] as [Int64])
func everyTimerUpToTheWatermarkComesOutOnceAndNoOther(width: Int64) {
    let seed = UInt64(width) &+ 17
    print("seed \(seed)")
    var random = Random(state: seed)
    var timers = EventTimers(width: width)
    var waiting: [Int64: [UInt32]] = [:]
    var watermark = Int64.min
    var next: UInt32 = 0
    for round in 0..<2000 {
        if round == 3 { watermark = -50_000 }
        let base = max(watermark, -50_000)
        for _ in 0..<random.below(20) {
            // Near the watermark, some rings away, and far beyond.
            let distance = [50, 5_000, 50_000_000][random.below(3)]
            let end = base + 1 + Int64(random.below(distance))
            timers.register(next, end: end)
            waiting[end, default: []].append(next)
            next += 1
        }
        if round > 3 { watermark += Int64(random.below([2, 300, 300_000][random.below(3)])) }
        var due = RawList<EventTimers.Entry>()
        timers.takeDue(upTo: watermark, into: &due)
        let expected = waiting.filter { $0.key <= watermark }.flatMap(\.value).sorted()
        waiting = waiting.filter { $0.key > watermark }
        #expect((0..<due.count).map { due[$0].record }.sorted() == expected)
    }
    #expect(timers.count == waiting.values.reduce(0) { $0 + $1.count })
    var rest = RawList<EventTimers.Entry>()
    timers.takeDue(upTo: .max, into: &rest)
    #expect(rest.count == waiting.values.reduce(0) { $0 + $1.count })
    #expect(timers.count == 0)
}

@Test func timersAtTheEndsOfTimeDoNotOverflow() {
    var timers = EventTimers(width: 1)
    var due = RawList<EventTimers.Entry>()
    timers.register(1, end: .max)
    timers.takeDue(upTo: .min, into: &due)
    timers.register(2, end: .min + 1)
    timers.takeDue(upTo: .min + 1, into: &due)
    #expect(due.count == 1)
    timers.takeDue(upTo: .max, into: &due)
    #expect(due.count == 2)
}
