import KafkaClient

/// A record that could not be used, as it came, with the reason why (DESIGN §6).
package struct DeadLetter: Sendable {
    /// The topic takes records up to its `max.message.bytes`, by default 1 MiB; what is longer is cut, and says where the whole one is.
    static let bytesMax = 900_000
    /// What headers and key each keep of a record that is cut; the value has the rest.
    static let partBytesMax = 200_000

    package var key: [UInt8]?
    package var value: [UInt8]?
    package var headers: [MessageHeader]
    var isCut: Bool

    init(_ message: Message, reason: DeadLetterReason, detail: String, source: TopicPartition, job: String) {
        headers = message.headers()
        let sizes = (key: message.key?.count ?? 0, value: message.payload?.count ?? 0, headers: headers.reduce(0) { $0 + Self.size($1) })
        isCut = sizes.key + sizes.value + sizes.headers > Self.bytesMax
        var room = Self.bytesMax
        if isCut {
            var headerRoom = Self.partBytesMax
            headers.removeAll { header in
                guard Self.size(header) <= headerRoom else { return true }
                headerRoom -= Self.size(header)
                return false
            }
            room = Self.bytesMax - (Self.partBytesMax - headerRoom) - min(sizes.key, Self.partBytesMax)
        }
        key = message.key.map { [isCut] in Array(isCut ? $0.prefix(Self.partBytesMax) : $0[...]) }
        value = message.payload.map { Array($0.prefix(room)) }
        headers.append(MessageHeader("millrace.reason", reason.rawValue))
        headers.append(MessageHeader("millrace.detail", String(detail.prefix(1_000))))
        headers.append(MessageHeader("millrace.source", "\(source.topic)/\(source.partition)@\(message.offset)"))
        headers.append(MessageHeader("millrace.job", job))
        if isCut { headers.append(MessageHeader("millrace.cut", "true")) }
    }

    private static func size(_ header: MessageHeader) -> Int { header.name.utf8.count + (header.value?.count ?? 0) + 16 }

    /// Bytes that it holds until it is committed.
    var size: Int {
        (key?.count ?? 0) + (value?.count ?? 0) + headers.reduce(64) { $0 + $1.name.utf8.count + ($1.value?.count ?? 0) }
    }
}
