import Foundation
import KafkaLogStorage
import Seeded
import Testing

/// A directory with everything that a broker keeps: a topic with transactions, a cleaned one, a journal. What was acknowledged is known.
private final class Sample {
    struct Batch: Equatable {
        let offset: Int64
        let bytes: [UInt8]
    }

    let temporary = TemporaryDirectory(inMemory: true)
    var batches: [TopicPartition: [Batch]] = [:]
    var committed: [TopicPartition: [Record]] = [:]
    var journal: [[JournalEntry]] = []

    static let names = [TestLog.name, TopicPartition("c", 0)]

    static func open(_ path: String) throws -> TestLog {
        try TestLog(path) {
            $0.segmentBytes = 1500
            $0.indexIntervalBytes = 200
        }
    }

    init(isClean: Bool, random: inout SplitMix64) throws {
        let log = try Self.open(temporary.path)
        let directory = log.directory
        try directory.createTopic(
            "c", partitions: 1, overrides: ["cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0", "segment.bytes": "1500"])
        let journalFile = try directory.journal("coordinators") { _ in }
        var sequences: [Int64: Int32] = [:]
        for index in 0..<60 {
            let producer = Int64(index % 3)
            let count = Int.random(in: 1...4, using: &random)
            var builder = RecordBatchBuilder(
                producerID: producer, producerEpoch: 0, baseSequence: sequences[producer, default: 0], isTransactional: producer == 2)
            builder.compression = index % 5 == 0 ? .zstd : .none
            var batch = builder.build(
                (0..<count).map { Record(timestamp: Int64(index), key: [UInt8(index % 7)], value: [UInt8](repeating: UInt8($0), count: 40)) })
            sequences[producer, default: 0] += Int32(count)
            for name in Self.names {
                let partition = try directory.partition(name)
                _ = try batch.withUnsafeMutableBytes { try partition.append($0) }
                if producer == 2, index % 2 == 0 {
                    _ = try partition.appendMarker(producerID: 2, producerEpoch: 0, commit: index % 4 == 0, coordinatorEpoch: 0)
                }
            }
            journal.append([JournalEntry(key: [UInt8(index % 5)], value: index % 11 == 0 ? nil : [UInt8](repeating: UInt8(index), count: index))])
            _ = try journalFile.append(journal[index])
            if index == 40 {
                try Self.settle(log)
                _ = try log.clean()
                if Bool.random(using: &random) { _ = try directory.deleteRecords(TestLog.name, before: 30) }
                try directory.checkpoint()
            }
        }
        for name in Self.names { _ = try directory.partition(name).appendMarker(producerID: 2, producerEpoch: 0, commit: true, coordinatorEpoch: 0) }
        try Self.settle(log)
        for name in Self.names {
            batches[name] = try Self.read(directory.partition(name)).batches
            committed[name] = try Self.committed(log, name)
        }
        if isClean { try directory.close() }
    }

    private static func settle(_ log: TestLog) throws {
        log.directory.requestSync()
        while try names.contains(where: { name in
            let partition = try log.directory.partition(name)
            return partition.highWatermark < partition.logEndOffset
        }) {
            _ = try log.nextCompletions()
        }
    }

    /// All batches from the log start on that a client would take, and whether something told it that there should be more.
    static func read(_ partition: PartitionLog) throws -> (batches: [Batch], isWarned: Bool) {
        var batches: [Batch] = []
        var next = partition.logStartOffset
        while true {
            let region: FileRegion?
            do {
                region = try partition.read(from: next, maxBytes: 400, minimumOneBatch: true, isolation: .readUncommitted).region
            } catch {
                #expect(error.code == .storageError)
                return (batches, true)
            }
            guard let region else { return (batches, partition.damage != nil) }
            let bytes = try region.bytes()
            var position = 0
            do {
                for header in try headers(bytes) {
                    let batch = Array(bytes[position..<position + header.totalSize])
                    guard batch.withUnsafeBytes({ header.checksumMatches($0) }) else { return (batches, true) }
                    batches.append(Batch(offset: header.baseOffset, bytes: batch))
                    position += header.totalSize
                    next = header.nextOffset
                }
            } catch is StorageError {
                return (batches, true)
            }
        }
    }

    static func committed(_ log: TestLog, _ name: TopicPartition) throws -> [Record] {
        try log.records(of: name, isolation: .readCommitted, maxBytes: 400)
    }
}

private enum Harm: CaseIterable {
    case cut, flipped, extended, removed

    /// Returns the first byte that is not what it was.
    func apply(_ path: String, _ random: inout SplitMix64) throws -> Int {
        var bytes = try contents(path)
        switch self {
        case .cut:
            let length = Int.random(in: 0..<max(1, bytes.count), using: &random)
            try write(Array(bytes.prefix(length)), to: path)
            return length
        case .flipped:
            guard !bytes.isEmpty else { return 0 }
            let bit = Int.random(in: 0..<bytes.count * 8, using: &random)
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            try write(bytes, to: path)
            return bit / 8
        case .extended:
            let tail = (0..<Int.random(in: 1...200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            try write(bytes + (Bool.random(using: &random) ? tail : tail.map { _ in 0 }), to: path)
            return bytes.count
        case .removed:
            try remove(path)
            return 0
        }
    }
}

/// Any file of the directory, harmed in any way at any place: what is before the damage is there, and what is not there is told of.
@Test(arguments: 0..<160) func damageCostsNothingBeforeItAndIsTold(seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed))
    let isClean = Bool.random(using: &random)
    let sample = try Sample(isClean: isClean, random: &random)
    let root = sample.temporary.path + "/log"
    let files = try FileManager.default.subpathsOfDirectory(atPath: root).filter { name in
        var isDirectory: ObjCBool = false
        _ = FileManager.default.fileExists(atPath: root + "/" + name, isDirectory: &isDirectory)
        return !isDirectory.boolValue && name != "lock"
    }.sorted()
    // Every kind of file as often as any other, however many there are of it.
    let kinds = Dictionary(grouping: files) { $0.contains(".") ? String($0.split(separator: ".").last!) : $0 }
    let kind = kinds.keys.sorted()[seed % kinds.count]
    let file = kinds[kind]!.randomElement(using: &random)!
    let harm = Harm.allCases[(seed / kinds.count) % 4]
    let position = try harm.apply(root + "/" + file, &random)
    let what: Comment = "seed \(seed): \(file) \(harm) at \(position), \(isClean ? "clean" : "killed")"

    let log: TestLog
    do {
        log = try Sample.open(sample.temporary.path)
    } catch let error as StorageError {
        // What says which topics there are cannot be guessed.
        #expect(["topics.meta", "cluster.meta", "checkpoints"].contains(file), what)
        #expect(error.message.contains(file), "\(what) \(error)")
        return
    }
    try checkJournal(log, sample, file, what)
    for name in Sample.names {
        let isAbout = file.hasPrefix("topics/\(name)/")
        let partition: PartitionLog
        do {
            partition = try log.directory.partition(name)
        } catch {
            #expect(isAbout && error.code == .storageError, "\(what) \(error)")
            continue
        }
        let expected = sample.batches[name]!
        let (found, isWarned) = try Sample.read(partition)
        let told = log.directory.drainRecoveryEvents().contains { ($0.kind != .rebuilt) && $0.path.hasSuffix(file) } || isWarned || partition.damage != nil
        // A base offset is outside of the checksum; where the cleaner has been, no neighbour gives a wrong one away.
        if isAbout, harm == .flipped, name.topic == "c", kind == "log", found.count == expected.count { continue }
        if file == "checkpoints" {
            // Where the log begins is not known any more: what was deleted and not yet removed is there again.
            #expect(found.suffix(expected.count) == expected[...], what)
            continue
        }
        #expect(found == Array(expected.prefix(found.count)), what)
        guard isAbout, kind == "log" else {
            // Indexes, snapshots and the like can be made again: nothing at all is missing.
            #expect(found.count == expected.count && partition.damage == nil, what)
            #expect(try Sample.committed(log, name) == sample.committed[name], what)
            continue
        }
        if found.count < expected.count { #expect(told, what) }
        // Batches in segments before this one, and in this one before the damage.
        let base = Int64(file.split(separator: "/").last!.prefix(20))!
        var before = expected.filter { $0.offset < base }.count
        var size = 0
        for batch in expected where batch.offset >= base {
            size += batch.bytes.count
            if size > position { break }
            before += 1
        }
        // With the log start in the middle of a segment what is missing of it cannot be seen here.
        if partition.logStartOffset == 0 || name.topic == "c" { #expect(found.count >= before, what) }
    }
}

private func checkJournal(_ log: TestLog, _ sample: Sample, _ file: String, _ what: Comment) throws {
    let isAbout = file.hasPrefix("journals/")
    var restored: [JournalEntry] = []
    do {
        _ = try log.directory.journal("coordinators") { restored.append($0) }
    } catch {
        #expect(isAbout && error.code == .storageError && error.message.contains("coordinators"), "\(what) \(error)")
        return
    }
    var states: [[[UInt8]: [UInt8]]] = [[:]]
    for append in sample.journal {
        var state = states.last!
        for entry in append { state[entry.key] = entry.value }
        states.append(state)
    }
    let state = Dictionary(uniqueKeysWithValues: restored.map { ($0.key, $0.value!) })
    if state == states.last! { return }
    // All appends up to one of them, and nothing of those behind it.
    #expect(isAbout && states.contains(state), what)
    #expect(log.directory.drainRecoveryEvents().contains { $0.kind == .truncated && $0.path.hasSuffix(file) }, what)
}
