import Batch
import Dataflow
import Seeded
import State
import Testing

private let kinds: [WindowDefinition.Kind] = [
    .session(gap: 100, max: nil), .session(gap: 100, max: 250), .tumbling(size: 100), .session(gap: 2_000, max: nil),
]

@Test(arguments: 0..<32)
func evictionAndRecoveryAtAnyEpochChangeNothing(round: Int) throws {
    let seed = UInt64(round) &* 104_729 &+ 3
    var random = SplitMix64(seed: seed)
    let definition = definition(
        kinds[round % kinds.count], lateness: Int64(random.chance(30) ? random.below(200) : 0))
    let home = MemoryHome(timed: testNamespaces.windows, lateness: definition.allowedLateness)
    var task = try WindowTask(definition, home)
    try disturb(&task, seed: seed, using: &random)
    print("seed \(seed): \(task.deltas.count) epochs, \(home.reads) reads of the home")

    // What is closed leaves nothing behind.
    task.freeze(watermark: 1 << 60)
    try task.flush(upTo: task.deltas.count)
    let left = home.values.keys.filter { $0.key.count > 8 || $0.namespace != testNamespaces.sets }
    #expect(left.isEmpty, "seed \(seed): \(left.count) entries are left")
}

@Test(arguments: 0..<6)
func evictionAndRecoveryWorkWithRocksDB(round: Int) throws {
    let seed = UInt64(round) &* 15_485_863 &+ 11
    var random = SplitMix64(seed: seed)
    let definition = definition(kinds[round % kinds.count], lateness: Int64(round % 2 * 70))
    var task = try WindowTask(definition, RocksHome(timed: testNamespaces.windows, lateness: definition.allowedLateness))
    try disturb(&task, seed: seed, using: &random)
}

/// Runs random rows through the task with freezes, flushes, evictions and crashes in between, and without any.
private func disturb(_ task: inout WindowTask, seed: UInt64, using random: inout SplitMix64) throws {
    let definition = task.definition
    print("seed \(seed)")
    let bound = Int64([0, 20, 150][random.below(3)])
    let rows = randomRows(
        1000, keys: 1 + random.below(60), step: [1, 3, 20][random.below(3)], disorder: [0, 50, 400][random.below(3)],
        using: &random)
    let whole = try #require(WindowOperator(definition, testNamespaces))
    let (expected, expectedLate, _) = try run(whole, rows, batchMax: 500, outOfOrderness: bound, using: &random)

    let crashes = random.chance(70)
    let evicts = random.chance(80)
    var latest: Int64?
    var output: [[Value]] = []
    var late: [Int] = []
    var evicted = 0
    var begin = 0
    while begin < rows.count {
        let count = min(rows.count - begin, 1 + random.below(60))
        let input = batch(of: rows[begin..<begin + count], latest: &latest, outOfOrderness: bound)
        var fates = RowFates(rowCount: count)
        var closed = Batch(schema: task.window.output)
        try task.window.process(input, fates: &fates)
        let watermark = input.watermarks[count - 1]
        try task.window.advance(to: watermark, into: &closed)
        output += values(of: closed)
        late += fates.late.map { begin + Int($0.row) }
        begin += count
        if random.chance(60) {
            task.freeze(watermark: watermark)
            if random.chance(60) {
                try task.flush(upTo: task.flushed + random.below(task.deltas.count - task.flushed + 1))
            }
            if crashes, random.chance(15) { try task.recover() }
        }
        if evicts, random.chance(70) {
            _ = try task.window.evict(hotMax: random.chance(50) ? 0 : random.below(100_000))
            evicted = max(evicted, task.window.spilledKeyCount)
        }
    }
    var closed = Batch(schema: task.window.output)
    try task.window.flush(into: &closed)
    output += values(of: closed)
    #expect(output == expected, "seed \(seed) \(definition.kind)")
    #expect(late == expectedLate)
    #expect(task.window.keyCount == 0)
    print("seed \(seed): up to \(evicted) keys on the disk")
}

@Test func anEpochCostsWhatChangedInASetAndNotWhatIsThere() throws {
    let definition = definition(
        .session(gap: 1000, max: nil), aggregates: [Aggregate("texts", .countDistinct, argument: TestColumn.text)])
    let window = try #require(WindowOperator(definition, testNamespaces))
    var latest: Int64?
    var sizes: [Int] = []
    for epoch in 1...50 {
        let rows = (0..<200).map { TestRow(key: "one", time: Int64(epoch), text: "text \(epoch) \($0)") }
        let input = batch(of: rows, latest: &latest, outOfOrderness: 0)
        var fates = RowFates(rowCount: rows.count)
        var closed = Batch(schema: window.output)
        try window.process(input, fates: &fates)
        try window.advance(to: input.watermarks[rows.count - 1], into: &closed)
        var changes = ChangeSet()
        window.freeze(epoch: epoch, into: &changes)
        sizes.append(changes.byteCount)
    }
    #expect(sizes[49] < sizes[0] + 2000, "\(sizes)")
    var closed = Batch(schema: window.output)
    try window.flush(into: &closed)
    #expect(closed.columns[3].integers == [10_000])
}

@Test func stateThatIsNoStateIsRefused() throws {
    let definition = definition(.session(gap: 100, max: nil))
    let window = try #require(WindowOperator(definition, testNamespaces))
    var latest: Int64?
    var random = SplitMix64(seed: 5)
    let rows = randomRows(50, keys: 3, step: 10, disorder: 0, using: &random)
    let input = batch(of: rows, latest: &latest, outOfOrderness: 0)
    var fates = RowFates(rowCount: 50)
    try window.process(input, fates: &fates)
    var closed = Batch(schema: window.output)
    try window.advance(to: input.watermarks[49], into: &closed)
    var changes = ChangeSet()
    window.freeze(epoch: 1, into: &changes)
    var puts = 0
    try changes.forEach { change throws(StateError) in
        guard change.kind == .put, change.namespace == testNamespaces.windows else { return }
        puts += 1
        for length in 0..<change.value.count {
            let other = WindowOperator(definition, testNamespaces)
            let cut = Change(
                kind: .put, namespace: change.namespace, key: change.key,
                value: UnsafeRawBufferPointer(rebasing: change.value[..<length]))
            #expect(throws: StateError.self) { try other?.load(cut, epoch: 1) }
        }
        try WindowOperator(definition, testNamespaces)?.load(change, epoch: 1)
    }
    #expect(puts > 0)
}
