import KafkaLog
import KafkaLogProtocol
import Testing

/// A transactional producer that does one step at a time.
private final class Producer {
    let client: TestClient
    let transactionalID: String
    private(set) var id: Int64 = -1
    private(set) var epoch: Int16 = -1
    private var sequences: [Int32: Int32] = [:]

    init(_ log: TestLog, _ transactionalID: String, timeoutMilliseconds: Int32 = 60_000) throws {
        client = try log.client()
        self.transactionalID = transactionalID
        while true {
            let response = try client.ask(
                InitProducerIDRequest {
                    $0.transactionalID = transactionalID
                    $0.transactionTimeoutMilliseconds = timeoutMilliseconds
                })
            if response.errorCode == .concurrentTransactions { continue }
            guard response.errorCode == .none else { throw ConnectionClosed() }
            (id, epoch) = (response.producerID, response.producerEpoch)
            return
        }
    }

    func add(_ topic: String, _ partitions: [Int32] = [0]) throws -> ErrorCode {
        try client.ask(
            AddPartitionsToTransactionRequest {
                $0.transactionalID = transactionalID
                $0.producerID = id
                $0.producerEpoch = epoch
                $0.topics = [.init { $0.name = topic; $0.partitions = partitions }]
            }
        ).topics[0].partitions[0].errorCode
    }

    func produce(_ values: [String], _ topic: String, _ partition: Int32 = 0) throws -> ErrorCode {
        let sequence = sequences[partition, default: 0]
        let batch = TestClient.batch(values, producer: (id, epoch, sequence), isTransactional: true)
        let code = try client.produce(batch, topic, partition).errorCode
        if code == .none { sequences[partition] = sequence + Int32(values.count) }
        return code
    }

    func end(commit: Bool) throws -> ErrorCode {
        try client.ask(
            EndTransactionRequest {
                $0.transactionalID = transactionalID
                $0.producerID = id
                $0.producerEpoch = epoch
                $0.committed = commit
            }
        ).errorCode
    }
}

@Test func aCommitIsVisibleWhenItIsConfirmedAndAnAbortNever() throws {
    let log = try TestLog()
    let reader = try log.client()
    try reader.createTopic("t")
    let producer = try Producer(log, "tx")
    #expect(try producer.add("t") == .none)
    #expect(try producer.produce(["a"], "t") == .none)
    let open = try reader.fetch("t", readCommitted: true)
    #expect(open.records.values.isEmpty && open.highWatermark == 1 && open.lastStableOffset == 0)
    #expect(try producer.end(commit: true) == .none)
    let committed = try reader.fetch("t", readCommitted: true)
    #expect(committed.records.values == ["a"] && committed.lastStableOffset == 2)

    #expect(try producer.add("t") == .none)
    #expect(try producer.produce(["b"], "t") == .none)
    #expect(try producer.end(commit: false) == .none)
    let aborted = try reader.fetch("t", from: 2, readCommitted: true)
    #expect(aborted.lastStableOffset == 4)
    #expect(aborted.abortedTransactions?.map(\.producerID) == [producer.id] && aborted.abortedTransactions?[0].firstOffset == 2)
    // Asked again, the same outcome is confirmed and the other refused.
    #expect(try producer.end(commit: false) == .none)
    #expect(try producer.end(commit: true) == .invalidTransactionState)
}

@Test func aReaderOfCommittedRecordsIsWokenByTheCommit() throws {
    let log = try TestLog()
    let reader = try log.client()
    try reader.createTopic("t")
    let producer = try Producer(log, "tx")
    _ = try producer.add("t")
    _ = try producer.produce(["a"], "t")
    try reader.send(TestClient.fetchRequest("t", from: 0, wait: 60_000, readCommitted: true))
    #expect(try producer.end(commit: true) == .none)
    #expect(try reader.receive(FetchRequest.self).response.topics[0].partitions[0].records.values == ["a"])
}

@Test func onlyTheOngoingTransactionOfItsProducerMayWrite() throws {
    let log = try TestLog()
    let reader = try log.client()
    try reader.createTopic("t", partitions: 2)
    let producer = try Producer(log, "tx")
    // Before the partition is part of a transaction, in a partition that is not, and after the end.
    #expect(try producer.produce(["early"], "t") == .invalidTransactionState)
    #expect(try producer.add("t", [0]) == .none)
    #expect(try producer.produce(["other"], "t", 1) == .invalidTransactionState)
    #expect(try producer.produce(["a"], "t", 0) == .none)
    #expect(try producer.end(commit: true) == .none)
    #expect(try producer.produce(["late"], "t", 0) == .invalidTransactionState)
    #expect(try producer.add("missing") == .unknownTopicOrPartition)
    #expect(try reader.fetch("t", 0, readCommitted: true).records.values == ["a"])
    #expect(try reader.fetch("t", 1).highWatermark == 0)
}

@Test func thePlaceholderPartitionOfLibrdkafkaIsAgreedTo() throws {
    let log = try TestLog()
    try log.client().createTopic("t")
    let producer = try Producer(log, "tx")
    #expect(try producer.add("t", [-1]) == .none)
    #expect(try producer.add("missing", [-1]) == .unknownTopicOrPartition)
    #expect(try producer.add("t", [0]) == .none)
    #expect(try producer.produce(["a"], "t") == .none)
    #expect(try producer.end(commit: true) == .none)
}

@Test func aNewProducerFencesTheOldOneAndAbortsItsTransaction() throws {
    let log = try TestLog()
    let reader = try log.client()
    try reader.createTopic("t")
    let zombie = try Producer(log, "tx")
    _ = try zombie.add("t")
    _ = try zombie.produce(["from the grave"], "t")
    let successor = try Producer(log, "tx")
    #expect(successor.id == zombie.id && successor.epoch > zombie.epoch)
    #expect(try zombie.produce(["more"], "t") == .invalidProducerEpoch)
    #expect(try zombie.end(commit: true) == .producerFenced)
    #expect(try successor.add("t") == .none)
    #expect(try successor.produce(["alive"], "t") == .none)
    #expect(try successor.end(commit: true) == .none)
    let fetched = try reader.fetch("t", readCommitted: true)
    #expect(fetched.abortedTransactions?.map(\.firstOffset) == [0])
    #expect(fetched.lastStableOffset == fetched.highWatermark)
}

@Test func aTransactionThatIsLeftOpenIsAbortedInTime() throws {
    let log = try TestLog()
    let reader = try log.client()
    try reader.createTopic("t")
    let producer = try Producer(log, "tx", timeoutMilliseconds: 300)
    _ = try producer.add("t")
    _ = try producer.produce(["a"], "t")
    // The abort marker moves the last stable offset, which wakes the reader.
    let fetched = try reader.ask(TestClient.fetchRequest("t", from: 0, wait: 20_000, readCommitted: true)).topics[0].partitions[0]
    #expect(fetched.lastStableOffset == 2 && fetched.abortedTransactions?.count == 1)
    #expect(try producer.end(commit: true) != .none)
}

@Test func aTransactionGoesOnAfterARestart() throws {
    let log = try TestLog()
    try log.client().createTopic("t")
    let before = try Producer(log, "tx")
    _ = try before.add("t")
    _ = try before.produce(["a"], "t")
    try log.restart()
    let client = try log.client()
    #expect(try client.fetch("t", readCommitted: true).lastStableOffset == 0)
    let response = try client.ask(
        EndTransactionRequest {
            $0.transactionalID = "tx"
            $0.producerID = before.id
            $0.producerEpoch = before.epoch
            $0.committed = true
        })
    #expect(response.errorCode == .none)
    #expect(try client.fetch("t", readCommitted: true).records.values == ["a"])
}

@Test func offsetsOfATransactionAppearWithItsCommit() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    let producer = try Producer(log, "tx")
    func commitOffset(_ offset: Int64) throws -> ErrorCode {
        let added = try client.ask(
            AddOffsetsToTransactionRequest {
                $0.transactionalID = "tx"
                $0.producerID = producer.id
                $0.producerEpoch = producer.epoch
                $0.groupID = "g"
            })
        guard added.errorCode == .none else { return added.errorCode }
        return try client.ask(
            TransactionOffsetCommitRequest {
                $0.transactionalID = "tx"
                $0.groupID = "g"
                $0.producerID = producer.id
                $0.producerEpoch = producer.epoch
                $0.topics = [
                    .init { $0.name = "t"; $0.partitions = [.init { $0.committedOffset = offset; $0.committedMetadata = "m1:\(offset)" }] }
                ]
            }
        ).topics[0].partitions[0].errorCode
    }
    func fetched(requireStable: Bool) throws -> OffsetFetchResponse.Topic.Partition {
        try client.ask(
            OffsetFetchRequest {
                $0.requireStable = requireStable
                $0.groups = [.init { $0.groupID = "g"; $0.topics = [.init { $0.name = "t"; $0.partitionIndexes = [0] }] }]
            }
        ).groups[0].topics[0].partitions[0]
    }
    #expect(try commitOffset(5) == .none)
    #expect(try fetched(requireStable: true).errorCode == .unstableOffsetCommit)
    #expect(try fetched(requireStable: false).committedOffset == -1)
    #expect(try producer.end(commit: true) == .none)
    #expect(try fetched(requireStable: true).committedOffset == 5)
    #expect(try fetched(requireStable: true).metadata == "m1:5")
    #expect(try commitOffset(9) == .none)
    #expect(try producer.end(commit: false) == .none)
    #expect(try fetched(requireStable: true).committedOffset == 5)

    let listed = try client.ask(ListTransactionsRequest { $0.stateFilters = ["CompleteAbort", "Nonsense"] })
    #expect(listed.transactions.map(\.transactionalID) == ["tx"] && listed.unknownStateFilters == ["Nonsense"])
    #expect(try client.ask(DescribeTransactionsRequest { $0.transactionalIDs = ["tx"] }).transactions[0].producerID == producer.id)
}

@Test func anAdministratorAbortsATransactionInAllItsPartitionsAndFencesItsProducer() throws {
    let log = try TestLog()
    let administrator = try log.client()
    try administrator.createTopic("t", partitions: 2)
    let producer = try Producer(log, "tx")
    #expect(try producer.add("t", [0, 1]) == .none)
    #expect(try producer.produce(["a"], "t", 0) == .none)
    #expect(try producer.produce(["b"], "t", 1) == .none)

    let described = try administrator.ask(DescribeProducersRequest { $0.topics = [.init { $0.name = "t"; $0.partitions = [0, 7] }] }).topics[0]
    let open = described.partitions[0].producers[0]
    #expect(open.producerID == producer.id && open.producerEpoch == Int32(producer.epoch))
    #expect(open.transactionStartOffset == 0 && open.lastSequence == 0 && open.coordinatorEpoch == -1)
    #expect(described.partitions[1].errorCode == .unknownTopicOrPartition && described.partitions[1].producers.isEmpty)

    func end(epoch: Int16, commit: Bool = false, _ partitions: [Int32]) throws -> [ErrorCode] {
        let response = try administrator.ask(
            WriteTransactionMarkersRequest {
                $0.markers = [
                    .init {
                        $0.producerID = producer.id
                        $0.producerEpoch = epoch
                        $0.committed = commit
                        $0.topics = [.init { $0.name = "t"; $0.partitions = partitions }]
                    }
                ]
            })
        guard response.markers.map(\.producerID) == [producer.id] else { throw ConnectionClosed() }
        return response.markers[0].topics[0].partitions.map(\.errorCode)
    }
    #expect(try end(epoch: producer.epoch, commit: true, [0]) == [.invalidTransactionState], "part of it would be committed")
    #expect(try end(epoch: producer.epoch + 1, [0]) == [.invalidProducerEpoch])
    #expect(try administrator.fetch("t", readCommitted: true).lastStableOffset == 0)
    // One of the two partitions is named. When it is answered, both have ended.
    #expect(try end(epoch: producer.epoch, [0, 7]) == [.none, .unknownTopicOrPartition])
    for partition: Int32 in [0, 1] {
        let read = try administrator.fetch("t", partition, readCommitted: true)
        #expect(read.lastStableOffset == 2 && read.abortedTransactions?.map(\.producerID) == [producer.id])
    }
    #expect(try producer.end(commit: true) == .producerFenced)
    #expect(try end(epoch: producer.epoch, [0, 1]) == [.none, .none], "there is nothing to end any more")
    let after = try administrator.ask(DescribeProducersRequest { $0.topics = [.init { $0.name = "t"; $0.partitions = [0] }] })
        .topics[0].partitions[0].producers[0]
    #expect(after.transactionStartOffset == -1 && after.producerEpoch == Int32(producer.epoch) + 1 && after.coordinatorEpoch == 0)
    #expect(after.lastSequence == -1)
}

@Test func transactionsAreListedByAge() throws {
    let log = try TestLog()
    let client = try log.client()
    try client.createTopic("t")
    let producer = try Producer(log, "open")
    _ = try Producer(log, "idle")
    #expect(try producer.add("t") == .none)
    func list(olderThan milliseconds: Int64) throws -> [String] {
        try client.ask(ListTransactionsRequest { $0.durationFilterMilliseconds = milliseconds }).transactions.map(\.transactionalID)
    }
    #expect(try list(olderThan: -1) == ["idle", "open"])
    #expect(try list(olderThan: 3_600_000) == [])
    // As soon as the clock has moved on.
    while try list(olderThan: 0).isEmpty {}
    #expect(try list(olderThan: 0) == ["open"])
}

@Test func theEndOfATransactionTakesNoSyncOfItsOwn() throws {
    let log = try TestLog()
    let producer = try Producer(log, "t-1")
    try producer.client.createTopic("t")
    #expect(try producer.add("t") == .none)
    #expect(try producer.produce(["first"], "t") == .none)
    #expect(try producer.end(commit: true) == .none)
    let before = log.server.statistics().fsyncDurations.count
    let began = ContinuousClock.now
    let count = 50
    for number in 0..<count {
        #expect(try producer.add("t") == .none)
        #expect(try producer.produce(["\(number)"], "t") == .none)
        #expect(try producer.end(commit: true) == .none)
    }
    // What the transaction touches, the records, the decision, the marker; and every 100 ms what nobody waits for.
    let planned = Int((ContinuousClock.now - began) / .milliseconds(100)) + 2
    #expect(Int(log.server.statistics().fsyncDurations.count - before) <= 4 * count + planned)
}
