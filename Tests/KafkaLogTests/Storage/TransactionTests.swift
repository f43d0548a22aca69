import KafkaLogStorage
import Seeded
import Testing

/// A plain list of what was appended, to compare the log with.
private struct Model {
    struct Entry {
        let producer: Int64
        let first: Int64
        let last: Int64
        let transactional: Bool
        var isMarker = false
        var isCommit = false
    }

    var entries: [Entry] = []
    var end: Int64 { entries.last.map { $0.last + 1 } ?? 0 }

    /// Transactions as (producer, first, marker offset or nil, committed).
    var transactions: [(producer: Int64, first: Int64, marker: Int64?, isCommit: Bool)] {
        var all: [(producer: Int64, first: Int64, marker: Int64?, isCommit: Bool)] = []
        for entry in entries where entry.transactional {
            let open = all.lastIndex { $0.producer == entry.producer && $0.marker == nil }
            if entry.isMarker {
                if let open { all[open] = (entry.producer, all[open].first, entry.first, entry.isCommit) }
            } else if open == nil {
                all.append((entry.producer, entry.first, nil, false))
            }
        }
        return all
    }

    func lastStable(highWatermark: Int64) -> Int64 {
        transactions.filter { $0.marker == nil || $0.marker! >= highWatermark }.map(\.first).min().map { min($0, highWatermark) } ?? highWatermark
    }

    /// The records (by offset) that a reader of committed ones must end up with from `start` on, below `end`.
    func committed(from start: Int64, to end: Int64) -> [Int64] {
        let aborted = transactions.filter { $0.marker != nil && !$0.isCommit }
        return entries.filter { !$0.isMarker }.flatMap { entry -> [Int64] in
            if entry.transactional,
                aborted.contains(where: { $0.producer == entry.producer && $0.first <= entry.first && entry.last < $0.marker! })
            {
                return []
            }
            return (entry.first...entry.last).filter { $0 >= start && $0 < end }
        }
    }
}

/// What a client makes of fetches: it drops the batches of aborted transactions as Kafka's consumer does.
private func readCommitted(_ log: TestLog, from start: Int64, maxBytes: Int) throws -> [Int64] {
    var offsets: [Int64] = []
    var next = start
    while true {
        let fetched = try log.partition.read(from: next, maxBytes: maxBytes, minimumOneBatch: true, isolation: .readCommitted)
        guard let region = fetched.region else { return offsets }
        var pending = fetched.abortedTransactions
        #expect(pending == pending.sorted { $0.firstOffset < $1.firstOffset })
        var dropped: Set<Int64> = []
        let bytes = try region.bytes()
        var position = 0
        for header in try headers(bytes) {
            while let first = pending.first, first.firstOffset <= header.lastOffset {
                dropped.insert(first.producerID)
                pending.removeFirst()
            }
            if header.isControl {
                let marker = try EndTransactionMarker(batch: Array(bytes[position..<position + header.totalSize]))
                if marker?.isCommit == false { dropped.remove(header.producerID) }
            } else if !(header.isTransactional && dropped.contains(header.producerID)) {
                offsets += (header.baseOffset...header.lastOffset).filter { $0 >= start }
            }
            position += header.totalSize
            next = header.nextOffset
        }
    }
}

@Test(arguments: 0..<12) func readersOfCommittedRecordsSeeExactlyThose(seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed))
    let temporary = TemporaryDirectory(inMemory: true)
    let configure: (inout LogConfiguration) -> Void = { $0.segmentBytes = 1200; $0.indexIntervalBytes = 100 }
    var log = try TestLog(temporary.path, configure: configure)
    var model = Model()
    var sequences: [Int64: Int32] = [:]
    for step in 0..<150 {
        let producer = Int64.random(in: 0..<5, using: &random)
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<12:
            let count = Int.random(in: 1...3, using: &random)
            // Producer 0 writes outside of transactions.
            let sequence = sequences[producer] ?? 0
            let result = try log.append(
                batch(Array(repeating: "x", count: count), producer: producer, epoch: 0, sequence: sequence, transactional: producer > 0))
            sequences[producer] = sequence + Int32(count)
            model.entries.append(
                .init(producer: producer, first: result.baseOffset, last: result.lastOffset, transactional: producer > 0))
        case 12..<16 where producer > 0:
            let isCommit = Bool.random(using: &random)
            let result = try log.partition.appendMarker(producerID: producer, producerEpoch: 0, commit: isCommit, coordinatorEpoch: 0)
            if !result.isDuplicate {
                model.entries.append(
                    .init(
                        producer: producer, first: result.baseOffset, last: result.lastOffset, transactional: true, isMarker: true,
                        isCommit: isCommit))
            }
        case 16..<18: try log.settle()
        case 18:
            // A crash, with or without an orderly end. What was appended is all in the page cache and stays.
            try log.settle()
            if Bool.random(using: &random) { try log.directory.checkpoint() }
            if Bool.random(using: &random) { try log.directory.close() }
            let root = log.root
            log = try TestLog(temporary.path + "/other")
            log = try TestLog(root, configure: configure)
        default: break
        }
        let partition = try log.partition
        #expect(partition.logEndOffset == model.end)
        #expect(partition.lastStableOffset == model.lastStable(highWatermark: partition.highWatermark), "seed \(seed) step \(step)")
        if step % 10 == 0 {
            let start = Int64.random(in: 0...max(0, partition.lastStableOffset), using: &random)
            let read = try readCommitted(log, from: start, maxBytes: Int.random(in: 1...2000, using: &random))
            #expect(read == model.committed(from: start, to: partition.lastStableOffset), "seed \(seed) step \(step) from \(start)")
        }
    }
}

@Test func aTransactionIsUndecidedUntilItsMarkerIsDurable() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path)
    let partition = try log.partition
    try log.append(batch(["before"]))
    try log.append(batch(["a"], producer: 1, epoch: 0, sequence: 0, transactional: true))
    try log.settle()
    #expect(partition.highWatermark == 2 && partition.lastStableOffset == 1)
    #expect(partition.ongoingTransactions.map(\.firstOffset) == [1])
    _ = try partition.appendMarker(producerID: 1, producerEpoch: 0, commit: true, coordinatorEpoch: 0)
    #expect(partition.lastStableOffset == 1)
    try log.settle()
    #expect(partition.highWatermark == 3 && partition.lastStableOffset == 3)
}

@Test func abortedTransactionsComeWithExactlyTheReadsThatTheyTouch() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path)
    let partition = try log.partition
    try log.append(batch(["a"], producer: 1, epoch: 0, sequence: 0, transactional: true))
    try log.append(batch(["b"], producer: 2, epoch: 0, sequence: 0, transactional: true))
    _ = try partition.appendMarker(producerID: 2, producerEpoch: 0, commit: false, coordinatorEpoch: 0)
    try log.append(batch(["c"], producer: 1, epoch: 0, sequence: 1, transactional: true))
    _ = try partition.appendMarker(producerID: 1, producerEpoch: 0, commit: false, coordinatorEpoch: 0)
    try log.append(batch(["d"]))
    try log.settle()
    func aborted(_ offset: Int64, maxBytes: Int) throws -> [AbortedTransaction] {
        try partition.read(from: offset, maxBytes: maxBytes, minimumOneBatch: true, isolation: .readCommitted).abortedTransactions
    }
    let one = AbortedTransaction(producerID: 1, firstOffset: 0)
    let two = AbortedTransaction(producerID: 2, firstOffset: 1)
    #expect(try aborted(0, maxBytes: 1000) == [one, two])
    #expect(try aborted(0, maxBytes: 1) == [one])
    #expect(try aborted(2, maxBytes: 1) == [one, two])
    #expect(try aborted(3, maxBytes: 1000) == [one])
    #expect(try aborted(5, maxBytes: 1000) == [])
    let all = try partition.read(from: 0, maxBytes: 1000, minimumOneBatch: true, isolation: .readUncommitted)
    #expect(all.abortedTransactions.isEmpty)
}
