import KafkaLogStorage
import Seeded
import Testing

/// Five batches in one segment, never closed in order: what a crash leaves. Returns the segment's bytes and where each batch begins.
private func crashed(_ path: String, checkpoint: Bool = false) throws -> (bytes: [UInt8], starts: [Int], offsets: [Int64]) {
    let log = try TestLog(path) { $0.indexIntervalBytes = 100 }
    var starts: [Int] = []
    var offsets: [Int64] = []
    var size = 0
    for index in 0..<5 {
        let batch = batch(Array(repeating: "value \(index)", count: index + 1), producer: 7, epoch: 0, sequence: Int32(index * (index + 1) / 2))
        starts.append(size)
        offsets.append(try log.append(batch).baseOffset)
        size += batch.count
    }
    try log.settle()
    if checkpoint { try log.directory.checkpoint() }
    return (try contents(TestLog.segmentPath(path, 0)), starts, offsets)
}

@Test func everyTornTailIsCutAndAllBeforeItKept() throws {
    let temporary = TemporaryDirectory(inMemory: true)
    let (bytes, starts, offsets) = try crashed(temporary.path)
    for length in 0..<bytes.count {
        try write(Array(bytes.prefix(length)), to: TestLog.segmentPath(temporary.path, 0))
        let log = try TestLog(temporary.path)
        let whole = starts.lastIndex { $0 <= length } ?? 0
        #expect(try log.partition.logEndOffset == offsets[whole], "cut at \(length)")
        #expect(try log.readAll() == Array(bytes.prefix(starts[whole])))
        let events = log.directory.drainRecoveryEvents().filter { $0.kind == .truncated }
        #expect(events.count == (length == starts[whole] ? 0 : 1))
        if let event = events.first {
            #expect(event.position == Int64(starts[whole]) && event.offset == offsets[whole] && event.bytes == Int64(length - starts[whole]))
        }
        // It goes on where it was cut, and the producer goes on with it.
        let sequence = Int32(whole * (whole + 1) / 2)
        #expect(try log.append(batch(["again"], producer: 7, epoch: 0, sequence: sequence)).baseOffset == offsets[whole])
    }
}

@Test func zerosAndGarbageBehindTheLastBatchAreCut() throws {
    let temporary = TemporaryDirectory()
    let (bytes, _, _) = try crashed(temporary.path)
    var random = SplitMix64(seed: 21)
    let tails: [[UInt8]] = [
        [0], Array(repeating: 0, count: 61), Array(repeating: 0, count: 100_000), Array(repeating: 0xff, count: 70),
        (0..<5000).map { _ in UInt8.random(in: 0...255, using: &random) },
        // The beginning of a batch that follows, and one of a length that lies.
        Array(placed(batch(["torn"]), at: 15).dropLast()),
        Array(bytes.prefix(8)) + [0x7f, 0xff, 0xff, 0xff] + Array(bytes[12..<61]),
    ]
    for tail in tails {
        try write(bytes + tail, to: TestLog.segmentPath(temporary.path, 0))
        let log = try TestLog(temporary.path)
        #expect(try log.readAll() == bytes)
        #expect(log.directory.drainRecoveryEvents().filter { $0.kind == .truncated }.map(\.bytes) == [Int64(tail.count)])
        #expect(try contents(TestLog.segmentPath(temporary.path, 0)) == bytes)
    }
}

@Test func aFlippedBitInTheMiddleIsDamageThatIsReportedAndLeftAlone() throws {
    let temporary = TemporaryDirectory(inMemory: true)
    let (bytes, starts, offsets) = try crashed(temporary.path)
    let path = TestLog.segmentPath(temporary.path, 0)
    // Every bit of the header of a batch in the middle, and some of its records.
    let positions = (starts[2]..<starts[2] + 61).flatMap { byte in (0..<8).map { byte * 8 + $0 } }
        + stride(from: (starts[2] + 61) * 8, to: starts[3] * 8, by: 13)
    for bit in positions {
        var flipped = bytes
        flipped[bit / 8] ^= 1 << UInt8(bit % 8)
        try write(flipped, to: path)
        let log = try TestLog(temporary.path)
        let partition = try log.partition
        #expect(partition.damage?.code == .storageError, "bit \(bit)")
        let event = log.directory.drainRecoveryEvents().first { $0.kind == .damaged }
        #expect(event?.path == path && event?.position == Int64(starts[2]) && event?.offset == offsets[2])
        #expect(code { try log.append(batch(["more"])) } == .storageError)
        // What is before the damage can be read; a reader is not told that it is at the end, or out of range.
        let first = try partition.read(from: 0, maxBytes: 1 << 20, minimumOneBatch: true, isolation: .readUncommitted)
        #expect(try first.region?.bytes() == Array(bytes.prefix(starts[2])))
        for offset in [offsets[2], offsets[4]] {
            #expect(code { _ = try partition.read(from: offset, maxBytes: 1, minimumOneBatch: true, isolation: .readUncommitted) } == .storageError)
        }
        try log.directory.close()
        #expect(try contents(path) == flipped)
    }
    // An orderly end in between does not hide it, and once repaired it is gone.
    let again = try TestLog(temporary.path)
    #expect(try again.partition.damage != nil)
    try again.directory.close()
    try write(bytes, to: path)
    let repaired = try TestLog(temporary.path)
    #expect(try repaired.partition.damage == nil && repaired.readAll() == bytes)
}

@Test func aFlippedBitInTheLastBatchKeepsAllBeforeIt() throws {
    let temporary = TemporaryDirectory(inMemory: true)
    let (bytes, starts, offsets) = try crashed(temporary.path)
    for bit in stride(from: starts[4] * 8, to: bytes.count * 8, by: 7) {
        var flipped = bytes
        flipped[bit / 8] ^= 1 << UInt8(bit % 8)
        try write(flipped, to: TestLog.segmentPath(temporary.path, 0))
        let log = try TestLog(temporary.path)
        #expect(try log.partition.logEndOffset == offsets[4], "bit \(bit)")
        let first = try log.partition.read(from: 0, maxBytes: 1 << 20, minimumOneBatch: true, isolation: .readUncommitted)
        #expect(try first.region?.bytes() == Array(bytes.prefix(starts[4])))
    }
}

@Test func whatIsMissingBelowTheRecoveryPointIsDamage() throws {
    let temporary = TemporaryDirectory()
    let (bytes, starts, offsets) = try crashed(temporary.path, checkpoint: true)
    for length in [0, starts[1], starts[4], bytes.count - 1] {
        let copied = TemporaryDirectory()
        try copy(temporary.path, to: copied.path)
        try write(Array(bytes.prefix(length)), to: TestLog.segmentPath(copied.path, 0))
        let log = try TestLog(copied.path)
        let whole = starts.lastIndex { $0 <= length } ?? 0
        #expect(try log.partition.damage != nil && log.partition.logEndOffset == offsets[whole], "cut at \(length)")
        #expect(try contents(TestLog.segmentPath(copied.path, 0)).count == length)
    }
    let copied = TemporaryDirectory()
    try copy(temporary.path, to: copied.path)
    try remove(TestLog.segmentPath(copied.path, 0))
    #expect(code { _ = try TestLog(copied.path).partition } == .storageError)
}

@Test func damageInOnePartitionDoesNotHarmAnother() throws {
    let temporary = TemporaryDirectory()
    let (bytes, starts, _) = try crashed(temporary.path)
    var flipped = bytes
    flipped[starts[1] + 70] ^= 1
    try write(flipped, to: TestLog.segmentPath(temporary.path, 0))
    let log = try TestLog(temporary.path)
    #expect(try log.partition.damage != nil)
    try log.directory.createTopic("other", partitions: 1)
    var batch = batch(["fine"])
    let other = try log.directory.partition(TopicPartition("other", 0))
    #expect(try batch.withUnsafeMutableBytes { try other.append($0) }.baseOffset == 0)
}

@Test func aTornSegmentThatIsNotTheLastIsCutOnlyWhenNothingFollows() throws {
    let temporary = TemporaryDirectory()
    do {
        let log = try TestLog(temporary.path) { $0.segmentBytes = 1024 }
        for index in 0..<40 { try log.append(batch(["value \(index)", "more"])) }
        try log.settle()
    }
    let bases = try names(TestLog.partitionPath(temporary.path)).filter { $0.hasSuffix(".log") }.compactMap { Int64($0.dropLast(4)) }.sorted()
    try #require(bases.count >= 3)
    let before = try contents(TestLog.segmentPath(temporary.path, bases[0]))
    let copied = TemporaryDirectory()
    try copy(temporary.path, to: copied.path)
    try write(Array(before.dropLast()), to: TestLog.segmentPath(copied.path, bases[0]))
    #expect(try TestLog(copied.path).partition.damage != nil)
    for base in bases[1...] { try write([0, 0, 0], to: TestLog.segmentPath(copied.path, base)) }
    let log = try TestLog(copied.path)
    #expect(try log.partition.damage == nil && log.partition.logEndOffset == bases[1] - 2)
    try log.append(batch(["goes on"]))
    try log.settle()
    #expect(try headers(log.readAll()).last?.baseOffset == bases[1] - 2)
}

@Test func indexesThatAreMissingStaleOrWrongAreMadeAgain() throws {
    let temporary = TemporaryDirectory(inMemory: true)
    var expected: [UInt8] = []
    do {
        let log = try TestLog(temporary.path) { $0.segmentBytes = 3000; $0.indexIntervalBytes = 150 }
        for index in 0..<150 {
            let batch = batch(["value \(index)"], timestamp: Int64(1000 + index * 10))
            expected += placed(batch, at: try log.append(batch).baseOffset)
        }
        try log.settle()
        try log.directory.close()
    }
    var random = SplitMix64(seed: 5)
    let harms: [(String, ([UInt8]) -> [UInt8]?)] = [
        ("missing", { _ in nil }),
        ("empty", { _ in [] }),
        ("cut", { Array($0.dropLast(3)) }),
        ("stale", { Array($0.prefix(16)) }),
        ("ahead", { $0 + [0x00, 0x7f, 0, 0, 0x7f, 0xff, 0xff, 0xf0] + [0, 0, 0, 0] + Array(repeating: 0, count: 12) }),
        ("zeros", { Array(repeating: 0, count: $0.count) }),
        ("noise", { $0.map { _ in UInt8.random(in: 0...255, using: &random) } }),
        ("shifted", { bytes in var bytes = bytes; bytes.swapAt(7, bytes.count - 1); return bytes }),
    ]
    for suffixes in [[".index"], [".timeindex"], [".index", ".timeindex"], [".txnindex"]] {
        for (what, harm) in harms {
            for isClean in [true, false] {
                let copied = TemporaryDirectory(inMemory: true)
                try copy(temporary.path, to: copied.path)
                let path = TestLog.partitionPath(copied.path)
                for name in try names(path) where suffixes.contains(where: { name.hasSuffix($0) }) {
                    if let bytes = harm(try contents(path + "/" + name)) {
                        try write(bytes, to: path + "/" + name)
                    } else {
                        try remove(path + "/" + name)
                    }
                }
                if !isClean { _ = try TestLog(copied.path) }
                let log = try TestLog(copied.path) { $0.segmentBytes = 3000; $0.indexIntervalBytes = 150 }
                #expect(try log.readAll() == expected, "\(suffixes) \(what)")
                for offset in stride(from: Int64(0), to: 150, by: 7) {
                    let found = try log.partition.read(from: offset, maxBytes: 1, minimumOneBatch: true, isolation: .readUncommitted)
                    #expect(try headers(found.region?.bytes() ?? []).first?.baseOffset == offset, "\(suffixes) \(what)")
                    if !suffixes.contains(".timeindex") {
                        #expect(try log.partition.offset(atOrAfter: 1000 + offset * 10, isolation: .readUncommitted)?.offset == offset)
                    }
                }
                #expect(try log.partition.damage == nil)
            }
        }
    }
}

/// A power cut leaves what fsync has covered, and of the rest a prefix, which may go on as zeros.
@Test(arguments: 0..<20) func whatWasAcknowledgedSurvivesPowerCuts(seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed))
    let temporary = TemporaryDirectory(inMemory: true)
    let path = TestLog.segmentPath(temporary.path, 0)
    var written: [UInt8] = []
    var sequence: Int32 = 0
    for _ in 0..<8 {
        var durable = 0
        var acknowledged: Int64 = 0
        do {
            let log = try TestLog(temporary.path)
            let partition = try log.partition
            #expect(partition.damage == nil, "seed \(seed)")
            acknowledged = partition.highWatermark
            durable = written.count
            for _ in 0..<Int.random(in: 0..<12, using: &random) {
                let batch = batch(["value \(sequence)"], producer: 3, epoch: 0, sequence: sequence)
                written += placed(batch, at: try log.append(batch).baseOffset)
                sequence += 1
                guard Int.random(in: 0..<3, using: &random) == 0 else { continue }
                try log.settle()
                (acknowledged, durable) = (partition.highWatermark, written.count)
                if Bool.random(using: &random) { try log.directory.checkpoint() }
            }
        }
        let kept = Int.random(in: durable...written.count, using: &random)
        let zeros = kept < written.count ? Int.random(in: 0...5000, using: &random) : 0
        try write(Array(written.prefix(kept)) + Array(repeating: 0, count: zeros), to: path)

        let log = try TestLog(temporary.path)
        let end = try log.partition.logEndOffset
        #expect(try log.partition.damage == nil && end >= acknowledged, "seed \(seed)")
        let found = try log.readAll()
        #expect(found.count >= durable && written.starts(with: found), "seed \(seed)")
        written = found
        // The producer repeats what it has no answer for, and is answered exactly once.
        sequence = Int32(end)
        if end > 0 {
            let again = try log.append(batch(["value \(end - 1)"], producer: 3, epoch: 0, sequence: sequence - 1))
            #expect(again.isDuplicate && again.baseOffset == end - 1, "seed \(seed)")
        }
    }
}
