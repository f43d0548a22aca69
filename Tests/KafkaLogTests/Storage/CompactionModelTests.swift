import Glibc
import KafkaLogStorage
import Seeded
import Synchronization
import Testing

/// A process that dies at one of its calls that change the disk: none after that does anything.
private final class Death: Sendable {
    private let left = Mutex<Int?>(nil)

    func come(after calls: Int?) { left.withLock { $0 = calls } }
    var hasCome: Bool { left.withLock { $0 == 0 } }

    private func check() throws(SystemError) {
        let isDead = left.withLock { left in
            guard let calls = left else { return false }
            if calls > 0 { left = calls - 1 }
            return calls == 0
        }
        if isDead { throw SystemError(code: EIO) }
    }

    var operations: FileOperations {
        let system = FileOperations.system
        var operations = system
        operations.write = { (descriptor, bytes, position) throws(SystemError) -> Int in
            do throws(SystemError) { try self.check() } catch {
                // Some of it may have got there.
                _ = try? system.write(descriptor, UnsafeRawBufferPointer(rebasing: bytes.prefix(bytes.count / 2)), position)
                throw error
            }
            return try system.write(descriptor, bytes, position)
        }
        operations.synchronize = { (descriptor) throws(SystemError) in try self.check(); try system.synchronize(descriptor) }
        operations.truncate = { (descriptor, length) throws(SystemError) in try self.check(); try system.truncate(descriptor, length) }
        operations.rename = { (old, new) throws(SystemError) in try self.check(); try system.rename(old, new) }
        operations.remove = { (path) throws(SystemError) in try self.check(); try system.remove(path) }
        operations.synchronizeDirectory = { (path) throws(SystemError) in try self.check(); try system.synchronizeDirectory(path) }
        return operations
    }
}

/// Everything that was ever appended, as it was.
private struct Model {
    struct Entry {
        let record: Record
        let producer: Int64
        let isTransactional: Bool
        /// nil: undecided.
        var isCommitted: Bool?
    }

    var entries: [Entry] = []
    /// Undecided transactions: producer and first offset.
    var open: [Int64: Int64] = [:]

    var lastStable: Int64? { open.values.min() }

    mutating func decide(_ producer: Int64, commit: Bool) {
        for index in entries.indices where entries[index].producer == producer && entries[index].isCommitted == nil {
            entries[index].isCommitted = commit
        }
        open[producer] = nil
    }

    /// What a table made of the topic holds: the newest committed value of each key, below `end`.
    func table(below end: Int64) -> [[UInt8]: Record] {
        var table: [[UInt8]: Record] = [:]
        for entry in entries where entry.isCommitted == true && entry.record.offset < end {
            table[entry.record.key!] = entry.record.value == nil ? nil : entry.record
        }
        return table
    }
}

private struct Writer {
    let id: Int64
    let isTransactional: Bool
    var sequence: Int32 = 0
    var last: (batch: [UInt8], offset: Int64)?
}

/// The cleaner against a plain list: random records, tombstones, producers and transactions, cleaned at random times, killed at any of the
/// cleaner's calls to the file system, opened again, with snapshots and indexes or without them.
@Test(arguments: 0..<40) func aCleanedLogIsTheLogWithoutWhatIsSuperseded(seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed))
    let temporary = TemporaryDirectory(inMemory: true)
    let clock = ManualClock()
    let memory = [24 * 8, 24 * 20, 1 << 20].randomElement(using: &random)!
    let death = Death()
    func open() throws -> TestLog {
        try TestLog(temporary.path, clock: clock, operations: death.operations, compactionMemory: memory) {
            $0.cleanupPolicy = .compact
            $0.segmentBytes = 1024
            $0.indexIntervalBytes = 150
            $0.minCleanableDirtyRatio = 0
            $0.deleteRetentionMilliseconds = 3_600_000
        }
    }
    var model = Model()
    var writers = [
        Writer(id: -1, isTransactional: false), Writer(id: 10, isTransactional: false), Writer(id: 20, isTransactional: true),
        Writer(id: 21, isTransactional: true), Writer(id: 22, isTransactional: true),
    ]
    var deaths = 0
    var log = try open()
    for round in 0..<12 {
        for _ in 0..<Int.random(in: 5..<40, using: &random) {
            clock.advance(Int64.random(in: 0..<5000, using: &random))
            let index = Int.random(in: 0..<writers.count, using: &random)
            let writer = writers[index]
            if writer.isTransactional, model.open[writer.id] != nil, Int.random(in: 0..<3, using: &random) == 0 {
                let commit = Bool.random(using: &random)
                _ = try log.partition.appendMarker(producerID: writer.id, producerEpoch: 0, commit: commit, coordinatorEpoch: 0)
                model.decide(writer.id, commit: commit)
                continue
            }
            let records = (0..<Int.random(in: 1...4, using: &random)).map { _ in
                Record(
                    timestamp: clock.milliseconds, key: [UInt8.random(in: 0..<9, using: &random)],
                    value: Int.random(in: 0..<5, using: &random) == 0
                        ? nil : (0..<Int.random(in: 0..<60, using: &random)).map { _ in UInt8.random(in: 97..<100, using: &random) })
            }
            var builder = RecordBatchBuilder(
                producerID: writer.id, producerEpoch: writer.id < 0 ? -1 : 0, baseSequence: writer.id < 0 ? -1 : writer.sequence,
                isTransactional: writer.isTransactional)
            builder.compression = RecordBatchHeader.Compression(rawValue: Int16.random(in: 0...4, using: &random))!
            let batch = builder.build(records)
            let result = try log.append(batch)
            #expect(!result.isDuplicate, "seed \(seed) round \(round)")
            writers[index].sequence += Int32(records.count)
            writers[index].last = (batch, result.baseOffset)
            if writer.isTransactional, model.open[writer.id] == nil { model.open[writer.id] = result.baseOffset }
            for (delta, record) in records.enumerated() {
                var record = record
                record.offset = result.baseOffset + Int64(delta)
                model.entries.append(
                    Model.Entry(
                        record: record, producer: writer.id, isTransactional: writer.isTransactional,
                        isCommitted: writer.isTransactional ? nil : true))
            }
        }
        try log.settle()
        if Int.random(in: 0..<4, using: &random) == 0 { clock.advance(4_000_000) }
        let isKilled = Bool.random(using: &random)
        if isKilled { death.come(after: Int.random(in: 0..<80, using: &random)) }
        _ = try log.clean()
        if death.hasCome { deaths += 1 }
        if isKilled || Int.random(in: 0..<4, using: &random) == 0 {
            let isClean = !isKilled && Bool.random(using: &random)
            if isClean { try log.directory.close() }
            // Let go of the directory before it is opened again.
            withExtendedLifetime(log) {}
            log = try reopen(&log, death, temporary, &random, isClean: isClean, open)
        }
        try check(log, model, seed: seed, round: round)
        // Idempotence survives: the last batch of each producer is known again, with its offset.
        for writer in writers where writer.id >= 0 {
            guard let last = writer.last, model.open[writer.id] != nil || !writer.isTransactional else { continue }
            let again = try log.append(last.batch)
            #expect(again.isDuplicate && again.baseOffset == last.offset, "seed \(seed) round \(round) producer \(writer.id)")
        }
    }
    // Without interruption everything below the point has its key only once, but for what is undecided.
    death.come(after: nil)
    for producer in model.open.keys.sorted() {
        _ = try log.partition.appendMarker(producerID: producer, producerEpoch: 0, commit: true, coordinatorEpoch: 0)
        model.decide(producer, commit: true)
    }
    try log.settle()
    #expect(try log.clean().allSatisfy { $0.failure == nil })
    try check(log, model, seed: seed, round: -1)
    let point = try log.partition.cleanerPoint
    let keys = try log.records(isolation: .readCommitted).filter { $0.offset < point }.map(\.key!)
    #expect(Set(keys).count == keys.count && point > 0, "seed \(seed)")
}

private func reopen(
    _ log: inout TestLog, _ death: Death, _ temporary: TemporaryDirectory, _ random: inout SplitMix64, isClean: Bool, _ open: () throws -> TestLog
) throws -> TestLog {
    let path = TestLog.partitionPath(temporary.path)
    // What is in memory goes with the process: only then may another open the directory.
    log = try TestLog(temporary.path + "-other-\(UInt64.random(in: 0...UInt64.max, using: &random))")
    let other = log.root
    defer { try? remove(other) }
    death.come(after: nil)
    for suffix in [".snapshot", ".index", ".timeindex", ".txnindex"] where Int.random(in: 0..<5, using: &random) == 0 {
        for name in try names(path) where name.hasSuffix(suffix) { try remove(path + "/" + name) }
    }
    return try open()
}

private func check(_ log: TestLog, _ model: Model, seed: Int, round: Int) throws {
    let partition = try log.partition
    #expect(partition.damage == nil, "seed \(seed) round \(round)")
    let stable = model.lastStable ?? partition.logEndOffset
    #expect(partition.lastStableOffset == stable, "seed \(seed) round \(round)")
    let originals = Dictionary(uniqueKeysWithValues: model.entries.map { ($0.record.offset, $0) })

    let committed = try log.records(isolation: .readCommitted, maxBytes: 700)
    #expect(committed.map(\.offset) == committed.map(\.offset).sorted(), "seed \(seed) round \(round)")
    #expect(Set(committed.map(\.offset)).count == committed.count)
    for record in committed {
        #expect(originals[record.offset]?.record == record, "seed \(seed) round \(round) offset \(record.offset)")
        #expect(originals[record.offset]?.isCommitted == true, "seed \(seed) round \(round) offset \(record.offset)")
    }
    // Reading the topic from its beginning makes the same table as reading all that was ever written.
    var table: [[UInt8]: Record] = [:]
    for record in committed { table[record.key!] = record.value == nil ? nil : record }
    #expect(table == model.table(below: stable), "seed \(seed) round \(round)")

    // Nothing undecided is missing, nor anything behind it.
    let all = Set(try log.records(isolation: .readUncommitted))
    for entry in model.entries where entry.record.offset >= stable {
        #expect(all.contains(entry.record), "seed \(seed) round \(round) offset \(entry.record.offset)")
    }
}
