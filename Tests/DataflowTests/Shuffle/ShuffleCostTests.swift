import Batch
import Dataflow
import Seeded
import Testing

private let schema = Schema([Field("key", .string), Field("amount", .int64), Field("is_purchase", .bool)])

private func input(keys: Int, rows: Int, using random: inout SplitMix64) -> Batch {
    var batch = Batch(schema: schema)
    for _ in 0..<rows {
        batch.columns[0].append(string: "user-\(random.below(keys))")
        batch.columns[1].append(integer: Int64(random.below(10_000)))
        batch.columns[2].append(bool: random.chance(5))
        batch.eventTimes.append(Int64(random.below(60_000_000)))
        batch.watermarks.append(0)
    }
    batch.rowCount = rows
    batch.selectAll()
    return batch
}

private func nanoseconds(each count: Int, _ body: () throws -> Void) rethrows -> UInt64 {
    let begin = threadNanoseconds()
    try body()
    return (threadNanoseconds() - begin) / UInt64(count)
}

/// Prints what a row costs on its way to another task and in it.
@Test func aRowThatTravelsCostsWhatItShould() {
    var random = SplitMix64(seed: 1)
    let batches = (0..<20).map { _ in input(keys: 100_000, rows: 4096, using: &random) }
    var blocks = RowBlocks(schema: schema, by: [0], salt: 1, partitions: 8)
    var costs: [(UInt64, UInt64)] = []
    var bytes = 0
    for _ in 0..<5 {
        var taken: [(rows: Int, bytes: [UInt8])] = []
        let away = nanoseconds(each: 20 * 4096) {
            for batch in batches { blocks.append(batch) }
            for partition in 0..<8 { taken += blocks.take(partition: partition) }
        }
        var arrived = Batch(schema: schema)
        var rows = 0
        let here = nanoseconds(each: 20 * 4096) {
            for block in taken {
                arrived.removeAll()
                _ = block.bytes.withUnsafeBytes { RowBlocks.decode($0, schema: schema, watermark: 0, into: &arrived) }
                rows += arrived.rowCount
            }
        }
        #expect(rows == 20 * 4096)
        bytes = taken.reduce(0) { $0 + $1.bytes.count }
        costs.append((away, here))
    }
    print("a row of \(bytes / 20 / 4096) bytes: away \(costs.map(\.0).min()!) ns, here \(costs.map(\.1).min()!) ns")
}

/// Prints what a window costs on its way: in an operator that folds 80,000 rows of 20,000 keys.
@Test func aWindowThatTravelsCostsWhatItShould() throws {
    var random = SplitMix64(seed: 2)
    let batches = (0..<20).map { _ in input(keys: 20_000, rows: 4096, using: &random) }
    var definition = WindowDefinition(
        name: "cost", input: schema, groupBy: [0], kind: .session(gap: 1_800_000_000, max: nil),
        aggregates: [
            Aggregate("events", .count), Aggregate("purchases", .count, where: 2), Aggregate("revenue", .sum, argument: 1),
            Aggregate("least", .min, argument: 1), Aggregate("most", .max, argument: 1),
        ])
    let below = try #require(WindowOperator(definition, testNamespaces))
    definition.isPartial = true
    let above = try #require(WindowOperator(definition, testNamespaces))
    var costs: [(fold: UInt64, take: UInt64, merge: UInt64)] = []
    var fates = RowFates()
    for _ in 0..<5 {
        let fold = try nanoseconds(each: 20 * 4096) {
            for batch in batches {
                fates.reset(rowCount: 4096)
                try above.process(batch, fates: &fates)
            }
        }
        let windows = above.keyCount
        var blocks: [[UInt8]] = []
        let take = nanoseconds(each: windows) { blocks = above.takePartials(partitions: 8).joined().map(\.bytes) }
        let join = try nanoseconds(each: windows) { for block in blocks { try merge(block, into: below) } }
        #expect(below.keyCount == windows)
        costs.append((fold, take, join))
    }
    print(
        "fold \(costs.map(\.fold).min()!) ns a row, take \(costs.map(\.take).min()!) ns a window,",
        "merge \(costs[0].merge) ns one that is new, \(costs[1...].map(\.merge).min()!) ns one that is there")
}
