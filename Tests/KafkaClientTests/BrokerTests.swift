import Foundation
import KafkaClient
import Testing

/// What needs a broker with transactions, stable offsets and topic administration.
private let brokers = ProcessInfo.processInfo.environment["MILLRACE_TEST_BROKERS"]

@Suite(.enabled(if: brokers != nil, "set MILLRACE_TEST_BROKERS to the address of a broker with transactions"))
struct BrokerTests {
    let client = ClientConfiguration(brokers: brokers ?? "")
    /// Distinguishes this run's topics, groups and transactional ids on a broker that is used again.
    let run = String(UInt64.random(in: 0 ... .max), radix: 36)

    private func topic(_ name: String, partitions: Int32 = 1) throws -> String {
        let topic = "\(name)-\(run)"
        let admin = try AdminClient(client)
        #expect(try admin.ensure(NewTopic(topic, partitions: partitions), timeout: patience) == partitions)
        return topic
    }

    private func consumer(_ group: String, instance: String? = nil) throws -> Consumer {
        try Consumer(
            ConsumerConfiguration(
                client: client, groupID: "\(group)-\(run)", groupInstanceID: instance, sessionTimeout: .seconds(10)))
    }

    private func producer(_ id: String, timeout: Duration = .seconds(30)) throws -> TransactionalProducer {
        let producer = try TransactionalProducer(
            TransactionalProducerConfiguration(
                producer: ProducerConfiguration(client: client), transactionalID: "\(id)-\(run)", transactionTimeout: timeout))
        try producer.initTransactions(timeout: patience)
        return producer
    }

    private func send(_ producer: TransactionalProducer, _ topic: String, _ values: [String]) throws {
        var records = OutgoingRecords()
        for value in values { records.append(key: "k".utf8, value: value.utf8, partition: 0) }
        try producer.produce(records, topic: topic)
    }

    /// The values of partition 0 up to the last stable offset, and that offset.
    private func committedValues(_ topic: String) throws -> ([String], Int64) {
        let consumer = try consumer("audit")
        let queue = try consumer.makeWorkerQueue()
        let partition = TopicPartition(topic, 0)
        try consumer.begin(partition, at: .earliest, on: queue)
        var values: [String] = []
        let deadline = ContinuousClock.now + patience
        while ContinuousClock.now < deadline {
            let batch = queue.consume(max: 1000, timeout: .milliseconds(100))
            values += batch.records.map { text($0.value ?? []) }
            for case .endOfPartition(_, let offset) in batch.items { return (values, offset) }
        }
        throw Impatience(description: "no end of \(topic) after \(values)")
    }

    @Test func topicsAreMadeListedAndDeleted() throws {
        let admin = try AdminClient(client)
        let name = "made-\(run)"
        #expect(try admin.describe(name, timeout: patience) == nil)
        try admin.create(
            [NewTopic(name, partitions: 3, replicationFactor: 1, configuration: ["retention.ms": "3600000"])], timeout: patience)
        #expect(try admin.ensure(NewTopic(name, partitions: 5), timeout: patience) == 3)
        #expect(try admin.list(timeout: patience)[name] == 3)
        let error = #expect(throws: AdminError.self) { try admin.create([NewTopic(name, partitions: 3)], timeout: patience) }
        #expect(error?.topics[name]?.name == "TOPIC_ALREADY_EXISTS", "\(String(describing: error))")
        try admin.delete([name], timeout: patience)
        let again = #expect(throws: AdminError.self) { try admin.delete([name], timeout: patience) }
        #expect(again?.topics[name]?.isUnknownTopicOrPartition == true, "\(String(describing: again))")
    }

    @Test func onlyCommittedTransactionsAreReadAndTheEndCountsControlRecords() throws {
        let topic = try topic("visible")
        let producer = try producer("visible")
        try producer.begin()
        try send(producer, topic, ["a", "b"])
        try producer.commit(timeout: patience)
        try producer.begin()
        try send(producer, topic, ["lost"])
        try producer.abort(timeout: patience)
        try producer.begin()
        try send(producer, topic, ["c"])
        try producer.commit(timeout: patience)
        let (values, end) = try committedValues(topic)
        #expect(values == ["a", "b", "c"])
        let consumer = try consumer("ends")
        #expect(try consumer.watermarks(of: TopicPartition(topic, 0), timeout: patience).lastStableOffset == end)
        // Three control records; an aborted record that never left the producer's queue takes no offset.
        #expect(end >= 5 && end <= 7, "\(end)")
    }

    @Test func recordsAreTakenInEveryFormBeforeTheTopicIsKnown() throws {
        for form in 0..<3 {
            let topic = try topic("form\(form)")
            let producer = try producer("form\(form)")
            try producer.begin()
            switch form {
            case 0: try send(producer, topic, ["v"])
            case 1:
                var records = OutgoingRecords()
                records.append(key: "k".utf8, value: "v".utf8)
                try producer.produce(records, topic: topic)
            default:
                try "v".withBytes { value in
                    try producer.produce(
                        topic: topic, partition: 0, key: nil, value: value, headers: [MessageHeader("millrace.reason", "late")])
                }
            }
            try producer.commit(timeout: patience)
            #expect(try committedValues(topic).0 == ["v"])
        }
    }

    @Test func gapsThatAreThereAreTakenForGapsAfterAnInterruption() throws {
        let topic = try topic("gaps")
        let producer = try producer("gaps")
        // A control record after every two records, and some aborted ones.
        for round in 0..<100 {
            try producer.begin()
            try send(producer, topic, ["\(round)a", "\(round)b"])
            if round % 10 == 3 {
                try producer.abort(timeout: patience)
            } else {
                try producer.commit(timeout: patience)
            }
        }
        let expected = (0..<100).filter { $0 % 10 != 3 }.flatMap { ["\($0)a", "\($0)b"] }
        let consumer = try consumer("gaps")
        let queue = try consumer.makeWorkerQueue()
        let partition = TopicPartition(topic, 0)
        try consumer.begin(partition, at: .earliest, on: queue)
        var values: [String] = []
        var ended = false
        let deadline = ContinuousClock.now + patience
        while !ended, ContinuousClock.now < deadline {
            let batch = queue.consume(max: 7, timeout: .milliseconds(50))
            values += batch.records.map { text($0.value ?? []) }
            for case .endOfPartition in batch.items { ended = true }
            // Not while waiting: every pause throws away what is on its way.
            if batch.count > 0, values.count % 5 == 0 {
                try consumer.pause([partition])
                try consumer.resume([partition])
            }
        }
        #expect(ended)
        #expect(values == expected)
    }

    @Test func anOpenTransactionHoldsTheLastStableOffset() throws {
        let topic = try topic("open")
        let plain = try Producer(ProducerConfiguration(client: client))
        try plain.produce(topic, 0, [("", "before")])
        let producer = try producer("open")
        try producer.begin()
        try send(producer, topic, ["inside"])
        let (first, end) = try committedValues(topic)
        #expect(first == ["before"])
        #expect(end == 1)
        try producer.commit(timeout: patience)
        #expect(try committedValues(topic).0 == ["before", "inside"])
    }

    @Test func offsetsAndTheirMetadataAreCommittedWithTheRecordsOrNotAtAll() throws {
        let input = try topic("in", partitions: 2)
        let output = try topic("out")
        let consumer = try consumer("job")
        let queue = try consumer.makeWorkerQueue()
        try consumer.subscribe([input])
        let assigned = try consumer.assignment()
        #expect(assigned.count == 2)
        for partition in assigned { try consumer.begin(partition, at: .earliest, on: queue) }
        let producer = try producer("job")
        let metadata = "m1:17:" + String(repeating: "é", count: 20)
        func offsets(_ offset: Int64, _ metadata: String) -> [OffsetToCommit] {
            assigned.map { OffsetToCommit(partition: $0, offset: offset + Int64($0.partition), metadata: metadata) }
        }
        try producer.begin()
        try send(producer, output, ["one"])
        try producer.sendOffsets(offsets(10, metadata), group: consumer.groupMetadata(), timeout: patience)
        try producer.commit(timeout: patience)
        let expected = assigned.map { CommittedOffset(partition: $0, offset: 10 + Int64($0.partition), metadata: metadata) }
        #expect(try consumer.committed(assigned, timeout: patience) == expected)
        try producer.begin()
        try send(producer, output, ["two"])
        try producer.sendOffsets(offsets(20, "never"), group: consumer.groupMetadata(), timeout: patience)
        try producer.abort(timeout: patience)
        #expect(try consumer.committed(assigned, timeout: patience) == expected)
        #expect(try committedValues(output).0 == ["one"])
        #expect(try consumer.close(timeout: patience))
    }

    @Test func readingCommittedOffsetsWaitsForATransactionInFlight() throws {
        let input = try topic("stable")
        let partition = TopicPartition(input, 0)
        let consumer = try consumer("stable")
        try consumer.subscribe([input])
        _ = try consumer.assignment()
        let producer = try producer("stable")
        try producer.begin()
        try producer.sendOffsets(
            [OffsetToCommit(partition: partition, offset: 5, metadata: "x")], group: consumer.groupMetadata(), timeout: patience)
        let error = #expect(throws: KafkaClientError.self) {
            _ = try consumer.committed([partition], timeout: .milliseconds(500))
        }
        #expect(error?.isTimeout == true || error?.isRetriable == true, "\(String(describing: error))")
        try producer.commit(timeout: patience)
        #expect(try consumer.committed([partition], timeout: patience).map(\.offset) == [5])
    }

    @Test func aProducerThatWasReplacedIsFenced() throws {
        let topic = try topic("fenced")
        let zombie = try producer("fenced")
        try zombie.begin()
        try send(zombie, topic, ["zombie"])
        let successor = try producer("fenced")
        let error = #expect(throws: ProducerError.self) {
            try send(zombie, topic, ["zombie again"])
            try zombie.commit(timeout: patience)
        }
        #expect(error?.remedy == .fatal || error?.remedy == .outcomeUnknown || error?.remedy == .abortable, "\(String(describing: error))")
        try successor.begin()
        try send(successor, topic, ["successor"])
        try successor.commit(timeout: patience)
        #expect(try committedValues(topic).0 == ["successor"])
    }

    @Test func offsetsOfAFormerGenerationAreRefused() throws {
        let input = try topic("generation", partitions: 2)
        let first = try consumer("generation")
        try first.subscribe([input])
        #expect(try first.assignment().count == 2)
        let old = try first.groupMetadata()
        let second = try consumer("generation")
        try second.subscribe([input])
        var given: [TopicPartition] = []
        let deadline = ContinuousClock.now + patience + patience
        while given.isEmpty, ContinuousClock.now < deadline {
            if case .revoke(let list)? = first.poll(timeout: .milliseconds(50)) { try first.completeRevoke(list) }
            if case .assign(let list)? = second.poll(timeout: .milliseconds(50)) { given += list }
        }
        #expect(given.count == 1)
        let producer = try producer("generation")
        try producer.begin()
        let error = #expect(throws: ProducerError.self) {
            try producer.sendOffsets(
                given.map { OffsetToCommit(partition: $0, offset: 1, metadata: "zombie") }, group: old, timeout: patience)
        }
        #expect(error?.remedy == .abortable, "\(String(describing: error))")
        try producer.abort(timeout: patience)
        #expect(try second.close(timeout: patience))
        #expect(try first.close(timeout: patience))
    }

    @Test func aStaticMemberThatComesBackHasItsPartitionsAgain() throws {
        let input = try topic("static", partitions: 2)
        let first = try consumer("static", instance: "one")
        try first.subscribe([input])
        let held = try first.assignment()
        #expect(try first.close(timeout: patience))
        let again = try consumer("static", instance: "one")
        try again.subscribe([input])
        #expect(try again.assignment() == held)
        #expect(try again.close(timeout: patience))
    }

    @Test func offsetsAreFoundByTime() throws {
        let name = try topic("times")
        let producer = try Producer(ProducerConfiguration(client: client))
        for second in 0..<Int64(5) {
            try "v".withBytes { value in
                try producer.produce(
                    topic: name, partition: 0, key: nil, value: value, timestampMilliseconds: 1_700_000_000_000 + second * 1000)
            }
            try producer.flush(timeout: patience)
        }
        let consumer = try consumer("times")
        let partition = TopicPartition(name, 0)
        let found = try consumer.offsets(
            for: [(partition, 1_700_000_002_000)], timeout: patience)
            + consumer.offsets(for: [(partition, 1_700_000_002_001)], timeout: patience)
            + consumer.offsets(for: [(partition, 1_700_000_009_000)], timeout: patience)
        #expect(found == [2, 3, nil])
    }
}
