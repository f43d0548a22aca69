import Batch
import Dataflow
import Seeded
import State
import Testing

private let kinds: [WindowDefinition.Kind] = [
    .session(gap: 100, max: nil), .session(gap: 100, max: 250), .tumbling(size: 100), .session(gap: 2_000, max: nil),
]

/// The same rows go through two operators: one ends its epochs at once, the other takes them out in pieces while the next one goes on.
@Test(arguments: 0..<64)
func whatIsTakenOutInPiecesIsWhatTheEpochEndedWith(round: Int) throws {
    let seed = UInt64(round) &* 32_452_843 &+ 17
    print("seed \(seed)")
    var random = SplitMix64(seed: seed)
    let definition = definition(kinds[round % kinds.count], lateness: Int64(random.chance(30) ? random.below(200) : 0))
    func makeHome() -> MemoryHome { MemoryHome(timed: testNamespaces.windows, lateness: definition.allowedLateness) }
    let bound = Int64([0, 20, 150][random.below(3)])
    let rows = randomRows(
        1500, keys: 1 + random.below(60), step: [1, 3, 20][random.below(3)], disorder: [0, 50, 400][random.below(3)],
        using: &random)
    var atOnce = try WindowTask(definition, makeHome())
    var inPieces = try WindowTask(definition, makeHome())
    let wanted = makeHome()
    let found = makeHome()
    let evicts = random.chance(60)
    var open: (changes: EpochChanges, watermark: Int64, batches: Int)?
    var batchesMeanwhile = 0
    var latest: Int64?
    var watermark = Int64.min

    /// The windows that a home has, and the pieces of their sets, whose names follow the order in which they were taken out.
    func content(_ home: MemoryHome) throws -> (windows: [String], sets: [String]) {
        let window = try #require(WindowOperator(definition, testNamespaces, home: home, spillDirectory: testSpillDirectory))
        try window.noteHomeIsNotEmpty()
        try window.finishLoading()
        var closed = Batch(schema: window.output)
        try window.flush(into: &closed)
        let sets = home.values.filter { $0.key.namespace == testNamespaces.sets && $0.key.key.count > 8 }
        return (values(of: closed).map { "\($0)" }.sorted(), sets.map { "\($0.key.key.dropFirst(8)) \($0.value)" }.sorted())
    }

    func finish(_ budgetMax: Int) throws {
        guard let epoch = open else { return }
        var budget = 1 + random.below(budgetMax)
        guard inPieces.window.continueFreeze(budget: &budget) else { return }
        batchesMeanwhile += epoch.batches
        inPieces.deltas.append((epoch.changes.changes, epoch.watermark))
        found.apply(epoch.changes.changes, epoch: inPieces.deltas.count, watermark: epoch.watermark)
        let isSame = try content(found) == content(wanted)
        #expect(isSame, "seed \(seed), epoch \(inPieces.deltas.count)")
        open = nil
    }

    var begin = 0
    while begin < rows.count {
        let count = min(rows.count - begin, 1 + random.below(60))
        let input = batch(of: rows[begin..<begin + count], latest: &latest, outOfOrderness: bound)
        watermark = input.watermarks[count - 1]
        var outputs: [[[Value]]] = []
        for window in [atOnce.window, inPieces.window] {
            var fates = RowFates(rowCount: count)
            var closed = Batch(schema: window.output)
            try window.process(input, fates: &fates)
            try window.advance(to: watermark, into: &closed)
            outputs.append(values(of: closed))
        }
        #expect(outputs[0] == outputs[1])
        begin += count
        open?.batches += 1
        if open == nil, random.chance(40) {
            atOnce.freeze(watermark: watermark)
            wanted.apply(atOnce.deltas[atOnce.deltas.count - 1].changes, epoch: atOnce.deltas.count, watermark: watermark)
            let changes = EpochChanges()
            inPieces.window.beginFreeze(epoch: inPieces.deltas.count + 1, into: changes)
            open = (changes, watermark, 0)
        }
        if random.chance(80) { try finish(20) }
        if random.chance(40) {
            try inPieces.flush(upTo: inPieces.flushed + random.below(inPieces.deltas.count - inPieces.flushed + 1))
        }
        if evicts, random.chance(70) { _ = try inPieces.window.evict(hotMax: random.chance(50) ? 0 : 20_000) }
    }
    while open != nil { try finish(1_000) }
    #expect(batchesMeanwhile > 0)

    // What was committed in pieces is where the next life goes on.
    inPieces.freeze(watermark: watermark)
    atOnce.freeze(watermark: watermark)
    try inPieces.recover()
    try atOnce.recover()
    var ends: [[[Value]]] = []
    for window in [atOnce.window, inPieces.window] {
        var closed = Batch(schema: window.output)
        try window.flush(into: &closed)
        ends.append(values(of: closed))
    }
    #expect(ends[0] == ends[1], "seed \(seed)")
}

@Test func onePartOfAnEpochIsBoundedHoweverMuchChanged() throws {
    let keys = 30_000
    let definition = definition(
        .session(gap: 1_000, max: nil),
        aggregates: [Aggregate("events", .count), Aggregate("texts", .countDistinct, argument: TestColumn.text)])
    let window = try #require(WindowOperator(definition, testNamespaces))
    var latest: Int64?
    func process(_ keys: Range<Int>, at time: Int64) throws -> Int {
        let rows = keys.map { TestRow(key: "key \($0)", time: time, text: "text \($0 % 7)") }
        let input = batch(of: rows, latest: &latest, outOfOrderness: 0)
        var fates = RowFates(rowCount: rows.count)
        var closed = Batch(schema: window.output)
        try window.process(input, fates: &fates)
        try window.advance(to: time, into: &closed)
        return closed.rowCount
    }
    func takeOut(_ changes: EpochChanges, _ budget: Int) -> (isDone: Bool, entries: Int, bytes: Int) {
        let before = (changes.changes.count, changes.changes.byteCount)
        var left = budget
        let isDone = window.continueFreeze(budget: &left)
        return (isDone, changes.changes.count - before.0, changes.changes.byteCount - before.1)
    }
    let budget = 1_000
    // Keys that came, then those that came again while others went.
    for (epoch, time) in [Int64(0), 2_000].enumerated() {
        var isDone = false
        if epoch == 1 { #expect(try process(0..<1, at: 1_999) == keys) }
        for begin in stride(from: 0, to: keys, by: 5_000) { _ = try process(begin..<begin + 5_000, at: time) }
        let changes = EpochChanges()
        window.beginFreeze(epoch: epoch + 1, into: changes)
        // The next number of a window, whatever else there is.
        #expect(changes.changes.count <= 1)
        var parts = 0
        var taken = 0
        var early = 0
        while !isDone {
            let part = takeOut(changes, budget)
            isDone = part.isDone
            parts += 1
            // An entry of a window and one of its set.
            #expect(part.entries <= 2 * budget && part.bytes < 512 * budget, "part \(parts): \(part)")
            // What is taken out early is no more than what a batch touches.
            let before = changes.changes.count
            _ = try process(keys - parts * 10 - 10..<keys - parts * 10, at: time + 1)
            #expect(changes.changes.count - before <= 20)
            taken += part.entries
            early += changes.changes.count - before
        }
        #expect(parts >= taken / (2 * budget) && taken + early >= keys)
    }
}
