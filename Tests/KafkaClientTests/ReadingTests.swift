import KafkaClient
import Seeded
import Synchronization
import Testing

@Suite struct ReadingTests {
    let cluster = MockCluster()

    @Test func aRecordComesBackAsItWasWritten() throws {
        cluster.createTopic("t", partitions: 2)
        let producer = try cluster.producer()
        let headers = [
            MessageHeader("a", "1"), MessageHeader("a", "2"), MessageHeader(name: "null", value: nil), MessageHeader("", ""),
        ]
        try "key".withBytes { key in
            try "value".withBytes { value in
                try producer.produce(
                    topic: "t", partition: 1, key: key, value: value, headers: headers, timestampMilliseconds: 1_700_000_000_123)
                try producer.produce(topic: "t", partition: 1, key: nil, value: value)
                try producer.produce(topic: "t", partition: 1, key: key, value: nil)
                let empty = UnsafeRawBufferPointer(start: nil, count: 0)
                try producer.produce(topic: "t", partition: 1, key: empty, value: empty)
            }
        }
        try producer.flush(timeout: patience)
        #expect(producer.deliveries == .init(acknowledged: 4, failed: 0, pending: 0, firstFailure: nil))

        let consumer = try cluster.consumer()
        let queue = try consumer.makeWorkerQueue()
        try consumer.begin(TopicPartition("t", 1), at: .earliest, on: queue)
        let records = try queue.records(4)
        #expect(records.map(\.offset) == [0, 1, 2, 3])
        #expect(records.map(\.partition) == Array(repeating: TopicPartition("t", 1), count: 4))
        #expect(records[0].timestamp == 1_700_000_000_123)
        #expect(records[0].headers == headers)
        #expect(records[1].timestamp > 1_700_000_000_123)
        #expect(records.map { $0.key.map(text) } == ["key", nil, "key", ""])
        #expect(records.map { $0.value.map(text) } == ["value", "value", nil, ""])
        #expect(records[1].headers.isEmpty)
    }

    @Test func recordsWithAKeyGoWhereJavaClientsPutThem() throws {
        cluster.createTopic("t", partitions: 10)
        // From Apache Kafka's UtilsTest.testMurmur2, positive and modulo 10.
        let murmur2: [(String, Int32)] = [
            ("21", -973_932_308), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971), ("abc", 479_470_107),
        ]
        let producer = try cluster.producer()
        try producer.produce("t", -1, murmur2.map { ($0.0, "") })
        let consumer = try cluster.consumer()
        let queue = try consumer.makeWorkerQueue()
        for partition in 0..<Int32(10) { try consumer.begin(TopicPartition("t", partition), at: .earliest, on: queue) }
        var found: [String: Int32] = [:]
        for record in try queue.records(murmur2.count) { found[text(record.key ?? [])] = record.partition.partition }
        for (key, hash) in murmur2 { #expect(found[key] == (hash & 0x7fff_ffff) % 10, "\(key)") }
    }

    @Test func aQueueThatWasFullIsFilledAgainBeforeItIsEmpty() throws {
        cluster.createTopic("t", partitions: 1)
        let producer = try cluster.producer(["compression.type": "none", "batch.num.messages": "50"])
        let value = String(repeating: "v", count: 1_000)
        try producer.produce("t", 0, (0..<4_000).map { ("\($0)", value) })
        try producer.flush(timeout: patience)
        let consumer = try cluster.consumer(properties: ["queued.max.messages.kbytes": "128", "fetch.message.max.bytes": "65536"])
        let queue = try consumer.makeWorkerQueue()
        try consumer.begin(TopicPartition("t", 0), at: .earliest, on: queue)
        _ = try queue.records(1, max: 10)
        // A queue of about 130 records. Left alone, librdkafka before 2.2 looks once a second whether there is room in it.
        var (read, timesEmpty) = (0, 0)
        let deadline = ContinuousClock.now + patience
        while read < 3_000, ContinuousClock.now < deadline {
            let count = queue.consume(max: 10, timeout: .milliseconds(500)).count
            read += count
            if count == 0 { timesEmpty += 1 }
        }
        #expect(read >= 3_000 && timesEmpty <= 3, "\(read) records read, nothing for half a second \(timesEmpty) times")
    }

    @Test func aFullQueueHoldsTheProducerUpAndKeepsTheOrder() throws {
        cluster.createTopic("t", partitions: 3)
        let producer = try Producer(
            ProducerConfiguration(client: cluster.client(["batch.num.messages": "10"]), queueMessages: 37))
        var records = OutgoingRecords()
        for index in 0..<3000 { records.append(key: "k".utf8, value: "\(index)".utf8, partition: Int32(index % 3)) }
        try producer.produce(records, topic: "t")
        try producer.flush(timeout: patience)
        #expect(producer.deliveries == .init(acknowledged: 3000, failed: 0, pending: 0, firstFailure: nil))
        let consumer = try cluster.consumer()
        let queue = try consumer.makeWorkerQueue()
        for partition in 0..<Int32(3) { try consumer.begin(TopicPartition("t", partition), at: .earliest, on: queue) }
        var found: [Int32: [Int]] = [:]
        for record in try queue.records(3000) {
            found[record.partition.partition, default: []].append(Int(text(record.value ?? [])) ?? -1)
        }
        for partition in 0..<3 { #expect(found[Int32(partition)] == Array(stride(from: partition, to: 3000, by: 3))) }
    }

    @Test func aQueueThatStaysFullIsRetriableAndLosesNothing() throws {
        cluster.createTopic("t", partitions: 1)
        let producer = try Producer(ProducerConfiguration(client: cluster.client(), queueMessages: 10))
        try producer.produce("t", 0, [("warm", "up")])
        cluster.takeDown()
        var records = OutgoingRecords()
        for index in 0..<10 { records.append(key: "".utf8, value: "\(index)".utf8, partition: 0) }
        try producer.produce(records, topic: "t")
        let error = #expect(throws: ProducerError.self) { try producer.produce(records, topic: "t", timeout: .milliseconds(50)) }
        #expect(error?.remedy == .retriable)
        #expect(error?.cause.name == "_QUEUE_FULL")
        cluster.bringUp()
        try producer.flush(timeout: patience)
        #expect(producer.deliveries.failed == 0)
        #expect(producer.deliveries.acknowledged == 11)
    }

    @Test func aRecordThatIsTooLargeIsRejectedAndTheNextIsNot() throws {
        cluster.createTopic("t", partitions: 1)
        let producer = try cluster.producer(["message.max.bytes": "2000"])
        var records = OutgoingRecords()
        records.append(key: "".utf8, value: Array(repeating: 0, count: 3000))
        let error = #expect(throws: ProducerError.self) { try producer.produce(records, topic: "t") }
        #expect(error?.remedy == .rejected)
        #expect(error?.cause.name == "MSG_SIZE_TOO_LARGE")
        try producer.produce("t", 0, [("k", "v")])
        #expect(producer.deliveries.acknowledged == 1)
    }

    @Test func entriesThatPointOutsideTheBufferAreRejected() throws {
        let producer = try cluster.producer()
        for entry in [
            OutgoingRecords.Entry(keyStart: 0, keyCount: 1, valueStart: 1, valueCount: 4),
            .init(keyStart: -1, keyCount: 1, valueStart: 0, valueCount: 1),
            .init(keyStart: 0, keyCount: -2, valueStart: 0, valueCount: 1),
            .init(keyStart: .max, keyCount: .max, valueStart: 0, valueCount: 1),
        ] {
            var records = OutgoingRecords()
            records.bytes = [1, 2, 3, 4]
            records.entries = [entry]
            let error = #expect(throws: ProducerError.self) { try producer.produce(records, topic: "t") }
            #expect(error?.remedy == .rejected)
        }
    }

    @Test func runsFollowPartitionsAndTheEndComesAfterTheLastRecord() throws {
        cluster.createTopic("t", partitions: 2)
        let producer = try cluster.producer()
        for partition in 0..<Int32(2) { try producer.produce("t", partition, (0..<100).map { ("", "\($0)") }) }
        let consumer = try cluster.consumer()
        let queue = try consumer.makeWorkerQueue()
        let both = [TopicPartition("t", 0), TopicPartition("t", 1)]
        for partition in both { try consumer.begin(partition, at: .offset(40), on: queue) }
        var positions: [TopicPartition: Int64] = [both[0]: 40, both[1]: 40]
        var ended: Set<TopicPartition> = []
        let deadline = ContinuousClock.now + patience
        while ended.count < 2, ContinuousClock.now < deadline {
            let batch = queue.consume(max: 7, timeout: .milliseconds(100))
            #expect(batch.count <= 7)
            var index = 0
            for item in batch.items {
                switch item {
                case .records(let run):
                    #expect(run.indexes.lowerBound == index)
                    #expect(run.firstOffset == positions[run.partition])
                    #expect(run.indexes.map { batch[$0].offset } == Array(run.firstOffset...run.lastOffset))
                    #expect(run.indexes.map { [UInt8](batch[$0].payloadBytes) } == (run.firstOffset...run.lastOffset).map { Array("\($0)".utf8) })
                    positions[run.partition] = run.lastOffset + 1
                    index = run.indexes.upperBound
                case .endOfPartition(let partition, let offset):
                    #expect(offset == 100)
                    #expect(positions[partition] == 100)
                    ended.insert(partition)
                default: Issue.record("\(item)")
                }
            }
            #expect(index == batch.count)
        }
        #expect(ended == Set(both))
        #expect(consumer.cachedLastStableOffset(of: both[0]) == 100)
    }

    @Test func anOffsetThatIsNotThereIsNamedAndNothingIsReset() throws {
        cluster.createTopic("t", partitions: 1)
        try cluster.producer().produce("t", 0, [("", "only")])
        let consumer = try cluster.consumer()
        let queue = try consumer.makeWorkerQueue()
        let partition = TopicPartition("t", 0)
        try consumer.begin(partition, at: .offset(50), on: queue)
        let items = try queue.items { if case .offsetOutOfRange(partition, _) = $0 { true } else { false } }
        #expect(!items.contains { if case .records = $0 { true } else { false } })
        try consumer.end([partition])
        try consumer.begin(partition, at: .earliest, on: queue)
        #expect(try queue.records(1).map(\.offset) == [0])
    }

    @Test func aWaitingWorkerIsWokenAndSoIsOneThatIsAboutToWait() throws {
        let consumer = try cluster.consumer()
        let queue = try consumer.makeWorkerQueue()
        let start = ContinuousClock.now
        queue.wake()
        #expect(queue.consume(max: 10, timeout: patience).records.isEmpty)
        #expect(ContinuousClock.now - start < .seconds(5))
        // Only once: the wake-up is used up.
        let again = ContinuousClock.now
        #expect(queue.consume(max: 10, timeout: .milliseconds(50)).records.isEmpty)
        #expect(ContinuousClock.now - again >= .milliseconds(49))
        // Whether the other thread waits already or not yet.
        for _ in 0..<20 {
            let waiting = onThread { queue.consume(max: 10, timeout: patience).count }
            queue.wake()
            #expect(waiting() == 0)
            let polling = onThread { consumer.poll(timeout: patience) }
            consumer.wake()
            #expect(polling() == nil)
        }
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    @Test func pausingFromAnotherThreadNeitherSkipsNorRepeats() throws {
        cluster.createTopic("t", partitions: 2)
        let producer = try cluster.producer()
        for partition in 0..<Int32(2) { try producer.produce("t", partition, (0..<20000).map { ("", "\($0)") }) }
        let consumer = try cluster.consumer(properties: ["fetch.message.max.bytes": "20000"])
        let queue = try consumer.makeWorkerQueue()
        let both = [TopicPartition("t", 0), TopicPartition("t", 1)]
        for partition in both { try consumer.begin(partition, at: .earliest, on: queue) }
        let done = Atomic(false)
        let pauses = onThread { () -> Int in
            var count = 0
            while count < 300, !done.load(ordering: .acquiring) {
                do {
                    try consumer.pause(both)
                    try consumer.resume(both)
                    count += 1
                } catch {
                    Issue.record(error)
                }
                _ = consumer.poll(timeout: .milliseconds(10))
            }
            return count
        }
        defer {
            done.store(true, ordering: .releasing)
            print("paused \(pauses()) times")
        }
        var offsets: [TopicPartition: [Int64]] = [:]
        let deadline = ContinuousClock.now + patience
        var count = 0
        while count < 40000, ContinuousClock.now < deadline {
            for record in queue.consume(max: 100, timeout: .milliseconds(20)).records {
                offsets[record.partition, default: []].append(record.offset)
                count += 1
            }
        }
        for partition in both { #expect(firstBreak(offsets[partition] ?? [], upTo: 20000) == nil) }
    }

    @Test func aBatchOutlivesItsConsumer() throws {
        cluster.createTopic("t", partitions: 1)
        try cluster.producer().produce("t", 0, [("k", "v")])
        func take() throws -> MessageBatch {
            let consumer = try cluster.consumer()
            let queue = try consumer.makeWorkerQueue()
            try consumer.begin(TopicPartition("t", 0), at: .earliest, on: queue)
            let deadline = ContinuousClock.now + patience
            while ContinuousClock.now < deadline {
                let batch = queue.consume(max: 10, timeout: .milliseconds(100))
                if batch.count > 0 { return batch }
            }
            throw Impatience(description: "no record came")
        }
        let batch = try take()
        #expect(batch.records.map { text($0.value ?? []) } == ["v"])
    }

    @Test func aPartitionThatMovesToAnotherWorkerLeavesNothingBehind() throws {
        cluster.createTopic("t", partitions: 1)
        try cluster.producer().produce("t", 0, (0..<1000).map { ("", "\($0)") })
        let consumer = try cluster.consumer()
        let first = try consumer.makeWorkerQueue()
        let second = try consumer.makeWorkerQueue()
        let partition = TopicPartition("t", 0)
        try consumer.begin(partition, at: .earliest, on: first)
        #expect(try first.records(10, max: 10).map(\.offset) == Array(0..<10))
        try consumer.end([partition])
        #expect(consumer.reading.isEmpty)
        try consumer.begin(partition, at: .offset(10), on: second)
        #expect(try second.records(990).map(\.offset) == Array(10..<1000))
        #expect(first.consume(max: 1000, timeout: .zero).records.isEmpty)
        #expect(throws: KafkaClientError.self) { try consumer.begin(partition, at: .earliest, on: first) }
    }

    @Test func pausingAndResumingNeitherSkipsNorRepeats() throws {
        cluster.createTopic("t", partitions: 1)
        try cluster.producer().produce("t", 0, (0..<5000).map { ("", "\($0)") })
        let consumer = try cluster.consumer()
        let queue = try consumer.makeWorkerQueue()
        let partition = TopicPartition("t", 0)
        try consumer.begin(partition, at: .earliest, on: queue)
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = SplitMix64(seed: seed)
        var offsets: [Int64] = []
        let deadline = ContinuousClock.now + patience
        while offsets.count < 5000, ContinuousClock.now < deadline {
            offsets += queue.consume(max: .random(in: 1...400, using: &random), timeout: .milliseconds(20)).records.map(\.offset)
            try consumer.pause([partition])
            offsets += queue.consume(max: .random(in: 1...50, using: &random), timeout: .zero).records.map(\.offset)
            try consumer.resume([partition])
        }
        #expect(firstBreak(offsets, upTo: 5000) == nil)
    }

    @Test func endsTimesAndCountsAreAsked() throws {
        cluster.createTopic("t", partitions: 3)
        try cluster.producer().produce("t", 2, [("", "a"), ("", "b")])
        let consumer = try cluster.consumer()
        #expect(try consumer.watermarks(of: TopicPartition("t", 2), timeout: patience) == Watermarks(low: 0, lastStableOffset: 2))
        #expect(try consumer.partitionCount(of: "t", timeout: patience) == 3)
        #expect(consumer.cachedLastStableOffset(of: TopicPartition("t", 2)) == nil || consumer.cachedLastStableOffset(of: TopicPartition("t", 2)) == 2)
        let error = #expect(throws: KafkaClientError.self) {
            _ = try consumer.watermarks(of: TopicPartition("t", 7), timeout: .seconds(2))
        }
        #expect(error?.isUnknownTopicOrPartition == true, "\(String(describing: error))")
    }

    @Test func anUnreachableClusterIsATypedTimeOut() throws {
        let consumer = try Consumer(ConsumerConfiguration(client: ClientConfiguration(brokers: "127.0.0.1:1"), groupID: "g"))
        let error = #expect(throws: KafkaClientError.self) {
            _ = try consumer.committed([TopicPartition("t", 0)], timeout: .milliseconds(200))
        }
        #expect(error?.isTimeout == true || error?.isRetriable == true, "\(String(describing: error))")
    }

    @Test func logLinesReachTheClosure() throws {
        let lines = Mutex<[String]>([])
        let client = ClientConfiguration(
            brokers: "127.0.0.1:1", log: { level, facility, text in lines.withLock { $0.append("\(level) \(facility) \(text)") } })
        let consumer = try Consumer(ConsumerConfiguration(client: client, groupID: "g"))
        _ = try consumer.event { if case .error = $0 { true } else { false } }
        #expect(lines.withLock { $0.contains { $0.contains("127.0.0.1:1") } })
    }
}

extension String {
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try Array(utf8).withUnsafeBytes(body)
    }
}
