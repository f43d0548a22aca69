import CRdKafka
import CShims
import Synchronization

/// What the transactional and the plain producer share: putting records into librdkafka's queue, in order, bounded.
final class ProducerCore: Sendable {
    let client: ClientHandle
    private let transactional: Bool
    private let bulk = Mutex(Bulk())

    private struct Bulk: ~Copyable {
        var topics: [String: TopicHandle] = [:]
        var messages: [rd_kafka_message_t] = []
        var namesPartitions = false
        var accepted = 0
    }

    /// How many records are handed to librdkafka at once.
    private static let chunk = 1024

    /// Transactional if `transactionalID` is given, with the transactions' time-out.
    init(
        _ configuration: ProducerConfiguration, transactionalID: String? = nil, transactionTimeout: Duration = .zero
    ) throws(ConfigurationError) {
        transactional = transactionalID != nil
        let properties = Properties()
        try properties.set("enable.idempotence", "true")
        try properties.set("acks", "all")
        try properties.set("partitioner", "murmur2_random")
        // Successful deliveries are then forgotten on librdkafka's own threads, failed ones reported.
        try properties.set("delivery.report.only.error", "true")
        try properties.set("compression.type", configuration.compression.rawValue)
        try properties.set("linger.ms", configuration.linger)
        try properties.set("queue.buffering.max.messages", String(configuration.queueMessages))
        try properties.set("queue.buffering.max.kbytes", String(configuration.queueKiB))
        if transactional { try properties.set("message.max.bytes", String(TransactionalProducerConfiguration.recordBytesMax)) }
        try properties.apply(configuration.client)
        if let transactionalID {
            try properties.set("transactional.id", transactionalID)
            try properties.set("transaction.timeout.ms", transactionTimeout)
        }
        client = try ClientHandle(RD_KAFKA_PRODUCER, properties, configuration.client.log)
    }

    /// Records accepted so far by either form.
    var accepted: Int { bulk.withLock { $0.accepted } }

    /// Records and reports that are still underway.
    var pending: Int { Int(rd_kafka_outq_len(client.pointer)) }

    var failures: DeliveryFailures { client.callbacks.deliveries.withLock { $0 } }

    func forgetFailures() { client.callbacks.deliveries.withLock { $0 = DeliveryFailures() } }

    func serveCallbacks() { rd_kafka_poll(client.pointer, 0) }

    // MARK: One record

    func produce(
        topic: String, partition: Int32, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?,
        headers: [MessageHeader], timestampMilliseconds: Int64, timeout: Duration
    ) throws(ProducerError) {
        var deadline: ContinuousClock.Instant?
        while true {
            let list = headers.isEmpty ? nil : Self.list(headers)
            let code = rd_kafka_resp_err_t(
                millrace_rdkafka_produce(
                    UnsafeMutableRawPointer(client.pointer), topic, partition, Self.start(key), key?.count ?? 0,
                    Self.start(value), value?.count ?? 0, timestampMilliseconds, list.map { UnsafeMutableRawPointer($0) }))
            if code == RD_KAFKA_RESP_ERR_NO_ERROR {
                bulk.withLock { $0.accepted += 1 }
                return
            }
            if let list { rd_kafka_headers_destroy(list) }
            let count = (key?.count ?? 0) + (value?.count ?? 0)
            if code != RD_KAFKA_RESP_ERR__QUEUE_FULL { throw refusal(code, "send a record of \(count) bytes to \(topic)/\(partition)") }
            try waitForRoom(&deadline, timeout, topic)
        }
    }

    /// A null pointer means no key or a tombstone: an empty one needs an address.
    private static func start(_ bytes: UnsafeRawBufferPointer?) -> UnsafeRawPointer? {
        guard let bytes else { return nil }
        return bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1)
    }

    private static func list(_ headers: [MessageHeader]) -> OpaquePointer? {
        guard let list = rd_kafka_headers_new(headers.count) else { return nil }
        for header in headers {
            var name = header.name
            name.withUTF8 { name in
                name.withMemoryRebound(to: CChar.self) { name in
                    if let value = header.value {
                        value.withUnsafeBytes { value in
                            _ = rd_kafka_header_add(
                                list, name.baseAddress, name.count, start(value), value.count)
                        }
                    } else {
                        _ = rd_kafka_header_add(list, name.baseAddress, name.count, nil, 0)
                    }
                }
            }
        }
        return list
    }

    // MARK: Many records

    func produce(_ records: OutgoingRecords, topic: String, timeout: Duration) throws(ProducerError) {
        let thrown: ProducerError? = bulk.withLock { bulk in
            do throws(ProducerError) {
                let handle = try self.handle(topic, &bulk)
                var next = 0
                while next < records.count {
                    let end = min(next + Self.chunk, records.count)
                    try send(records, next..<end, handle, topic, &bulk, timeout)
                    next = end
                }
                return nil
            } catch {
                return error
            }
        }
        serveCallbacks()
        if let thrown { throw thrown }
    }

    private func handle(_ topic: String, _ bulk: inout Bulk) throws(ProducerError) -> TopicHandle {
        if let known = bulk.topics[topic] { return known }
        guard let pointer = rd_kafka_topic_new(client.pointer, topic, nil) else {
            throw refusal(rd_kafka_last_error(), "open topic '\(topic)'")
        }
        let made = TopicHandle(pointer, of: client)
        bulk.topics[topic] = made
        return made
    }

    private func send(
        _ records: OutgoingRecords, _ range: Range<Int>, _ handle: TopicHandle, _ topic: String, _ bulk: inout Bulk,
        _ timeout: Duration
    ) throws(ProducerError) {
        bulk.messages.removeAll(keepingCapacity: true)
        bulk.namesPartitions = false
        let thrown: ProducerError? = records.bytes.withUnsafeBytes { bytes in
            do throws(ProducerError) {
                for index in range { try add(records.entries[index], bytes, index, &bulk) }
                // In a transaction librdkafka's bulk call registers partition -1 when the partition is named before the topic's
                // metadata is there; the coordinator does not know that partition, and the transaction never ends.
                if transactional && bulk.namesPartitions {
                    try enqueueSingly(handle, topic, &bulk, timeout)
                } else {
                    try enqueue(handle, topic, &bulk, timeout)
                }
                return nil
            } catch {
                return error
            }
        }
        if let thrown { throw thrown }
    }

    private func add(
        _ entry: OutgoingRecords.Entry, _ bytes: UnsafeRawBufferPointer, _ index: Int, _ bulk: inout Bulk
    ) throws(ProducerError) {
        let key = try Self.slice(bytes, entry.keyStart, entry.keyCount, "key of record \(index)")
        let value = try Self.slice(bytes, entry.valueStart, entry.valueCount, "value of record \(index)")
        var message = rd_kafka_message_t()
        message.partition = entry.partition
        if entry.partition >= 0 { bulk.namesPartitions = true }
        message.key = Self.start(key).map { UnsafeMutableRawPointer(mutating: $0) }
        message.key_len = key?.count ?? 0
        message.payload = Self.start(value).map { UnsafeMutableRawPointer(mutating: $0) }
        message.len = value?.count ?? 0
        bulk.messages.append(message)
    }

    private static func slice(
        _ bytes: UnsafeRawBufferPointer, _ start: Int32, _ count: Int32, _ what: @autoclosure () -> String
    ) throws(ProducerError) -> UnsafeRawBufferPointer? {
        if count == -1 { return nil }
        let first = Int(start)
        let last = first + Int(count)
        guard first >= 0, count >= 0, last <= bytes.count else {
            throw ProducerError(
                .rejected,
                KafkaClientError(
                    "take the \(what())", RD_KAFKA_RESP_ERR__INVALID_ARG,
                    text: "it is said to be at \(start), \(count) bytes long, in a buffer of \(bytes.count)"))
        }
        return UnsafeRawBufferPointer(rebasing: bytes[first..<last])
    }

    /// When the queue is full librdkafka refuses that record and all that follow it in the call, so that sending the rest
    /// again keeps the order.
    private func enqueue(_ handle: TopicHandle, _ topic: String, _ bulk: inout Bulk, _ timeout: Duration) throws(ProducerError) {
        var deadline: ContinuousClock.Instant?
        var next = 0
        while next < bulk.messages.count {
            bulk.accepted += bulk.messages.withUnsafeMutableBufferPointer { messages in
                Int(
                    rd_kafka_produce_batch(
                        handle.pointer, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_PARTITION,
                        messages.baseAddress.map { $0 + next }, Int32(messages.count - next)))
            }
            guard let failed = bulk.messages[next...].firstIndex(where: { $0.err != RD_KAFKA_RESP_ERR_NO_ERROR }) else { return }
            let message = bulk.messages[failed]
            if message.err != RD_KAFKA_RESP_ERR__QUEUE_FULL {
                throw refusal(
                    message.err, "send a record of \(message.key_len + message.len) bytes to \(topic)/\(message.partition)")
            }
            try waitForRoom(&deadline, timeout, topic)
            next = failed
        }
    }

    private func enqueueSingly(_ handle: TopicHandle, _ topic: String, _ bulk: inout Bulk, _ timeout: Duration) throws(ProducerError) {
        var deadline: ContinuousClock.Instant?
        for message in bulk.messages {
            while rd_kafka_produce(
                handle.pointer, message.partition, RD_KAFKA_MSG_F_COPY, message.payload, message.len, message.key,
                message.key_len, nil) != 0
            {
                let code = rd_kafka_last_error()
                if code != RD_KAFKA_RESP_ERR__QUEUE_FULL {
                    throw refusal(
                        code, "send a record of \(message.key_len + message.len) bytes to \(topic)/\(message.partition)")
                }
                try waitForRoom(&deadline, timeout, topic)
            }
            bulk.accepted += 1
        }
    }

    // MARK: Waiting and failing

    /// Serves callbacks until there may be room, or throws when the time is over.
    private func waitForRoom(_ deadline: inout ContinuousClock.Instant?, _ timeout: Duration, _ topic: String) throws(ProducerError) {
        let limit = deadline ?? (.now + timeout)
        deadline = limit
        if ContinuousClock.now >= limit {
            throw ProducerError(
                .retriable,
                KafkaClientError(
                    "send to '\(topic)'", RD_KAFKA_RESP_ERR__QUEUE_FULL,
                    text: "the queue of \(pending) records has been full for \(timeout)"))
        }
        rd_kafka_poll(client.pointer, 5)
    }

    private func refusal(_ code: rd_kafka_resp_err_t, _ operation: String) -> ProducerError {
        if let fatal = client.fatalError(operation) { return ProducerError(.fatal, fatal) }
        let error = KafkaClientError(operation, code)
        switch code {
        case RD_KAFKA_RESP_ERR__QUEUE_FULL: return ProducerError(.retriable, error)
        // Records are taken in a transaction that can still be committed, and in no other state.
        case RD_KAFKA_RESP_ERR__STATE: return ProducerError(.abortable, error)
        default: return ProducerError(.rejected, error)
        }
    }

    /// Waits until every record is acknowledged or given up on.
    func flush(timeout: Duration) throws(ProducerError) {
        // librdkafka looks every 10 ms whether all is acknowledged, and nothing wakes it earlier, for successful deliveries are not
        // reported: asked for less at first, a small transaction does not wait for ten times what it takes.
        let deadline = ContinuousClock.now + timeout
        var step: Int32 = 1
        var tries = 0
        while true {
            let remaining = max(.zero, deadline - .now).wholeMilliseconds
            let code = rd_kafka_flush(client.pointer, min(step, remaining))
            if code == RD_KAFKA_RESP_ERR_NO_ERROR { return }
            if code != RD_KAFKA_RESP_ERR__TIMED_OUT || remaining == 0 {
                throw ProducerError(flagsOf: KafkaClientError("wait for \(pending) records to be acknowledged", code))
            }
            tries += 1
            if tries > 10 { step = min(step * 2, 100) }
        }
    }
}

/// A topic as bulk sending wants it; keeps the instance alive. Sendable like the instance.
private final class TopicHandle: @unchecked Sendable {
    let pointer: OpaquePointer
    private let client: ClientHandle

    init(_ pointer: OpaquePointer, of client: ClientHandle) {
        self.pointer = pointer
        self.client = client
    }

    deinit { rd_kafka_topic_destroy(pointer) }
}
