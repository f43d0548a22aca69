import KafkaLogStorage
import Seeded
import Testing

private struct Sent {
    var producer: Int64 = 7
    var epoch: Int16 = 0
    var sequence: Int32
    var count = 1
    var transactional = false
}

extension TestLog {
    fileprivate func send(_ sent: Sent) throws -> AppendResult {
        try append(
            batch(
                Array(repeating: "v", count: sent.count), producer: sent.producer, epoch: sent.epoch, sequence: sent.sequence,
                transactional: sent.transactional))
    }

    fileprivate func refusal(_ sent: Sent) -> StorageError.Code? { code { _ = try send(sent) } }
}

@Test func aRepeatWithinTheLastFiveBatchesGetsItsFirstOffset() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path)
    for index in Int32(0)..<8 { _ = try log.send(Sent(sequence: index * 3, count: 3)) }
    for index in Int32(3)..<8 {
        let again = try log.send(Sent(sequence: index * 3, count: 3))
        #expect(again.isDuplicate && again.baseOffset == Int64(index) * 3 && again.lastOffset == Int64(index) * 3 + 2)
    }
    #expect(try log.partition.logEndOffset == 24)
    for index in Int32(0)..<3 { #expect(log.refusal(Sent(sequence: index * 3, count: 3)) == .duplicateSequenceNumber) }
    #expect(try log.partition.logEndOffset == 24)
    #expect(try !log.send(Sent(sequence: 24)).isDuplicate)
}

@Test func aRepeatIsNotAcknowledgedBeforeTheFirstIsDurable() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path)
    let first = try log.send(Sent(sequence: 0, count: 2))
    let again = try log.send(Sent(sequence: 0, count: 2))
    #expect(again.isDuplicate && again.acknowledgedAt == first.acknowledgedAt)
    #expect(try log.partition.highWatermark < again.acknowledgedAt)
    try log.settle()
    #expect(try log.partition.highWatermark == again.acknowledgedAt)
}

@Test func gapsAndOverlapsAreOutOfOrder() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path)
    _ = try log.send(Sent(sequence: 0, count: 5))
    #expect(log.refusal(Sent(sequence: 6)) == .outOfOrderSequenceNumber, "a gap")
    #expect(log.refusal(Sent(sequence: 4, count: 2)) == .outOfOrderSequenceNumber, "half of it is new")
    #expect(log.refusal(Sent(sequence: 0, count: 4)) == .outOfOrderSequenceNumber, "another cut than before")
    #expect(try !log.send(Sent(sequence: 5)).isDuplicate)
}

@Test func aProducerThatIsNotKnownMayBeginAnywhere() throws {
    let temporary = TemporaryDirectory()
    let clock = ManualClock()
    let log = try TestLog(temporary.path, clock: clock)
    _ = try log.send(Sent(sequence: 123))
    #expect(log.refusal(Sent(sequence: 125)) == .outOfOrderSequenceNumber)
    _ = try log.send(Sent(sequence: 124))
    // Forgotten after a day of silence, not before.
    clock.advance(86_400_000)
    try log.partition.expireProducers(after: 86_400_000)
    #expect(log.refusal(Sent(sequence: 500)) == .outOfOrderSequenceNumber)
    clock.advance(1)
    try log.partition.expireProducers(after: 86_400_000)
    #expect(try log.partition.producerCount == 0)
    _ = try log.send(Sent(sequence: 500))
}

@Test func recordsAboutThePastDoNotMakeTheirProducerForgotten() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path)
    try log.append(batch(["old"], timestamp: 1000, producer: 7, epoch: 0, sequence: 0))
    try log.partition.expireProducers(after: 86_400_000)
    #expect(try log.send(Sent(sequence: 1)).baseOffset == 1)
    #expect(log.refusal(Sent(sequence: 9)) == .outOfOrderSequenceNumber)
}

@Test func sequencesGoOnAtZeroAfterTheLargest() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path)
    _ = try log.send(Sent(sequence: .max - 4, count: 3))
    _ = try log.send(Sent(sequence: .max - 1, count: 4))
    #expect(log.refusal(Sent(sequence: 1)) == .outOfOrderSequenceNumber)
    #expect(log.refusal(Sent(sequence: 3)) == .outOfOrderSequenceNumber)
    let again = try log.send(Sent(sequence: .max - 1, count: 4))
    #expect(again.isDuplicate && again.baseOffset == 3)
    #expect(try log.send(Sent(sequence: 2)).baseOffset == 7)
    _ = try log.send(Sent(sequence: 3))
    _ = try log.send(Sent(sequence: 4))
    _ = try log.send(Sent(sequence: 5))
    #expect(log.refusal(Sent(sequence: .max - 4, count: 3)) == .duplicateSequenceNumber, "old, across the wrap")
    _ = try log.send(Sent(sequence: 6))
    #expect(log.refusal(Sent(sequence: .max - 1, count: 4)) == .duplicateSequenceNumber)
    #expect(log.refusal(Sent(sequence: 20)) == .outOfOrderSequenceNumber)
}

@Test func exactlyTheLargestSequenceIsFollowedByZero() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path)
    _ = try log.send(Sent(sequence: .max))
    #expect(log.refusal(Sent(sequence: 1)) == .outOfOrderSequenceNumber)
    #expect(try log.send(Sent(sequence: 0)).baseOffset == 1)
}

@Test func epochsFence() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path)
    _ = try log.send(Sent(epoch: 4, sequence: 0))
    #expect(log.refusal(Sent(epoch: 3, sequence: 1)) == .invalidProducerEpoch)
    #expect(log.refusal(Sent(epoch: 3, sequence: 0)) == .invalidProducerEpoch, "not even as a repeat")
    #expect(log.refusal(Sent(epoch: 5, sequence: 1)) == .outOfOrderSequenceNumber, "a new epoch begins at 0")
    #expect(try !log.send(Sent(epoch: 5, sequence: 0)).isDuplicate)
    #expect(log.refusal(Sent(epoch: 4, sequence: 1)) == .invalidProducerEpoch)
    _ = try log.send(Sent(epoch: .max, sequence: 0))
    #expect(log.refusal(Sent(epoch: 5, sequence: 1)) == .invalidProducerEpoch)
}

@Test func aMarkerFencesTheEpochsBeforeIt() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path)
    _ = try log.send(Sent(epoch: 1, sequence: 0, transactional: true))
    let partition = try log.partition
    let marker = try partition.appendMarker(producerID: 7, producerEpoch: 2, commit: false, coordinatorEpoch: 0)
    #expect(marker.baseOffset == 1 && !marker.isDuplicate)
    #expect(log.refusal(Sent(epoch: 1, sequence: 1, transactional: true)) == .invalidProducerEpoch)
    #expect(log.refusal(Sent(epoch: 2, sequence: 1, transactional: true)) == .outOfOrderSequenceNumber)
    _ = try log.send(Sent(epoch: 2, sequence: 0, transactional: true))
    #expect(code { _ = try partition.appendMarker(producerID: 7, producerEpoch: 1, commit: true, coordinatorEpoch: 0) } == .invalidProducerEpoch)
    #expect(code { _ = try partition.appendMarker(producerID: 7, producerEpoch: 2, commit: true, coordinatorEpoch: -1) } == .transactionCoordinatorFenced)
}

@Test func aMarkerThatIsAskedForAgainIsNotWrittenAgain() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path)
    _ = try log.send(Sent(sequence: 0, transactional: true))
    let partition = try log.partition
    let first = try partition.appendMarker(producerID: 7, producerEpoch: 0, commit: true, coordinatorEpoch: 0)
    let again = try partition.appendMarker(producerID: 7, producerEpoch: 0, commit: true, coordinatorEpoch: 0)
    #expect(again.isDuplicate && again.acknowledgedAt == first.acknowledgedAt && partition.logEndOffset == 2)
    #expect(partition.highWatermark < again.acknowledgedAt)
}

/// librdkafka gives the sequence numbers of records that it gave up in flight to those of its next transaction.
@Test(arguments: [false, true]) func aBatchIsNoRepeatOfOneInAnEarlierTransaction(restarts: Bool) throws {
    let temporary = TemporaryDirectory()
    var log = try TestLog(temporary.path)
    _ = try log.send(Sent(sequence: 0, transactional: true))
    _ = try log.send(Sent(sequence: 1, count: 2, transactional: true))
    _ = try log.partition.appendMarker(producerID: 7, producerEpoch: 0, commit: false, coordinatorEpoch: 0)
    if restarts {
        try log.directory.close()
        log = try TestLog(temporary.path)
    }
    #expect(log.refusal(Sent(sequence: 1, count: 2, transactional: true)) == .outOfOrderSequenceNumber)
    #expect(log.refusal(Sent(sequence: 0, transactional: true)) == .outOfOrderSequenceNumber)
    #expect(try log.send(Sent(sequence: 3, transactional: true)).baseOffset == 4)
    #expect(try log.send(Sent(sequence: 3, transactional: true)).isDuplicate, "a repeat within the transaction is one")
}

@Test func aTransactionTakesOnlyTransactionalBatches() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path)
    _ = try log.send(Sent(sequence: 0, transactional: true))
    #expect(log.refusal(Sent(sequence: 1)) == .invalidTransactionState)
    _ = try log.partition.appendMarker(producerID: 7, producerEpoch: 0, commit: true, coordinatorEpoch: 0)
    #expect(try log.send(Sent(sequence: 1)).baseOffset == 2)
}

/// How the log answers to what a producer might send next: two logs with the same answers have the same producer state.
private func answers(_ log: TestLog) throws -> [String] {
    var answers: [String] = []
    for producer in Int64(0)..<6 {
        for epoch in Int16(0)..<4 {
            for sequence in Int32(0)..<40 {
                for count in 1...3 {
                    // Only what is refused or a repeat changes nothing.
                    let sent = Sent(producer: producer, epoch: epoch, sequence: sequence, count: count)
                    let end = try log.partition.logEndOffset
                    if sequence == 0 || epoch == 3 { continue }
                    switch Result(catching: { try log.send(sent) }) {
                    case .success(let result) where result.isDuplicate: answers.append("\(sent) \(result.baseOffset)")
                    case .success: answers.append("\(sent) new at \(end)")
                    case .failure(let error): answers.append("\(sent) \((error as? StorageError)?.code ?? .unknownServerError)")
                    }
                }
            }
        }
    }
    return answers
}

@Test func producersAreTheSameFromASnapshotAndFromTheLog() throws {
    for seed in UInt64(0)..<4 {
        var random = SplitMix64(seed: seed)
        let temporary = TemporaryDirectory(inMemory: true)
        var next: [Int64: (epoch: Int16, sequence: Int32)] = [:]
        do {
            let log = try TestLog(temporary.path) { $0.segmentBytes = 1500 }
            for _ in 0..<150 {
                let producer = Int64.random(in: 0..<6, using: &random)
                var state = next[producer] ?? (0, 0)
                if state.epoch < 2, Int.random(in: 0..<20, using: &random) == 0 { state = (state.epoch + 1, 0) }
                if state.sequence > 30 { continue }
                let count = Int.random(in: 1...3, using: &random)
                _ = try log.send(Sent(producer: producer, epoch: state.epoch, sequence: state.sequence, count: count))
                next[producer] = (state.epoch, state.sequence + Int32(count))
            }
            try log.settle()
            try log.directory.close()
        }
        let fromLog = TemporaryDirectory(inMemory: true)
        try copy(temporary.path, to: fromLog.path)
        let path = TestLog.partitionPath(fromLog.path)
        for name in try names(path) where name.hasSuffix(".snapshot") { try remove(path + "/" + name) }

        let corrupt = TemporaryDirectory(inMemory: true)
        try copy(temporary.path, to: corrupt.path)
        for (index, name) in try names(TestLog.partitionPath(corrupt.path)).filter({ $0.hasSuffix(".snapshot") }).sorted().enumerated() {
            let path = TestLog.partitionPath(corrupt.path) + "/" + name
            var bytes = try contents(path)
            // Empty, flipped and cut, in turn.
            if index % 3 == 0 { bytes = [] } else if index % 3 == 1 { bytes[bytes.count / 2] ^= 4 } else { bytes.removeLast() }
            try write(bytes, to: path)
        }
        let expected = try answers(TestLog(temporary.path))
        #expect(expected.count > 500)
        #expect(try answers(TestLog(fromLog.path)) == expected, "seed \(seed)")
        #expect(try answers(TestLog(corrupt.path)) == expected, "seed \(seed)")
    }
}

@Test func aSnapshotThatIsNewerThanTheLogIsNotBelieved() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path)
    for sequence in Int32(0)..<3 { _ = try log.send(Sent(sequence: sequence)) }
    try log.settle()
    try log.directory.close()
    let newer = TemporaryDirectory()
    try copy(temporary.path, to: newer.path)
    do {
        let log = try TestLog(newer.path)
        for sequence in Int32(3)..<9 { _ = try log.send(Sent(sequence: sequence)) }
        try log.settle()
        try log.directory.close()
    }
    let snapshot = "/00000000000000000009.snapshot"
    try write(contents(TestLog.partitionPath(newer.path) + snapshot), to: TestLog.partitionPath(temporary.path) + snapshot)
    let again = try TestLog(temporary.path)
    #expect(try again.send(Sent(sequence: 3)).baseOffset == 3)
}
