/// The part of the consumer protocol's metadata that a broker looks at (Kafka: ConsumerProtocolSubscription):
/// version i16, number of topics i32, topics as i16 length and bytes; what follows is the client's own.
enum ConsumerSubscription {
    static let protocolType = "consumer"

    /// - Returns: nil when the bytes are something else.
    static func topics(_ metadata: [UInt8]) -> Set<String>? {
        var rest = metadata[...]
        func integer(_ count: Int) -> Int? {
            guard rest.count >= count else { return nil }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count).reduce(0) { $0 << 8 | Int($1) }
        }
        guard let version = integer(2), version < 0x8000, let count = integer(4), count <= rest.count / 2 else { return nil }
        var topics: Set<String> = []
        for _ in 0..<count {
            guard let length = integer(2), length <= rest.count,
                let topic = String(validating: rest.prefix(length), as: UTF8.self)
            else { return nil }
            topics.insert(topic)
            rest = rest.dropFirst(length)
        }
        return topics
    }
}
