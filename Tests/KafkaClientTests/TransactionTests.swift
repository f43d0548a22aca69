import CRdKafka
import KafkaClient
import Testing

/// What each way of failing asks of the caller. The mock cluster keeps transactions' states but not their visibility.
@Suite struct TransactionTests {
    let cluster = MockCluster()
    let offsets = [OffsetToCommit(partition: TopicPartition("in", 0), offset: 7, metadata: "m1:1:x")]

    private func producer(_ id: String = "job") throws -> TransactionalProducer {
        cluster.createTopic("in", partitions: 1)
        cluster.createTopic("out", partitions: 2)
        let producer = try TransactionalProducer(
            TransactionalProducerConfiguration(
                producer: ProducerConfiguration(client: cluster.client()), transactionalID: id, transactionTimeout: .seconds(10)))
        try producer.initTransactions(timeout: patience)
        return producer
    }

    private func send(_ producer: TransactionalProducer, _ values: [String]) throws {
        var records = OutgoingRecords()
        for value in values { records.append(key: "k".utf8, value: value.utf8) }
        try producer.produce(records, topic: "out")
    }

    private func group() throws -> GroupMetadata { try #require(GroupMetadata.unfenced(groupID: "job")) }

    @Test func recordsAndOffsetsAreCommittedTransactionAfterTransaction() throws {
        let producer = try producer()
        for round in 0..<3 {
            try producer.begin()
            try send(producer, ["\(round)a", "\(round)b"])
            try producer.sendOffsets(offsets, group: group(), timeout: patience)
            try producer.commit(timeout: patience)
        }
        let consumer = try cluster.consumer()
        let queue = try consumer.makeWorkerQueue()
        for partition in 0..<Int32(2) { try consumer.begin(TopicPartition("out", partition), at: .earliest, on: queue) }
        #expect(try queue.records(6).map { text($0.value ?? []) } == ["0a", "0b", "1a", "1b", "2a", "2b"])
    }

    @Test func callsOutOfOrderAreRejected() throws {
        let producer = try producer()
        let commit = #expect(throws: ProducerError.self) { try producer.commit(timeout: patience) }
        #expect(commit?.remedy == .rejected, "\(String(describing: commit))")
        try producer.begin()
        let begin = #expect(throws: ProducerError.self) { try producer.begin() }
        #expect(begin?.remedy == .rejected, "\(String(describing: begin))")
        try send(producer, ["unharmed"])
        try producer.commit(timeout: patience)
    }

    @Test func noCoordinatorInTimeIsRetriable() throws {
        cluster.takeDown()
        let producer = try TransactionalProducer(
            TransactionalProducerConfiguration(
                producer: ProducerConfiguration(client: cluster.client()), transactionalID: "job"))
        let error = #expect(throws: ProducerError.self) { try producer.initTransactions(timeout: .milliseconds(300)) }
        #expect(error?.remedy == .retriable, "\(String(describing: error))")
        cluster.bringUp()
        try producer.initTransactions(timeout: patience)
    }

    @Test(arguments: [RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID])
    func aGroupThatMovedOnWantsAnAbort(code: rd_kafka_resp_err_t) throws {
        let producer = try producer()
        try producer.begin()
        try send(producer, ["a"])
        cluster.fail(.transactionOffsetCommit, with: code)
        let error = #expect(throws: ProducerError.self) {
            try producer.sendOffsets(offsets, group: group(), timeout: patience)
        }
        #expect(error?.remedy == .abortable, "\(String(describing: error))")
        #expect(error?.code == code.rawValue)
        let commit = #expect(throws: ProducerError.self) { try producer.commit(timeout: patience) }
        #expect(commit?.remedy == .abortable, "\(String(describing: commit))")
        try producer.abort(timeout: patience)
        try producer.begin()
        try send(producer, ["b"])
        try producer.sendOffsets(offsets, group: group(), timeout: patience)
        try producer.commit(timeout: patience)
    }

    @Test func aRecordThatCouldNotBeDeliveredWantsAnAbort() throws {
        let producer = try producer()
        try producer.begin()
        cluster.fail(.produce, with: RD_KAFKA_RESP_ERR_INVALID_RECORD)
        try send(producer, ["a"])
        let error = #expect(throws: ProducerError.self) { try producer.commit(timeout: patience) }
        #expect(error?.remedy == .abortable, "\(String(describing: error))")
        #expect(error?.cause.name == "INVALID_RECORD")
        try producer.abort(timeout: patience)
        #expect(producer.deliveryFailure == nil)
        // The refused record left a gap in the sequence: the next attempt may fail of it, the one after does not.
        var attempts = 0
        while true {
            attempts += 1
            do {
                try producer.begin()
                try send(producer, ["a"])
                try producer.commit(timeout: patience)
                break
            } catch let error as ProducerError where error.remedy == .abortable && attempts < 3 {
                try producer.abort(timeout: patience)
            }
        }
    }

    @Test func aCommitWithoutAnAnswerHasAnUnknownOutcomeAndMayBeAskedAgain() throws {
        let producer = try producer()
        try producer.begin()
        try send(producer, ["a"])
        try producer.sendOffsets(offsets, group: group(), timeout: patience)
        cluster.fail(.endTransaction, with: Array(repeating: RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, count: 4))
        let error = #expect(throws: ProducerError.self) { try producer.commit(timeout: .milliseconds(250)) }
        #expect(error?.remedy == .outcomeUnknown, "\(String(describing: error))")
        #expect(error?.cause.isRetriable == true)
        cluster.forgetFailures(of: .endTransaction)
        try producer.commit(timeout: patience)
        try producer.begin()
        try producer.abort(timeout: patience)
    }

    @Test(arguments: [RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, RD_KAFKA_RESP_ERR_PRODUCER_FENCED])
    func beingFencedDuringACommitLeavesItsOutcomeUnknown(code: rd_kafka_resp_err_t) throws {
        let producer = try producer()
        try producer.begin()
        try send(producer, ["a"])
        cluster.fail(.endTransaction, with: code)
        let error = #expect(throws: ProducerError.self) { try producer.commit(timeout: patience) }
        #expect(error?.remedy == .outcomeUnknown, "\(String(describing: error))")
        #expect(error?.cause.isFatal == true)
        #expect(producer.fatalError != nil)
        let next = #expect(throws: ProducerError.self) { try producer.begin() }
        #expect(next?.remedy == .fatal)
        let record = #expect(throws: ProducerError.self) { try send(producer, ["b"]) }
        #expect(record?.remedy == .fatal)
    }
}
