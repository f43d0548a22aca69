import CRdKafka
import KafkaClient

/// The client that users have, through the same wrappers that jobs use.
struct LibrdkafkaClient {
    private let load: BenchLoad
    private let configuration: ClientConfiguration

    /// Makes the topic, unless it is there.
    init(_ load: BenchLoad) throws {
        self.load = load
        configuration = ClientConfiguration(brokers: load.brokers, clientID: "millrace-bench")
        _ = try AdminClient(configuration).ensure(NewTopic(load.topic, partitions: BenchLoad.partitions), timeout: .seconds(15))
    }

    /// An idempotent producer, uncompressed, linger 5 ms; batches (1 MB) and queue as librdkafka has them.
    func produce() throws -> BenchFigures {
        let producer = try Producer(ProducerConfiguration(client: configuration, compression: .none, queueMessages: 100_000))
        let lists = (0..<BenchLoad.partitions).map { partition in
            var list = OutgoingRecords()
            for number in 0..<2_000 {
                let (key, value) = BenchLoad.record(number)
                list.append(key: key, value: value, partition: partition)
            }
            return list
        }
        let rounds = max(1, load.records / lists[0].count)
        let (began, used) = (BenchClock.now, BenchClock.processorSeconds)
        for round in 0..<rounds { try producer.produce(lists[round % lists.count], topic: load.topic, timeout: .seconds(60)) }
        try producer.flush(timeout: .seconds(120))
        let seconds = BenchClock.now - began
        if let failure = producer.deliveries.firstFailure { throw failure }
        return ["seconds": seconds, "records": Double(rounds * lists[0].count), "cpu_seconds": BenchClock.processorSeconds - used]
    }

    /// Reads from the beginning: the records are taken from librdkafka's queue and not looked at.
    func consume() throws -> BenchFigures {
        let consumer = try Consumer(ConsumerConfiguration(client: configuration, groupID: "\(load.topic)-bench"))
        let queue = try consumer.makeWorkerQueue()
        let (began, used) = (BenchClock.now, BenchClock.processorSeconds)
        for partition in 0..<BenchLoad.partitions {
            try consumer.begin(TopicPartition(load.topic, partition), at: .earliest, on: queue)
        }
        var records = 0
        while records < load.records {
            let batch = queue.consume(max: 10_000, timeout: .seconds(1))
            for case .failure(_, let error) in batch.items { throw error }
            records += batch.count
        }
        return ["seconds": BenchClock.now - began, "records": Double(records), "cpu_seconds": BenchClock.processorSeconds - used]
    }

    /// Ten records in four partitions a transaction, one after the other; timed from begin to the end of commit.
    func transactions() throws -> BenchFigures {
        let producer = try TransactionalProducer(
            TransactionalProducerConfiguration(
                producer: ProducerConfiguration(client: configuration, compression: .none, linger: .zero),
                transactionalID: "\(load.topic)-librdkafka"))
        try producer.initTransactions(timeout: .seconds(30))
        var records = OutgoingRecords()
        for number in 0..<10 {
            let (key, value) = BenchLoad.record(number)
            records.append(key: key, value: value, partition: Int32(number) % BenchLoad.partitions)
        }
        var times = BenchTimes()
        let end = BenchClock.now + Double(load.seconds)
        while BenchClock.now < end {
            let began = BenchClock.now
            try producer.begin()
            try producer.produce(records, topic: load.topic)
            try producer.commit(timeout: .seconds(30))
            times.add(BenchClock.now - began)
        }
        return times.figures
    }

    /// An open loop as the lean client's; here librdkafka packs the records, with `linger.ms` 1.
    func latency() throws -> BenchFigures {
        let producer = try ReportingProducer(load.brokers, topic: load.topic)
        let (_, value) = BenchLoad.record(1)
        let pace = 1 / Double(load.rate)
        let perTurn = max(1, load.rate / 1_000)
        let uncounted = load.rate * BenchLoad.warmUpSeconds
        let count = (load.rate * load.seconds + uncounted) / perTurn * perTurn
        var times = BenchTimes()
        let (began, used) = (BenchClock.now, BenchClock.processorSeconds)
        var sent = 0
        var acknowledged = 0
        while acknowledged < count {
            let due = min(count, Int((BenchClock.now - began) / pace) / perTurn * perTurn)
            while sent < due, producer.send(value, partition: Int32(sent / perTurn) % BenchLoad.partitions, tag: sent) { sent += 1 }
            try producer.reports(milliseconds: 1) { number in
                if number >= uncounted { times.add(BenchClock.now - began - Double(number) * pace) }
                acknowledged += 1
            }
        }
        var figures = times.figures
        figures["seconds"] = BenchClock.now - began
        figures["cpu_seconds"] = BenchClock.processorSeconds - used
        return figures
    }
}

/// A producer that says of each record when it was acknowledged, which the wrappers for jobs have no use for.
private final class ReportingProducer {
    private let client: OpaquePointer
    private let topic: OpaquePointer
    private let queue: OpaquePointer

    init(_ brokers: String, topic name: String) throws {
        let properties = rd_kafka_conf_new()
        for (property, value) in [
            ("bootstrap.servers", brokers), ("enable.idempotence", "true"), ("acks", "all"), ("linger.ms", "1"),
            ("queue.buffering.max.messages", "10000000"),
        ] {
            guard rd_kafka_conf_set(properties, property, value, nil, 0) == RD_KAFKA_CONF_OK else {
                throw BenchFailure(description: "librdkafka does not take \(property)=\(value)")
            }
        }
        rd_kafka_conf_set_events(properties, RD_KAFKA_EVENT_DR)
        guard let client = rd_kafka_new(RD_KAFKA_PRODUCER, properties, nil, 0) else {
            throw BenchFailure(description: "librdkafka made no producer")
        }
        guard let topic = rd_kafka_topic_new(client, name, nil), let queue = rd_kafka_queue_get_main(client) else {
            throw BenchFailure(description: "librdkafka made no topic")
        }
        (self.client, self.topic, self.queue) = (client, topic, queue)
    }

    deinit {
        rd_kafka_queue_destroy(queue)
        rd_kafka_topic_destroy(topic)
        rd_kafka_destroy(client)
    }

    /// False when there is no room.
    func send(_ value: [UInt8], partition: Int32, tag: Int) -> Bool {
        value.withUnsafeBytes { bytes in
            rd_kafka_produce(
                topic, partition, RD_KAFKA_MSG_F_COPY, UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count, nil, 0,
                UnsafeMutableRawPointer(bitPattern: tag + 1)) == 0
        }
    }

    /// Waits for reports and gives the tags of the records that they are about.
    func reports(milliseconds: Int32, _ body: (Int) -> Void) throws {
        guard let event = rd_kafka_queue_poll(queue, milliseconds) else { return }
        defer { rd_kafka_event_destroy(event) }
        guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR else { return }
        while let message = rd_kafka_event_message_next(event) {
            guard message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
                throw BenchFailure(description: String(cString: rd_kafka_err2str(message.pointee.err)))
            }
            body(Int(bitPattern: message.pointee._private) - 1)
        }
    }
}
