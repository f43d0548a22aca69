import Batch
import Dataflow
import Seeded
import Testing

/// What comes out of the blocks of a partition: rows, and their event times in place of the watermark.
private func decoded(_ blocks: [(rows: Int, bytes: [UInt8])], _ schema: Schema) -> (rows: [[Value]], times: [Int64]) {
    var batch = Batch(schema: schema)
    for block in blocks {
        let before = batch.rowCount
        #expect(block.bytes.withUnsafeBytes { RowBlocks.decode($0, schema: schema, watermark: 17, into: &batch) })
        #expect(batch.rowCount - before == block.rows)
    }
    #expect(batch.watermarks == Array(repeating: 17, count: batch.rowCount))
    #expect(batch.selection == Array(0..<Int32(batch.rowCount)))
    return (values(of: batch), batch.eventTimes)
}

@Test(arguments: 0..<24)
func rowsArriveAsTheyWereInTheOrderInWhichTheyCame(round: Int) throws {
    let seed = UInt64(round) &* 2_750_159 &+ 1
    print("seed \(seed)")
    var random = SplitMix64(seed: seed)
    let partitions = 1 + random.below(6)
    let by = [[TestColumn.key], [TestColumn.text], [TestColumn.flag, TestColumn.key], []][random.below(4)]
    var blocks = RowBlocks(schema: testSchema, by: by, salt: 1, partitions: partitions)
    var sent: [(row: [Value], time: Int64)] = []
    var arrived: [[(row: [Value], time: Int64)]] = Array(repeating: [], count: partitions)
    func takeAll() {
        for partition in 0..<partitions {
            let (rows, times) = decoded(blocks.take(partition: partition), testSchema)
            arrived[partition] += zip(rows, times).map { ($0, $1) }
        }
        #expect(blocks.size == 0)
    }
    var latest: Int64?
    for _ in 0..<6 {
        var rows = randomRows(random.below(300), keys: 9, step: 3, disorder: 50, using: &random)
        // Batches without any null, too.
        if random.chance(40) {
            rows = rows.map {
                TestRow(key: $0.key, time: $0.time, number: 1, ratio: -0.0, price: .min, text: "", flag: true, condition: false)
            }
        }
        var input = batch(of: rows, latest: &latest, outOfOrderness: 0)
        input.selection.removeAll { _ in random.chance(20) }
        blocks.append(input)
        sent += zip(values(of: input), input.selection.map { input.eventTimes[Int($0)] }).map { ($0, $1) }
        if random.chance(30) { takeAll() }
    }
    takeAll()

    #expect(arrived.joined().count == sent.count)
    for partition in arrived {
        let keys = Set(partition.map { row in by.map { row.row[$0] } })
        let own = sent.filter { row in keys.contains(by.map { row.row[$0] }) }
        #expect(partition.map(\.row) == own.map(\.row), "seed \(seed)")
        #expect(partition.map(\.time) == own.map(\.time), "seed \(seed)")
    }
}

@Test func aHotKeyIsSpreadEvenlyOverAsManyPartitionsAsItsSaltSays() {
    var latest: Int64?
    // Every other row, so that a salt which only counts would always be the same for it.
    let rows = (0..<8000).map { TestRow(key: $0 % 2 == 0 ? "hot" : "k\($0)", time: 1) }
    let input = batch(of: rows, latest: &latest, outOfOrderness: 0)
    for (salt, partitions) in [(1, 8), (2, 8), (4, 8), (8, 8), (8, 3)] {
        var blocks = RowBlocks(schema: testSchema, by: [TestColumn.key], salt: salt, partitions: partitions)
        blocks.append(input)
        let shares = (0..<partitions).map { partition in
            decoded(blocks.take(partition: partition), testSchema).rows.count { $0[0] == .string("hot") }
        }.filter { $0 > 0 }
        #expect(shares.count == min(salt, partitions))
        #expect(shares.allSatisfy { abs($0 * shares.count - 4000) < 400 }, "\(shares)")
    }
}

@Test func blocksAreNotMuchLargerThanHalfAMebibyteUnlessARowIs() {
    var latest: Int64?
    var rows = (0..<3000).map { TestRow(key: "k\($0)", time: 1, text: String(repeating: "x", count: 700)) }
    rows.insert(TestRow(key: "large", time: 1, text: String(repeating: "y", count: 900_000)), at: 1500)
    var blocks = RowBlocks(schema: testSchema, by: [], salt: 1, partitions: 1)
    for rows in [rows[..<1000], rows[1000...]] { blocks.append(batch(of: rows, latest: &latest, outOfOrderness: 0)) }
    let size = blocks.size
    let taken = blocks.take(partition: 0)
    let bytes = taken.reduce(0) { $0 + $1.bytes.count }
    #expect(abs(size - bytes) < bytes / 50, "\(size) were announced, \(bytes) came")
    #expect(taken.count == 7 && taken.count { $0.bytes.count > 512 * 1024 } == 1, "\(taken.map(\.bytes.count))")
    #expect(taken.contains { $0.rows == 1 && $0.bytes.count > 900_000 })
    #expect(decoded(taken, testSchema).rows.map { $0[0] } == rows.map { .string($0.key) })
}

@Test func nothingTravelsWhenNoRowIsSelected() {
    var latest: Int64?
    var blocks = RowBlocks(schema: testSchema, by: [TestColumn.key], salt: 1, partitions: 2)
    var input = batch(of: [TestRow(key: "one", time: 1)], latest: &latest, outOfOrderness: 0)
    input.selection = []
    blocks.append(input)
    #expect(blocks.size == 0 && blocks.take(partition: 0).isEmpty && blocks.take(partition: 1).isEmpty)
}

@Test func rowsOfAnotherSchemaAreRefused() {
    var latest: Int64?
    var blocks = RowBlocks(schema: testSchema, by: [], salt: 1, partitions: 1)
    blocks.append(batch(of: [TestRow(key: "one", time: 1)], latest: &latest, outOfOrderness: 0))
    var other = testSchema
    other.fields.swapAt(TestColumn.flag, TestColumn.condition)
    var batch = Batch(schema: other)
    let block = blocks.take(partition: 0)[0].bytes
    #expect(!block.withUnsafeBytes { RowBlocks.decode($0, schema: other, watermark: 0, into: &batch) })
    #expect(batch.rowCount == 0 && batch.columns.allSatisfy { $0.count == 0 })
}

/// State below a shuffle lies where this says.
@Test func theKeysOfAPartitionStayThere() {
    let names = ["", "a", "user-17", "a longer key than fits into a record of a table"]
    let partitions = names.map { name in
        Array(name.utf8).withUnsafeBytes { key in [1, 2, 7, 1000].map { shufflePartition(hash64(key), of: $0) } }
    }
    #expect(partitions == [[0, 0, 1, 203], [0, 0, 0, 3], [0, 1, 5, 755], [0, 1, 3, 549]])
}

@Test func theKeysOfAPartitionStillDifferInTheBitsThatPlaceThem() {
    let hashes = (0..<64_000).map { number in withUnsafeBytes(of: number) { hash64($0) } }
    for partitions in [2, 16, 48] {
        let own = hashes.filter { shufflePartition($0, of: partitions) == partitions - 1 }
        #expect(abs(own.count * partitions - hashes.count) < hashes.count / 5, "\(own.count) of \(partitions)")
        // Low bits place a key in a table, the highest choose the table.
        #expect(Set(own.map { $0 & 63 }).count == 64)
        #expect(Set(own.map { $0 >> 58 }).count == 64)
    }
}
