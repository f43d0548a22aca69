import Batch
import Dataflow
import Foundation
import Seeded
import State
import Testing

private let kinds: [WindowDefinition.Kind] = [
    .session(gap: 400, max: nil), .tumbling(size: 300), .session(gap: 150, max: 400), .session(gap: 20_000, max: nil),
]

/// Some values per key, so that sets stay small or go beyond what stands with a window.
private func rows(_ count: Int, keys: Int, values: Int, using random: inout SplitMix64) -> [TestRow] {
    randomRows(count, keys: keys, step: 3, disorder: 200, using: &random).map { row in
        var row = row
        if random.chance(80) { row.number = Int64(random.below(values)) }
        return row
    }
}

@Test(arguments: 0..<16)
func aBudgetOfAnySizeChangesNoResult(round: Int) throws {
    let seed = UInt64(round) &* 32_452_843 &+ 5
    var random = SplitMix64(seed: seed)
    let definition = definition(kinds[round % kinds.count], lateness: Int64(round % 3 * 40))
    let rows = rows(3_000, keys: [40, 400, 1_500][random.below(3)], values: [5, 40, 2_000][random.below(3)], using: &random)
    let bound = Int64([0, 100][random.below(2)])

    var model = WindowModel(definition)
    var latest = Int64.min
    for row in rows {
        latest = max(latest, row.time)
        model.process(row, watermark: latest - bound)
    }
    let expected = model.take(watermark: latest - bound) + model.flush()

    for budget in [0, 20_000 + random.below(100_000), 1 << 40] {
        let window = try #require(WindowOperator(definition, testNamespaces, spillDirectory: testSpillDirectory))
        var latest: Int64?
        var output: [[Value]] = []
        var epoch = 0
        var begin = 0
        var spilledMax = 0
        while begin < rows.count {
            let count = min(rows.count - begin, 1 + random.below(100))
            let input = batch(of: rows[begin..<begin + count], latest: &latest, outOfOrderness: bound)
            var fates = RowFates(rowCount: count)
            var closed = Batch(schema: window.output)
            try window.process(input, fates: &fates)
            try window.advance(to: input.watermarks[count - 1], into: &closed)
            output += values(of: closed)
            begin += count
            if random.chance(40) {
                epoch += 1
                var changes = ChangeSet()
                window.freeze(epoch: epoch, into: &changes)
            }
            // Twice: the first time all have just been used.
            for _ in 0..<2 { _ = try window.evict(hotMax: budget) }
            spilledMax = max(spilledMax, window.spilledKeyCount)
        }
        var closed = Batch(schema: window.output)
        try window.flush(into: &closed)
        output += values(of: closed)
        #expect(output == expected, "seed \(seed) \(definition.kind), \(budget) bytes")
        #expect(window.keyCount == 0)
        #expect(budget > 0 || spilledMax > 0)
        #expect(budget < 1 << 40 || spilledMax == 0)
        print("seed \(seed), \(budget) bytes: up to \(spilledMax) of \(window.keyCount) keys on the disk")
    }
}

@Test func whatIsEvictedIsNoLongerInMemoryAndComesBackWhole() throws {
    let definition = definition(.session(gap: 1_000_000, max: nil))
    let window = try #require(WindowOperator(definition, testNamespaces, spillDirectory: testSpillDirectory))
    var random = SplitMix64(seed: 3)
    var latest: Int64?
    func fold(_ rows: [TestRow]) throws {
        let input = batch(of: rows, latest: &latest, outOfOrderness: 0)
        var fates = RowFates(rowCount: rows.count)
        var closed = Batch(schema: window.output)
        try window.process(input, fates: &fates)
        try window.advance(to: input.watermarks[rows.count - 1], into: &closed)
        #expect(closed.rowCount == 0)
    }
    let many = (0..<20_000).map { TestRow(key: "key \($0)", time: Int64($0 % 100), number: Int64(random.below(9))) }
    try fold(many)
    let before = window.memory
    // Nothing leaves that no delta has.
    #expect(try !window.evict(hotMax: before * 2))
    #expect(try window.evict(hotMax: 0))
    #expect(window.memory == before && window.spilledKeyCount == 0)
    var changes = ChangeSet()
    window.freeze(epoch: 1, into: &changes)
    for _ in 0..<2 { _ = try window.evict(hotMax: 0) }
    #expect(window.spilledKeyCount == 20_000 && window.keyCount == 20_000)
    #expect(window.memory < before / 2, "\(window.memory) of \(before)")

    try fold((0..<500).map { TestRow(key: "key \($0 * 7)", time: 100, number: 100) })
    #expect(window.spilledKeyCount == 19_500 && window.keyCount == 20_000)
    changes = ChangeSet()
    window.freeze(epoch: 2, into: &changes)
    #expect(changes.count == 500)

    var closed = Batch(schema: window.output)
    try window.flush(into: &closed)
    #expect(closed.columns[0].views.count == 20_000 && window.spilledKeyCount == 0)
    #expect(closed.columns[3].integers.reduce(0, +) == 20_500)
}

@Test(.timeLimit(.minutes(5)))
func aRowOfAKeyWithManyOpenSessionsCostsLittleMoreThanOneOfAKeyWithFew() throws {
    /// Nanoseconds a row, of rows that fall anywhere among `sessions` open sessions of one key.
    func cost(_ sessions: Int) throws -> Double {
        let window = try #require(
            WindowOperator(definition(.session(gap: 10, max: nil), aggregates: [Aggregate("events", .count)]), testNamespaces))
        var random = SplitMix64(seed: 9)
        var latest: Int64?
        var output = Batch(schema: window.output)
        func fold(_ times: [Int64]) throws -> UInt64 {
            let input = batch(of: times.map { TestRow(key: "one", time: $0) }, latest: &latest, outOfOrderness: 1 << 40)
            var fates = RowFates(rowCount: times.count)
            let begin = threadNanoseconds()
            try window.process(input, fates: &fates)
            try window.advance(to: input.watermarks[times.count - 1], into: &output)
            return threadNanoseconds() - begin
        }
        _ = try fold((0..<sessions).map { Int64($0) * 100 }.shuffled(using: &random))
        var least = UInt64.max
        for _ in 0..<10 { least = min(least, try fold((0..<4_000).map { _ in Int64(random.below(sessions)) * 100 + 5 })) }
        try window.flush(into: &output)
        #expect(output.rowCount == sessions)
        return Double(least) / 4_000
    }
    let few = try cost(1_000)
    let many = try cost(40_000)
    print("\(few) ns a row with 1,000 open sessions, \(many) with 40,000")
    #expect(many < few * 10, "forty times as many sessions")
}

@Test(arguments: 0..<6)
func manyOpenSessionsOfAKeyMergeAndCloseLikeThePlainModel(round: Int) throws {
    let seed = UInt64(round) &* 49_979_687 &+ 17
    print("seed \(seed)")
    var random = SplitMix64(seed: seed)
    // Two keys with up to hundreds of open sessions each, which new rows extend, join and come before.
    let definition = definition(
        .session(gap: 10, max: round % 3 == 2 ? 25 : nil),
        aggregates: [Aggregate("events", .count), Aggregate("numbers", .countDistinct, argument: TestColumn.number)])
    let bound: Int64 = round % 2 == 0 ? 1 << 40 : 9_000
    let rows = (0..<4_000).map { position in
        TestRow(
            key: "k\(random.below(2))", time: Int64(random.below(12_000) + position * 2), number: Int64(random.below(5)))
    }
    var model = WindowModel(definition)
    var latest = Int64.min
    for row in rows {
        latest = max(latest, row.time)
        model.process(row, watermark: latest - bound)
    }
    let expected = model.take(watermark: latest - bound) + model.flush()
    let window = try #require(WindowOperator(definition, testNamespaces))
    let (output, late, _) = try run(window, rows, batchMax: 300, outOfOrderness: bound, using: &random)
    #expect(output == expected, "seed \(seed)")
    #expect(late == model.late.map(\.offset))
    #expect(window.keyCount == 0)
}

@Test func statesOfTheFirstVersionAreRead() throws {
    let definition = definition(
        .session(gap: 100, max: nil),
        aggregates: [Aggregate("events", .count), Aggregate("numbers", .countDistinct, argument: TestColumn.number)])
    let window = try #require(WindowOperator(definition, testNamespaces))
    func put(_ namespace: UInt16, _ key: [UInt8], _ value: [UInt8]) throws {
        try load(.put, namespace, key, value, into: window)
    }
    func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] { withUnsafeBytes(of: number) { [UInt8]($0) } }
    // Two sessions, of three events and two numbers, and of one event and one.
    var value = bytes(Int64(110).bigEndian) + [1] + bytes(UInt32(2))
    value += bytes(Int64(5)) + bytes(Int64(110)) + bytes(UInt64(7)) + bytes(Int64(3)) + bytes(UInt64(0)) + bytes(UInt32(2)) + bytes(UInt32(2))
    value += bytes(Int64(300)) + bytes(Int64(400)) + bytes(UInt64(8)) + bytes(Int64(1)) + bytes(UInt64(0)) + bytes(UInt32(1)) + bytes(UInt32(1))
    try put(testNamespaces.windows, Array("a".utf8), value)
    func set(_ uid: UInt64, _ elements: Int) throws {
        let key = bytes(uid.bigEndian) + bytes(UInt16(1).bigEndian) + bytes(UInt32(0).bigEndian)
        try put(testNamespaces.sets, key, (0..<elements).flatMap { bytes(UInt64($0)) + bytes(UInt64(uid)) })
    }
    try set(7, 2)
    try set(8, 1)
    try window.finishLoading()

    // What is read is written in the current version; a set that has chunks keeps them.
    var latest: Int64?
    var fates = RowFates(rowCount: 1)
    try window.process(batch(of: [TestRow(key: "a", time: 50, number: 1)], latest: &latest, outOfOrderness: 60), fates: &fates)
    var changes = ChangeSet()
    window.freeze(epoch: 2, into: &changes)
    let again = try #require(WindowOperator(definition, testNamespaces))
    try changes.forEach { change throws(StateError) in
        if change.namespace == testNamespaces.windows { #expect(change.value[8] == 2) }
        try again.load(change, epoch: 2)
    }
    // The second session's set did not change: its chunk is in the older delta.
    let key = bytes(UInt64(8).bigEndian) + bytes(UInt16(1).bigEndian) + bytes(UInt32(0).bigEndian)
    let chunk = bytes(UInt64(0)) + bytes(UInt64(8))
    try load(.put, testNamespaces.sets, key, chunk, into: again)
    try again.finishLoading()
    for window in [window, again] {
        var closed = Batch(schema: window.output)
        try window.flush(into: &closed)
        #expect(values(of: closed).map { Array($0.dropFirst()) } == [
            [.integer(5), .integer(150), .integer(4), .integer(3)], [.integer(300), .integer(400), .integer(1), .integer(1)],
        ])
    }
}

/// A typed throw does not pass `withUnsafeBytes`.
private func load(_ kind: Change.Kind, _ namespace: UInt16, _ key: [UInt8], _ value: [UInt8], into window: WindowOperator) throws {
    let result: Result<Bool, StateError> = key.withUnsafeBytes { key in
        value.withUnsafeBytes { value in
            do throws(StateError) {
                return .success(try window.load(Change(kind: kind, namespace: namespace, key: key, value: value), epoch: 1))
            } catch {
                return .failure(error)
            }
        }
    }
    #expect(try result.get())
}
