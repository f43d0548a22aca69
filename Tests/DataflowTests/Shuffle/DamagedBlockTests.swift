import Batch
import Dataflow
import Seeded
import State
import Testing

/// Something that could happen to bytes: some are others, the end or a part is missing, there is more, or a part is there twice.
private func damaged(_ bytes: [UInt8], using random: inout SplitMix64) -> [UInt8] {
    var bytes = bytes
    for _ in 0...random.below(3) {
        let place = random.below(bytes.count)
        switch random.below(7) {
        case 0: bytes[place] ^= 1 << UInt8(random.below(8))
        case 1: bytes[place] = UInt8(random.below(256))
        case 2:
            let extreme: [UInt8] = [0, 0x7F, 0x80, 0xFF]
            for offset in 0..<min([4, 8, 16][random.below(3)], bytes.count - place) { bytes[place + offset] = extreme[random.below(4)] }
        case 3: bytes.removeLast(min(bytes.count - 1, random.below(40)))
        case 4: bytes.removeSubrange(place..<min(bytes.count, place + 1 + random.below(30)))
        case 5: bytes.append(contentsOf: (0..<random.below(40)).map { _ in UInt8(random.below(256)) })
        default: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 60)], at: random.below(bytes.count))
        }
        if bytes.isEmpty { return bytes }
    }
    return bytes
}

@Test func noDamageOfRowsDoesMoreThanToBeRefusedOrTaken() throws {
    var random = SplitMix64(seed: 31)
    let rows = randomRows(40, keys: 5, step: 5, disorder: 5, using: &random)
    var latest: Int64?
    var blocks = RowBlocks(schema: testSchema, by: [TestColumn.key], salt: 1, partitions: 1)
    blocks.append(batch(of: rows, latest: &latest, outOfOrderness: 0))
    let block = blocks.take(partition: 0)[0].bytes
    var refused = 0
    var byFlag = definition(.session(gap: 10, max: nil))
    byFlag.groupBy = [TestColumn.key, TestColumn.flag]
    var batch = Batch(schema: testSchema)
    for length in 0..<block.count {
        #expect(!block[..<length].withUnsafeBytes { RowBlocks.decode($0, schema: testSchema, watermark: 0, into: &batch) })
    }
    for _ in 0..<20_000 {
        batch.removeAll()
        let bytes = damaged(block, using: &random)
        guard bytes.withUnsafeBytes({ RowBlocks.decode($0, schema: testSchema, watermark: .min, into: &batch) }) else {
            refused += 1
            continue
        }
        // What is taken can be used.
        var again = RowBlocks(schema: testSchema, by: [TestColumn.text, TestColumn.flag], salt: 1, partitions: 3)
        again.append(batch)
        let window = try #require(WindowOperator(byFlag, testNamespaces))
        var fates = RowFates(rowCount: batch.rowCount)
        try window.process(batch, fates: &fates)
        #expect(fates.count(.aggregated) == batch.rowCount)
        var closed = Batch(schema: window.output)
        try window.flush(into: &closed)
        _ = values(of: closed)
    }
    #expect(refused > 5000 && refused < 20_000, "\(refused) of 20000 were refused")
}

@Test(arguments: [WindowDefinition.Kind.session(gap: 20, max: nil), .tumbling(size: 20)])
func noDamageOfWindowsDoesMoreThanToBeRefusedOrTaken(kind: WindowDefinition.Kind) throws {
    var random = SplitMix64(seed: 37)
    var plain = definition(kind)
    plain.groupBy = [TestColumn.key, TestColumn.flag, TestColumn.price]
    var partial = plain
    partial.isPartial = true
    let above = try #require(WindowOperator(partial, testNamespaces))
    let rows = randomRows(60, keys: 2, step: 5, disorder: 5, using: &random)
    var latest: Int64?
    var fates = RowFates(rowCount: rows.count)
    try above.process(batch(of: rows, latest: &latest, outOfOrderness: 1 << 40), fates: &fates)
    let block = above.takePartials(partitions: 1)[0][0].bytes
    var refused = 0
    for round in 0..<4000 {
        let window = try #require(WindowOperator(plain, testNamespaces))
        var closed = Batch(schema: window.output)
        for bytes in [block, damaged(block, using: &random), block] {
            do { try merge(bytes, into: window) } catch { refused += 1 }
        }
        try window.advance(to: Int64(random.below(200)), into: &closed)
        var changes = ChangeSet()
        window.freeze(epoch: round, into: &changes)
        try window.flush(into: &closed)
        _ = values(of: closed)
    }
    #expect(refused > 1000 && refused < 4000, "\(refused) of 4000 were refused")
}
