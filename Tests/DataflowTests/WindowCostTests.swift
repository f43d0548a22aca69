import Batch
import Dataflow
import Foundation
import Seeded
import Testing

/// CPU nanoseconds of the calling thread.
func threadNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

private let inputSchema = Schema([
    Field("key", .string), Field("amount", .int64), Field("is_purchase", .bool),
])

/// Prints what a row costs in steady state; `MILLRACE_COST_KEYS=200000,5000000` in a release build for real figures.
@Test func aRowCostsWhatItShould() throws {
    let sizes = ProcessInfo.processInfo.environment["MILLRACE_COST_KEYS"] ?? "2000"
    for keys in sizes.split(separator: ",").compactMap({ Int($0) }) {
        let gap: Int64 = 1_800_000_000
        let window = try #require(
            WindowOperator(
                WindowDefinition(
                    name: "cost", input: inputSchema, groupBy: [0], kind: .session(gap: gap, max: nil),
                    aggregates: [
                        Aggregate("events", .count), Aggregate("purchases", .count, where: 2),
                        Aggregate("revenue", .sum, argument: 1), Aggregate("least", .min, argument: 1),
                        Aggregate("most", .max, argument: 1),
                    ]), testNamespaces))
        var random = SplitMix64(seed: 1)
        let batchRows = 4096
        let names = (0..<batchRows).map { _ in 0 }
        var input = Batch(schema: inputSchema)
        var now: Int64 = 0
        var output = Batch(schema: window.output)
        var fates = RowFates()
        // A key comes about twice a gap: sessions extend, close and open again all the time.
        let step = max(1, Int(gap) / keys / 2)
        var process: [UInt64] = [], advance: [UInt64] = [], rows = 0, closed = 0
        let warmUp = keys * 3 / batchRows + 1
        for round in 0..<warmUp + max(8, min(500, keys * 2 / batchRows)) {
            input.removeAll()
            for _ in names {
                now += Int64(random.below(2 * step))
                input.columns[0].append(string: "user-\(random.below(keys))")
                input.columns[1].append(integer: Int64(random.below(10_000)))
                input.columns[2].append(bool: random.chance(5))
                input.eventTimes.append(now - Int64(random.below(60_000_000)))
                input.watermarks.append(now - 60_000_000)
            }
            input.rowCount = batchRows
            input.selectAll()
            fates.reset(rowCount: batchRows)
            output.removeAll()
            let begin = threadNanoseconds()
            try window.process(input, fates: &fates)
            let middle = threadNanoseconds()
            try window.advance(to: input.watermarks[batchRows - 1], into: &output)
            let end = threadNanoseconds()
            guard round >= warmUp else { continue }
            process.append((middle - begin) / UInt64(batchRows))
            advance.append((end - middle) / UInt64(batchRows))
            rows += batchRows
            closed += output.rowCount
        }
        // Of the batches: the fastest tenth (a quiet machine) and the median.
        func spread(_ costs: [UInt64]) -> String { "\(costs.sorted()[costs.count / 10])/\(costs.sorted()[costs.count / 2])" }
        print(
            "\(keys) keys (\(window.keyCount) open, \(window.memory / 1_048_576) MiB): process \(spread(process)) ns,",
            "advance \(spread(advance)) ns a row, \(closed) closed of \(rows) rows")
        #expect(closed > 0)
    }
}
