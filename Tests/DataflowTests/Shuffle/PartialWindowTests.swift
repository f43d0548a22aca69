import Batch
import Dataflow
import Expression
import Seeded
import State
import Testing

private let kinds: [WindowDefinition.Kind] = [
    .session(gap: 100, max: nil), .tumbling(size: 100), .session(gap: 7, max: nil), .session(gap: 100_000, max: nil),
    .tumbling(size: 1),
]

/// A task above the shuffle, and what it has sent.
private struct Upstream {
    let rows: [TestRow]
    let window: WindowOperator
    var fed = 0
    var latest: Int64?
    /// Of each epoch, in order: the watermark at its end and the blocks, by partition.
    var sent: [(watermark: Int64?, blocks: [[[UInt8]]])] = []
    var sentRows = 0
    var late = 0
}

/// A task below it: per task above, how many epochs it has read.
private struct Downstream {
    var task: WindowTask
    var read: [Int]
    var watermarks: [Int64?]
    var output: [[Value]] = []
}

private struct Shuffle {
    let definition: WindowDefinition
    let bound: Int64
    var above: [Upstream]
    var below: [Downstream]

    init(_ definition: WindowDefinition, rows: [[TestRow]], bound: Int64, homes: [any TestHome]) throws {
        self.definition = definition
        self.bound = bound
        var partial = definition
        partial.isPartial = true
        above = try rows.map { Upstream(rows: $0, window: try #require(WindowOperator(partial, testNamespaces))) }
        below = try homes.map { home in
            Downstream(
                task: try WindowTask(definition.belowShuffle, home), read: rows.map { _ in 0 }, watermarks: rows.map { _ in nil })
        }
    }

    mutating func feed(_ task: Int, using random: inout SplitMix64) throws {
        let count = min(above[task].rows.count - above[task].fed, 1 + random.below(80))
        guard count > 0 else { return }
        let rows = above[task].rows[above[task].fed..<above[task].fed + count]
        above[task].fed += count
        let input = batch(of: rows, latest: &above[task].latest, outOfOrderness: bound)
        var fates = RowFates(rowCount: count)
        try above[task].window.process(input, fates: &fates)
        above[task].late += fates.late.count
        #expect(fates.count(.late) == fates.late.count && fates.count(.late) + fates.count(.aggregated) == count)
        // Neither closes anything.
        var closed = Batch(schema: above[task].window.output)
        try above[task].window.advance(to: input.watermarks[count - 1], into: &closed)
        try above[task].window.flush(into: &closed)
        #expect(closed.rowCount == 0)
    }

    mutating func endEpoch(_ task: Int) {
        let blocks = above[task].window.takePartials(partitions: below.count)
        above[task].sentRows += blocks.joined().reduce(0) { $0 + $1.rows }
        above[task].sent.append((above[task].latest.map { $0 - bound }, blocks.map { $0.map(\.bytes) }))
        var changes = ChangeSet()
        above[task].window.freeze(epoch: above[task].sent.count, into: &changes)
        #expect(changes.isEmpty && above[task].window.keyCount == 0)
    }

    /// Whether there was something to read.
    mutating func deliver(from task: Int, to partition: Int) throws -> Bool {
        let epoch = below[partition].read[task]
        guard epoch < above[task].sent.count else { return false }
        for block in above[task].sent[epoch].blocks[partition] { try merge(block, into: below[partition].task.window) }
        below[partition].read[task] += 1
        below[partition].watermarks[task] = above[task].sent[epoch].watermark
        return true
    }

    /// To the smallest watermark of the tasks above, once all have one.
    mutating func advance(_ partition: Int) throws {
        let known = below[partition].watermarks.compactMap { $0 }
        guard known.count == above.count, let watermark = known.min() else { return }
        var closed = Batch(schema: below[partition].task.window.output)
        try below[partition].task.window.advance(to: watermark, into: &closed)
        below[partition].output += values(of: closed)
    }

    mutating func flush(_ partition: Int) throws {
        var closed = Batch(schema: below[partition].task.window.output)
        try below[partition].task.window.flush(into: &closed)
        below[partition].output += values(of: closed)
        #expect(below[partition].task.window.keyCount == 0)
    }
}

/// What one task answers that has all rows which are not late by their own window, and closes nothing before the end.
private func expected(
    _ definition: WindowDefinition, _ rows: [[TestRow]], bound: Int64
) throws -> (output: [[Value]], late: [Int]) {
    let window = try #require(WindowOperator(definition, testNamespaces))
    var late: [Int] = []
    for rows in rows {
        var latest = Int64.min
        let kept = rows.filter { row in
            latest = max(latest, row.time)
            switch definition.kind {
            case .session(let gap, _): return row.time + gap + definition.allowedLateness > latest - bound
            case .tumbling(let size):
                let start = Int64((Double(row.time) / Double(size)).rounded(.down)) * size
                return start + size + definition.allowedLateness > latest - bound
            }
        }
        late.append(rows.count - kept.count)
        var none: Int64?
        var input = batch(of: kept, latest: &none, outOfOrderness: 0)
        input.watermarks = kept.map { _ in .min }
        var fates = RowFates(rowCount: kept.count)
        try window.process(input, fates: &fates)
    }
    var closed = Batch(schema: window.output)
    try window.flush(into: &closed)
    return (values(of: closed), late)
}

/// Rows of several tasks. Sums of their floats are exact; with `haveOwnTimes` no two have the same time, else there are many
/// ties, and sessions that just touch.
private func rowsOfTasks(_ tasks: Int, haveOwnTimes: Bool, using random: inout SplitMix64) -> [[TestRow]] {
    let keys = 1 + random.below(60), step = [1, 3, 20][random.below(3)], disorder = [0, 50, 400][random.below(3)]
    return (0..<tasks).map { task in
        var number: Int64 = 0
        return randomRows(200 + random.below(600), keys: keys, step: step, disorder: disorder, using: &random).map { row in
            var row = row
            row.ratio = row.ratio.map { ($0 * 8).rounded() / 8 }
            number += 1
            if haveOwnTimes { row.time = row.time * 4096 + number * 4 + Int64(task) }
            return row
        }
    }
}

private func scaled(_ kind: WindowDefinition.Kind, by factor: Int64) -> WindowDefinition.Kind {
    switch kind {
    case .session(let gap, let max): .session(gap: gap * factor, max: max.map { $0 * factor })
    case .tumbling(let size): .tumbling(size: size * factor)
    }
}

/// Runs it in a random order of events; the homes' tasks freeze, evict and recover in between.
private func compare(round: Int, seed: UInt64, home: (WindowDefinition) -> any TestHome) throws {
    print("seed \(seed)")
    var random = SplitMix64(seed: seed)
    let haveOwnTimes = random.chance(50)
    let factor: Int64 = haveOwnTimes ? 4096 : 1
    let bound = Int64([0, 20, 150][random.below(3)]) * factor
    let definition = definition(
        scaled(kinds[round % kinds.count], by: factor), lateness: Int64(random.chance(40) ? random.below(200) : 0) * factor,
        // Which of two rows with one time comes first is open when they are of different tasks.
        aggregates: everyAggregate.filter { haveOwnTimes || ($0.function != .first && $0.function != .last) })
    let rows = rowsOfTasks(1 + random.below(4), haveOwnTimes: haveOwnTimes, using: &random)
    let (output, late) = try expected(definition, rows, bound: bound)

    let homes = (0...random.below(3)).map { _ in home(definition.belowShuffle) }
    var shuffle = try Shuffle(definition, rows: rows, bound: bound, homes: homes)
    let disturbs = random.chance(70)
    while shuffle.above.contains(where: { $0.fed < $0.rows.count }) {
        let task = random.below(rows.count)
        for _ in 0..<random.below(4) { try shuffle.feed(task, using: &random) }
        if random.chance(60) { shuffle.endEpoch(task) }
        let partition = random.below(homes.count)
        for _ in 0..<random.below(4) { _ = try shuffle.deliver(from: random.below(rows.count), to: partition) }
        try shuffle.advance(partition)
        if disturbs { try disturb(&shuffle.below[partition].task, using: &random) }
    }
    for task in rows.indices { shuffle.endEpoch(task) }
    for partition in homes.indices {
        for task in rows.indices { while try shuffle.deliver(from: task, to: partition) {} }
        try shuffle.advance(partition)
        try shuffle.flush(partition)
    }
    #expect(shuffle.above.map(\.late) == late, "seed \(seed)")
    #expect(shuffle.above.map { $0.sentRows + $0.late } == rows.map(\.count), "seed \(seed)")
    let results = shuffle.below.flatMap(\.output)
    #expect(results.count == output.count)
    #expect(Set(results).symmetricDifference(output).isEmpty, "seed \(seed) \(definition.kind)")
    for below in shuffle.below { #expect(ends(below.output) == ends(below.output).sorted(), "seed \(seed)") }
}

private func disturb(_ task: inout WindowTask, using random: inout SplitMix64) throws {
    if random.chance(60) {
        task.freeze(watermark: max(task.window.outputWatermark, -1 << 60))
        if random.chance(60) { try task.flush(upTo: task.flushed + random.below(task.deltas.count - task.flushed + 1)) }
        if random.chance(20) { try task.recover() }
    }
    if random.chance(70) { _ = try task.window.evict(hotMax: 0) }
}

private func ends(_ rows: [[Value]]) -> [Int64] {
    rows.compactMap { row in if case .integer(let end) = row[2] { end } else { nil } }
}

@Test(arguments: 0..<80)
func whatManyTasksFoldedIsCombinedToWhatOneTaskWouldAnswer(round: Int) throws {
    try compare(round: round, seed: UInt64(round) &* 6_700_417 &+ 5) { definition in
        MemoryHome(timed: testNamespaces.windows, lateness: definition.allowedLateness)
    }
}

@Test(arguments: 0..<5)
func partialWindowsAreCombinedWithWhatIsInRocksDB(round: Int) throws {
    try compare(round: round, seed: UInt64(round) &* 32_452_843 &+ 7) { definition in
        RocksHome(timed: testNamespaces.windows, lateness: definition.allowedLateness)
    }
}

/// The blocks for one partition of what one task folds of `rows`.
private func blocks(_ definition: WindowDefinition, _ rows: [TestRow]) throws -> [[UInt8]] {
    var partial = definition
    partial.isPartial = true
    let window = try #require(WindowOperator(partial, testNamespaces))
    var latest: Int64?
    var fates = RowFates(rowCount: rows.count)
    try window.process(batch(of: rows, latest: &latest, outOfOrderness: 1 << 40), fates: &fates)
    return window.takePartials(partitions: 1)[0].map(\.bytes)
}

private func flushed(_ window: WindowOperator) throws -> [[Value]] {
    var closed = Batch(schema: window.output)
    try window.flush(into: &closed)
    return values(of: closed)
}

@Test func aHotKeyIsOneRecordATaskAndEpoch() throws {
    let definition = definition(.tumbling(size: 1000), aggregates: [Aggregate("events", .count)])
    let blocks = try blocks(definition, (0..<10_000).map { _ in TestRow(key: "hot", time: 5) })
    #expect(blocks.map(\.count) == [8 + 4 + 3 + 16 + 8])
    let window = try #require(WindowOperator(definition, testNamespaces))
    for _ in 0..<3 { try merge(blocks[0], into: window) }
    #expect(try flushed(window) == [[.string("hot"), .integer(0), .integer(1000), .integer(30_000)]])
}

@Test func aSetLargerThanABlockTravelsInParts() throws {
    let definition = definition(
        .session(gap: 100, max: nil),
        aggregates: [
            Aggregate("numbers", .countDistinct, argument: TestColumn.number), Aggregate("events", .count),
            Aggregate("texts", .countDistinct, argument: TestColumn.text), Aggregate("text", .last, argument: TestColumn.text),
        ])
    let rows = (0..<60_000).map { TestRow(key: "one", time: 7, number: Int64($0 % 50_000), text: "text \($0)") }
    let blocks = try blocks(definition, rows)
    #expect(blocks.count == 5 && blocks.allSatisfy { $0.count <= 512 * 1024 }, "\(blocks.map(\.count))")
    let window = try #require(WindowOperator(definition, testNamespaces))
    for block in blocks.reversed() + blocks { try merge(block, into: window) }
    let result: [Value] = [.string("one"), .integer(7), .integer(107)]
    #expect(try flushed(window) == [result + [.integer(50_000), .integer(120_000), .integer(60_000), .string("text 59999")]])
}

@Test func aSessionThatReachesSeveralOthersJoinsThem() throws {
    let definition = definition(.session(gap: 10, max: nil), aggregates: [Aggregate("events", .count)])
    let window = try #require(WindowOperator(definition, testNamespaces))
    func add(_ times: Int64...) throws {
        for block in try blocks(definition, times.map { TestRow(key: "one", time: $0) }) { try merge(block, into: window) }
    }
    try add(0, 30, 60, 90)
    #expect(window.memory > 0 && window.keyCount == 1)
    // Touches the second at its beginning and, with what it joins, the third at its end.
    try add(20, 40, 50)
    #expect(
        try flushed(window) == [
            [.string("one"), .integer(0), .integer(10), .integer(1)], [.string("one"), .integer(20), .integer(70), .integer(5)],
            [.string("one"), .integer(90), .integer(100), .integer(1)],
        ])
}

@Test func aWindowThatComesAfterItsEndIsNotLost() throws {
    for kind in [WindowDefinition.Kind.session(gap: 10, max: nil), .tumbling(size: 10)] {
        let definition = definition(kind, aggregates: [Aggregate("events", .count)])
        let window = try #require(WindowOperator(definition, testNamespaces))
        var closed = Batch(schema: window.output)
        try window.advance(to: 1_000_000, into: &closed)
        for block in try blocks(definition, [TestRow(key: "one", time: 50)]) { try merge(block, into: window) }
        try window.advance(to: 1_000_000, into: &closed)
        #expect(values(of: closed) == [[.string("one"), .integer(50), .integer(60), .integer(1)]])
        #expect(window.keyCount == 0)
    }
}

@Test func windowsOfAnotherDefinitionAreRefused() throws {
    let rows = [TestRow(key: "one", time: 5)]
    let sums = definition(.tumbling(size: 10), aggregates: [Aggregate("sum", .sum, argument: TestColumn.number)])
    let extremes = definition(.tumbling(size: 10), aggregates: [Aggregate("max", .max, argument: TestColumn.price)])
    let window = try #require(WindowOperator(sums, testNamespaces))
    for block in try blocks(extremes, rows) {
        #expect { try merge(block, into: window) } throws: { ($0 as? StateError)?.kind == .damaged }
    }
    #expect(try flushed(window).isEmpty)
}
