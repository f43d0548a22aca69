import CRdKafka

/// A librdkafka configuration under construction.
final class Properties {
    private var conf: OpaquePointer?

    init() {
        conf = rd_kafka_conf_new()
    }

    deinit {
        if let conf { rd_kafka_conf_destroy(conf) }
    }

    var pointer: OpaquePointer {
        guard let conf else { preconditionFailure("the configuration was already used") }
        return conf
    }

    /// `rd_kafka_new` takes the configuration over when it succeeds.
    func forget() { conf = nil }

    func set(_ property: String, _ value: String) throws(ConfigurationError) {
        var text = [CChar](repeating: 0, count: 512)
        switch rd_kafka_conf_set(pointer, property, value, &text, text.count) {
        case RD_KAFKA_CONF_OK: return
        case RD_KAFKA_CONF_UNKNOWN: throw .unknown(property: property, text: string(fromC: text))
        default: throw .invalid(property: property, value: value, text: string(fromC: text))
        }
    }

    /// For properties that some versions of librdkafka lack and that only tune.
    /// - Returns: whether this one has it.
    func setIfKnown(_ property: String, _ value: String) -> Bool {
        rd_kafka_conf_set(pointer, property, value, nil, 0) == RD_KAFKA_CONF_OK
    }

    func set(_ property: String, _ duration: Duration) throws(ConfigurationError) {
        try set(property, String(duration.wholeMilliseconds))
    }

    func setFromUser(_ property: String, _ value: String) throws(ConfigurationError) {
        if let reason = Self.reserved[property] { throw .reserved(property: property, reason: reason) }
        if property.hasSuffix("_cb") || property == "opaque" || property == "default_topic_conf" {
            throw .reserved(property: property, reason: "it takes a function of this program, not a value")
        }
        try set(property, value)
    }

    func apply(_ client: ClientConfiguration) throws(ConfigurationError) {
        try set("bootstrap.servers", client.brokers)
        try set("client.id", client.clientID)
        for (property, value) in client.properties.sorted(by: { $0.key < $1.key }) { try setFromUser(property, value) }
    }

    /// Properties that correctness rests on, with librdkafka's aliases.
    static let reserved: [String: String] = {
        let offsets = "offsets are committed with the outputs, in one transaction"
        let identity = "it comes from the job and the daemon's configuration"
        let once = "exactly-once output rests on it"
        let start = "what happens at a missing offset is the source's 'start' and 'on_offset_out_of_range'"
        return [
            "bootstrap.servers": "set 'brokers' instead",
            "metadata.broker.list": "set 'brokers' instead",
            "group.id": identity, "group.instance.id": identity, "client.id": identity, "transactional.id": identity,
            "session.timeout.ms": identity, "max.poll.interval.ms": identity, "transaction.timeout.ms": identity,
            "group.protocol": "the client works with the classic group protocol",
            "group.protocol.type": "the client works with the classic group protocol",
            "partition.assignment.strategy": "partitions move one by one (cooperative-sticky), so that the others go on",
            "enable.auto.commit": offsets, "auto.commit.enable": offsets, "auto.commit.interval.ms": offsets,
            "enable.auto.offset.store": offsets, "offset.store.method": offsets, "offset.store.path": offsets,
            "offset.store.sync.interval.ms": offsets,
            "auto.offset.reset": start,
            "isolation.level": "only committed records are read",
            "enable.partition.eof": "the end of a partition is how idle is told from slow",
            "allow.auto.create.topics": "a reader must not create what it misses",
            "enable.idempotence": once, "acks": once, "request.required.acks": once,
            "max.in.flight": once, "max.in.flight.requests.per.connection": once,
            "retries": once, "message.send.max.retries": once, "enable.gapless.guarantee": once,
            "queuing.strategy": once,
            "partitioner": "records go where Java clients would put them (murmur2)",
            "delivery.report.only.error": "failed deliveries are counted by the client",
            "plugin.library.paths": "it loads foreign code into the process",
            "log.queue": "logs go to the daemon's log",
            "log.thread.name": "logs go to the daemon's log",
            "enable.random.seed": "the process seeds its own random numbers",
        ]
    }()
}

/// The text up to the first NUL.
func string(fromC buffer: [CChar]) -> String {
    String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

extension Duration {
    /// For librdkafka's time-outs: whole milliseconds, at least 1 if there is any time at all, at most an Int32.
    var wholeMilliseconds: Int32 {
        if self <= .zero { return 0 }
        let (seconds, attoseconds) = components
        if seconds >= 2_000_000 { return 2_000_000_000 }
        return max(1, Int32(seconds * 1000 + attoseconds / 1_000_000_000_000_000))
    }
}
