import CRdKafka

/// A topic to be created.
package struct NewTopic: Sendable, Equatable {
    package var name: String
    package var partitions: Int32
    /// -1: the broker's default.
    package var replicationFactor: Int32
    /// Topic configuration such as `retention.ms` or `cleanup.policy`.
    package var configuration: [String: String]

    package init(_ name: String, partitions: Int32, replicationFactor: Int32 = -1, configuration: [String: String] = [:]) {
        self.name = name
        self.partitions = partitions
        self.replicationFactor = replicationFactor
        self.configuration = configuration
    }
}

/// A request of the administrator that failed as a whole, or for some topics.
package struct AdminError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The whole request failed (no broker, time-out, not allowed).
    package var request: KafkaClientError?
    /// Why, for each topic that failed; the others are done.
    package var topics: [String: KafkaClientError]

    package init(request: KafkaClientError? = nil, topics: [String: KafkaClientError] = [:]) {
        self.request = request
        self.topics = topics
    }

    package var description: String {
        let reasons = [request].compactMap { $0?.description } + topics.sorted { $0.key < $1.key }.map { $0.value.description }
        return reasons.joined(separator: "; ")
    }
}

/// Makes, lists and deletes topics. Never creates a topic by asking for it.
package final class AdminClient: Sendable {
    private let client: ClientHandle

    package init(_ configuration: ClientConfiguration) throws(ConfigurationError) {
        let properties = Properties()
        try properties.set("allow.auto.create.topics", "false")
        try properties.apply(configuration)
        // A consumer instance: a producer's would ask brokers to create topics. It joins no group.
        client = try ClientHandle(RD_KAFKA_CONSUMER, properties, configuration.log)
    }

    /// Creates topics. A topic that is there already is an error (`TOPIC_ALREADY_EXISTS`) of that topic.
    package func create(_ topics: [NewTopic], timeout: Duration) throws(AdminError) {
        if topics.isEmpty { return }
        var requests: [OpaquePointer?] = []
        defer { for request in requests { rd_kafka_NewTopic_destroy(request) } }
        for topic in topics { requests.append(try request(topic)) }
        try perform("create topic", RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout) { options, queue in
            rd_kafka_CreateTopics(client.pointer, &requests, requests.count, options, queue)
        } results: { event, count in
            rd_kafka_event_CreateTopics_result(event).flatMap { rd_kafka_CreateTopics_result_topics($0, &count) }
        }
    }

    /// Creates a topic if it is not there, and returns how many partitions it has, which may be another number than asked
    /// for if it was there.
    package func ensure(_ topic: NewTopic, timeout: Duration) throws(AdminError) -> Int32 {
        let deadline = ContinuousClock.now + timeout
        if let count = try describe(topic.name, timeout: timeout) { return count }
        do {
            try create([topic], timeout: max(.milliseconds(1), deadline - .now))
        } catch {
            let code = error.topics[topic.name]?.code
            if error.request != nil || code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS.rawValue { throw error }
        }
        // Brokers learn of a new topic one after the other.
        while true {
            let remaining = deadline - .now
            if let count = try describe(topic.name, timeout: max(.milliseconds(1), remaining)) { return count }
            if remaining <= .zero {
                throw AdminError(topics: [
                    topic.name: KafkaClientError(
                        "wait for new topic '\(topic.name)'", RD_KAFKA_RESP_ERR__TIMED_OUT,
                        text: "the broker created it but does not list it yet")
                ])
            }
        }
    }

    /// How many partitions a topic has; nil if there is no such topic.
    package func describe(_ topic: String, timeout: Duration) throws(AdminError) -> Int32? {
        do {
            return try client.partitionCount(of: topic, timeout)
        } catch {
            if error.isUnknownTopicOrPartition { return nil }
            throw AdminError(request: error)
        }
    }

    /// All topics with their partition counts.
    package func list(timeout: Duration) throws(AdminError) -> [String: Int32] {
        do {
            return try client.topics(timeout)
        } catch {
            throw AdminError(request: error)
        }
    }

    /// Deletes topics with all their records.
    package func delete(_ topics: [String], timeout: Duration) throws(AdminError) {
        if topics.isEmpty { return }
        var requests = topics.map { rd_kafka_DeleteTopic_new($0) }
        defer { for request in requests { rd_kafka_DeleteTopic_destroy(request) } }
        try perform("delete topic", RD_KAFKA_ADMIN_OP_DELETETOPICS, timeout) { options, queue in
            rd_kafka_DeleteTopics(client.pointer, &requests, requests.count, options, queue)
        } results: { event, count in
            rd_kafka_event_DeleteTopics_result(event).flatMap { rd_kafka_DeleteTopics_result_topics($0, &count) }
        }
    }

    private func request(_ topic: NewTopic) throws(AdminError) -> OpaquePointer {
        var text = [CChar](repeating: 0, count: 512)
        let operation = "create topic '\(topic.name)'"
        guard
            let request = rd_kafka_NewTopic_new(topic.name, topic.partitions, topic.replicationFactor, &text, text.count)
        else {
            throw AdminError(topics: [
                topic.name: KafkaClientError(operation, RD_KAFKA_RESP_ERR__INVALID_ARG, text: string(fromC: text))
            ])
        }
        for (key, value) in topic.configuration.sorted(by: { $0.key < $1.key }) {
            let code = rd_kafka_NewTopic_set_config(request, key, value)
            if code == RD_KAFKA_RESP_ERR_NO_ERROR { continue }
            rd_kafka_NewTopic_destroy(request)
            throw AdminError(topics: [topic.name: KafkaClientError("\(operation), '\(key)'", code)])
        }
        return request
    }

    /// Sends a request and waits for its answer, which says for each topic how it went.
    private func perform(
        _ verb: String, _ kind: rd_kafka_admin_op_t, _ timeout: Duration,
        request: (_ options: OpaquePointer?, _ queue: OpaquePointer) -> Void,
        results: (_ event: OpaquePointer, _ count: inout Int) -> UnsafeMutablePointer<OpaquePointer?>?
    ) throws(AdminError) {
        guard let pointer = rd_kafka_queue_new(client.pointer) else {
            throw AdminError(request: KafkaClientError(verb, RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE))
        }
        let queue = QueueHandle(pointer, of: client)
        let options = rd_kafka_AdminOptions_new(client.pointer, kind)
        defer { rd_kafka_AdminOptions_destroy(options) }
        let milliseconds = max(1, timeout.wholeMilliseconds)
        // Both refuse only values out of range, far above what they are given here.
        _ = rd_kafka_AdminOptions_set_request_timeout(options, min(milliseconds, 3_600_000), nil, 0)
        _ = rd_kafka_AdminOptions_set_operation_timeout(options, min(milliseconds, 3_600_000), nil, 0)
        request(options, queue.pointer)
        // The request's own time-out ends the wait; the margin is for a client without threads to spare.
        guard let event = rd_kafka_queue_poll(queue.pointer, min(milliseconds, 3_600_000) + 5000) else {
            throw AdminError(request: KafkaClientError(verb, RD_KAFKA_RESP_ERR__TIMED_OUT))
        }
        defer { rd_kafka_event_destroy(event) }
        let code = rd_kafka_event_error(event)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR {
            throw AdminError(
                request: KafkaClientError(verb, code, text: String(cString: rd_kafka_event_error_string(event))))
        }
        var count = 0
        let answers = results(event, &count)
        var failures: [String: KafkaClientError] = [:]
        for index in 0..<count {
            guard let answer = answers?[index] else { continue }
            let code = rd_kafka_topic_result_error(answer)
            if code == RD_KAFKA_RESP_ERR_NO_ERROR { continue }
            let name = String(cString: rd_kafka_topic_result_name(answer))
            failures[name] = KafkaClientError(
                "\(verb) '\(name)'", code, text: rd_kafka_topic_result_error_string(answer).map { String(cString: $0) })
        }
        if !failures.isEmpty { throw AdminError(topics: failures) }
    }
}
