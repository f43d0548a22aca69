import Batch
import Dataflow
import Expression
import Seeded
import Testing

let testNamespaces = WindowOperator.Namespaces(windows: 16, sets: 17)

/// Every function over every type it takes.
let everyAggregate: [Aggregate] = {
    typealias Column = TestColumn
    var all = [Aggregate("events", .count), Aggregate("some", .count, where: Column.condition)]
    for column in [Column.number, Column.ratio, Column.price] {
        all.append(Aggregate("sum\(column)", .sum, argument: column))
        all.append(Aggregate("avg\(column)", .avg, argument: column))
        all.append(Aggregate("avg_if\(column)", .avg, argument: column, where: Column.condition))
    }
    for column in [Column.number, Column.ratio, Column.price, Column.text, Column.flag] {
        for function in [AggregateFunction.min, .max, .first, .last, .countDistinct] {
            all.append(Aggregate("\(function)\(column)", function, argument: column))
        }
        all.append(Aggregate("first_if\(column)", .first, argument: column, where: Column.condition))
    }
    return all
}()

func definition(_ kind: WindowDefinition.Kind, lateness: Int64 = 0, aggregates: [Aggregate] = everyAggregate) -> WindowDefinition {
    WindowDefinition(
        name: "windows", input: testSchema, groupBy: [TestColumn.key], kind: kind, allowedLateness: lateness,
        aggregates: aggregates)
}

/// Rows with ties, gaps around the session's, stragglers and jumps.
func randomRows(_ count: Int, keys: Int, step: Int, disorder: Int, from start: Int64 = -500, using random: inout SplitMix64) -> [TestRow] {
    var now = start
    return (0..<count).map { _ in
        now += Int64(random.below(step))
        if random.chance(1) { now += Int64(random.below(step * 50)) }
        let back = random.chance(30) ? random.below(disorder + 1) : 0
        let key = random.below(keys)
        let text = ["", "a", "ab", "b", "/path/\(random.below(20))", "a longer text that needs a piece \(random.below(30))"]
        return TestRow(
            key: key % 3 == 0 ? "a key that does not fit into its record \(key)" : "k\(key)", time: now - Int64(back),
            number: random.chance(20) ? nil : random.chance(1) ? .max : Int64(random.below(50)) - 25,
            ratio: random.chance(20) ? nil : Double(random.below(1000)) / 7 - 50,
            price: random.chance(20) ? nil : Int128(random.below(100_000)) - 50_000,
            text: random.chance(20) ? nil : text[random.below(text.count)],
            flag: random.chance(20) ? nil : random.chance(50), condition: random.chance(20) ? nil : random.chance(50))
    }
}

/// Feeds `rows` in batches of random sizes up to `batchMax` and gives the outputs of all, and of the final flush.
func run(
    _ window: WindowOperator, _ rows: [TestRow], batchMax: Int, outOfOrderness: Int64, using random: inout SplitMix64
) throws -> (output: [[Value]], late: [Int], fates: [RowFate])
{
    var latest: Int64?
    var output: [[Value]] = []
    var late: [Int] = []
    var allFates: [RowFate] = []
    var begin = 0
    while begin < rows.count {
        let count = min(rows.count - begin, 1 + random.below(batchMax))
        let input = batch(of: rows[begin..<begin + count], latest: &latest, outOfOrderness: outOfOrderness)
        var fates = RowFates(rowCount: count)
        var closed = Batch(schema: window.output)
        try window.process(input, fates: &fates)
        try window.advance(to: input.watermarks[count - 1], into: &closed)
        output += values(of: closed)
        late += fates.late.map { begin + Int($0.row) }
        allFates += (0..<count).map { fates[$0] }
        begin += count
    }
    var closed = Batch(schema: window.output)
    let piece = random.chance(50) ? 1 + random.below(5) : .max
    while try window.flush(into: &closed, max: piece) { #expect(closed.rowCount % piece == 0) }
    return (output + values(of: closed), late, allFates)
}

private let kinds: [WindowDefinition.Kind] = [
    .session(gap: 100, max: nil), .session(gap: 100, max: 250), .session(gap: 7, max: nil), .session(gap: 100, max: 40),
    .session(gap: 100_000, max: nil), .tumbling(size: 100), .tumbling(size: 1),
]

@Test(arguments: 0..<35)
func windowsAnswerLikeThePlainModelWhateverTheBatches(round: Int) throws {
    let seed = UInt64(round) &* 7919 &+ 1
    print("seed \(seed)")
    var random = SplitMix64(seed: seed)
    let kind = kinds[round % kinds.count]
    let bound = Int64([0, 20, 150, 600][random.below(4)])
    let lateness = Int64(random.chance(40) ? random.below(300) : 0)
    let rows = randomRows(
        1000, keys: 1 + random.below(12), step: [1, 3, 20, 80][random.below(4)], disorder: [0, 50, 400][random.below(3)],
        using: &random)
    let definition = definition(kind, lateness: lateness)

    var model = WindowModel(definition)
    var latest = Int64.min
    for row in rows {
        latest = max(latest, row.time)
        model.process(row, watermark: latest - bound)
    }
    let expected = model.take(watermark: latest - bound) + model.flush()

    for batchMax in [1, 10, 300, 3000] {
        let window = try #require(WindowOperator(definition, testNamespaces))
        let (output, late, fates) = try run(window, rows, batchMax: batchMax, outOfOrderness: bound, using: &random)
        #expect(output == expected, "seed \(seed) \(kind) batches to \(batchMax)")
        #expect(late == model.late.map(\.offset))
        #expect(fates.indices.filter { fates[$0] == .late } == late)
        #expect(fates.allSatisfy { $0 == .late || $0 == .aggregated })
        #expect(window.keyCount == 0)
    }
}
