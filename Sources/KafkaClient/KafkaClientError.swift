import CRdKafka

/// What librdkafka or a broker answered when it did not do what was asked.
package struct KafkaClientError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What was asked, with the topic, partition or group it was asked for.
    package var operation: String
    /// librdkafka's number: Kafka's protocol error codes are positive, the client's own negative.
    package var code: Int32
    /// The code's name, such as `_TRANSPORT` or `UNKNOWN_TOPIC_OR_PART`.
    package var name: String
    /// The reason in words, as librdkafka gives it.
    package var text: String
    /// The client instance is unusable from now on: close it and make another.
    package var isFatal: Bool
    /// The same call may succeed later without any change.
    package var isRetriable: Bool
    /// The transaction in flight has to be aborted.
    package var requiresAbort: Bool

    package var description: String {
        "\(operation): \(text) (\(name), \(code)\(isFatal ? ", fatal" : "")\(requiresAbort ? ", the transaction must be aborted" : ""))"
    }

    package init(
        operation: String, code: Int32, name: String, text: String, isFatal: Bool = false, isRetriable: Bool = false,
        requiresAbort: Bool = false
    ) {
        self.operation = operation
        self.code = code
        self.name = name
        self.text = text
        self.isFatal = isFatal
        self.isRetriable = isRetriable
        self.requiresAbort = requiresAbort
    }

    /// No answer within the time allowed.
    package var isTimeout: Bool {
        code == RD_KAFKA_RESP_ERR__TIMED_OUT.rawValue || code == RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE.rawValue
            || code == RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT.rawValue
    }

    /// The offset asked for is below the low watermark or above the end of the partition.
    package var isOffsetOutOfRange: Bool {
        code == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE.rawValue || code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET.rawValue
    }

    /// The group does not count this member, or not in this generation, among its own (any more).
    package var isRefusalByGroup: Bool {
        code == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION.rawValue || code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID.rawValue
            || code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID.rawValue
    }

    /// A transaction that has not ended carries offsets of the group.
    package var isUndecided: Bool { code == RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT.rawValue }

    /// The topic or the partition does not exist (any more).
    package var isUnknownTopicOrPartition: Bool {
        code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART.rawValue || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC.rawValue
            || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION.rawValue
    }

    init(_ operation: String, _ code: rd_kafka_resp_err_t, text: String? = nil, isFatal: Bool = false) {
        self.init(
            operation: operation,
            code: code.rawValue,
            name: String(cString: rd_kafka_err2name(code)),
            text: text ?? String(cString: rd_kafka_err2str(code)),
            isFatal: isFatal || code == RD_KAFKA_RESP_ERR__FATAL,
            isRetriable: Self.passes(code))
    }

    /// Takes over and destroys `error`.
    init(_ operation: String, consuming error: OpaquePointer) {
        defer { rd_kafka_error_destroy(error) }
        let code = rd_kafka_error_code(error)
        self.init(
            operation: operation,
            code: code.rawValue,
            name: String(cString: rd_kafka_err2name(code)),
            text: String(cString: rd_kafka_error_string(error)),
            isFatal: rd_kafka_error_is_fatal(error) != 0,
            isRetriable: rd_kafka_error_is_retriable(error) != 0,
            requiresAbort: rd_kafka_error_txn_requires_abort(error) != 0)
    }

    /// Plain codes carry no flag: these are the conditions that end by themselves, by KIP-588 and Kafka's error table.
    private static func passes(_ code: rd_kafka_resp_err_t) -> Bool {
        switch code {
        case RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, RD_KAFKA_RESP_ERR__TRANSPORT,
            RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__WAIT_COORD, RD_KAFKA_RESP_ERR__QUEUE_FULL,
            RD_KAFKA_RESP_ERR__RETRY, RD_KAFKA_RESP_ERR__RESOLVE, RD_KAFKA_RESP_ERR__IN_PROGRESS,
            RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
            RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
            RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
            RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS,
            RD_KAFKA_RESP_ERR_NOT_CONTROLLER, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
            RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
            true
        default:
            false
        }
    }
}

/// A configuration that no client can be made from. Nothing has been started.
package enum ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The user may not set this property; `reason` says what rests on it and what to set instead.
    case reserved(property: String, reason: String)
    /// librdkafka does not know the property (or this build lacks it).
    case unknown(property: String, text: String)
    /// librdkafka knows the property and refuses the value.
    case invalid(property: String, value: String, text: String)
    /// The properties are each fine, but no client came of them.
    case refused(text: String)

    package var description: String {
        switch self {
        case .reserved(let property, let reason): "Kafka property '\(property)' may not be set: \(reason)"
        case .unknown(let property, let text): "Kafka property '\(property)' is not known: \(text)"
        case .invalid(let property, let value, let text): "Kafka property '\(property)' does not accept '\(value)': \(text)"
        case .refused(let text): "the Kafka client could not be made: \(text)"
        }
    }
}
