import KafkaClient

/// A record that could not be used, as it came, with the reason why (DESIGN §6).
struct DeadLetter: Sendable {
    /// The topic takes records up to its `max.message.bytes`; what is longer is cut, and says where the whole one is.
    static let valueBytesMax = 900_000

    var key: [UInt8]?
    var value: [UInt8]?
    var headers: [MessageHeader]
    var isCut: Bool

    init(_ message: Message, reason: DeadLetterReason, detail: String, source: TopicPartition, job: String) {
        key = message.key.map { Array($0.prefix(Self.valueBytesMax)) }
        value = message.payload.map { Array($0.prefix(Self.valueBytesMax)) }
        isCut = (message.payload?.count ?? 0) > Self.valueBytesMax || (message.key?.count ?? 0) > Self.valueBytesMax
        headers = message.headers()
        headers.append(MessageHeader("millrace.reason", reason.rawValue))
        headers.append(MessageHeader("millrace.detail", String(detail.prefix(1_000))))
        headers.append(MessageHeader("millrace.source", "\(source.topic)/\(source.partition)@\(message.offset)"))
        headers.append(MessageHeader("millrace.job", job))
        if isCut { headers.append(MessageHeader("millrace.cut", "true")) }
    }

    /// Bytes that it holds until it is committed.
    var size: Int {
        (key?.count ?? 0) + (value?.count ?? 0) + headers.reduce(64) { $0 + $1.name.utf8.count + ($1.value?.count ?? 0) }
    }
}
