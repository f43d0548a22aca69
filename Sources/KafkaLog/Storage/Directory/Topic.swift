/// A topic's identity, 16 bytes (KIP-516). Another topic that gets the name later has another one.
package struct TopicID: Hashable, Sendable, CustomStringConvertible {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The id of no topic, all zeros.
    package static let none = TopicID(high: 0, low: 0)

    static func random() -> TopicID {
        TopicID(high: UInt64.random(in: 1...UInt64.max), low: UInt64.random(in: 0...UInt64.max))
    }

    /// 32 hexadecimal digits.
    package var description: String { Self.hex(high) + Self.hex(low) }

    init?(hex: String) {
        guard hex.utf8.count == 32, let high = UInt64(hex.prefix(16), radix: 16), let low = UInt64(hex.suffix(16), radix: 16) else {
            return nil
        }
        self.init(high: high, low: low)
    }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

package struct Topic: Sendable, Hashable {
    package let id: TopicID
    package let name: String
    package internal(set) var partitionCount: Int32
    /// Settings by Kafka's names, only those that were given.
    package internal(set) var overrides: [String: String]

    /// Whether a topic may have this name: 1 to 249 of letters, digits, `.`, `_`, `-`, and neither `.` nor `..` (Kafka's rule).
    /// - Throws: `invalidTopic`, with the reason.
    package static func validate(name: String) throws(StorageError) {
        let isLegal = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard isLegal, (1...249).contains(name.utf8.count), name != ".", name != ".." else {
            throw StorageError(
                .invalidTopic, "a topic's name has 1 to 249 letters, digits, '.', '_' and '-', and is not '.' or '..'; this one is not so: \(name.prefix(300))")
        }
    }
}

/// The file `topics.meta`: one line a topic, and one for each journal there is: one that is missing is missed.
///
///     millrace-topics 1
///     topic <id, 32 hexadecimal digits> <name> <number of partitions> [<setting>=<value> ...]
///     journal <name>
enum TopicFile {
    private static let title = "millrace-topics 1"

    static func encode(_ topics: some Sequence<Topic>, journals: some Sequence<String>) -> [String] {
        [title]
            + topics.sorted { $0.name < $1.name }.map { topic in
                (["topic", topic.id.description, topic.name, String(topic.partitionCount)]
                    + topic.overrides.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }).joined(separator: " ")
            } + journals.sorted().map { "journal \($0)" }
    }

    /// The names of the journals.
    static func journals(_ lines: [String]) -> Set<String> {
        Set(lines.filter { $0.hasPrefix("journal ") }.map { String($0.dropFirst("journal ".count)) })
    }

    static func decode(_ lines: [String], path: String) throws(StorageError) -> [Topic] {
        guard lines.first == title else {
            throw StorageError(.storageError, "\(path) begins with '\(lines.first ?? "")', expected '\(title)': was it written by a newer version?")
        }
        var topics: [Topic] = []
        for line in lines.dropFirst() where !line.hasPrefix("journal ") {
            let fields = line.split(separator: " ").map(String.init)
            guard fields.count >= 4, fields[0] == "topic", let id = TopicID(hex: fields[1]), let count = Int32(fields[3]), count > 0 else {
                throw StorageError(.storageError, "\(path) has a line that is no topic: \(line)")
            }
            var topic = Topic(id: id, name: fields[2], partitionCount: count, overrides: [:])
            for setting in fields.dropFirst(4) {
                let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                guard parts.count == 2 else { throw StorageError(.storageError, "\(path) has a line with a bad setting: \(line)") }
                topic.overrides[parts[0]] = parts[1]
            }
            topics.append(topic)
        }
        return topics
    }
}
