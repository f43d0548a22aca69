/// Kafka's numbers for the types of settings.
enum SettingType: Int8 {
    case boolean = 1
    case string = 2
    case int = 3
    case long = 5
    case double = 6
    case list = 7
}

/// What clients are told of a topic's setting besides its value.
struct SettingDescription {
    let type: SettingType
    /// The broker's setting that counts where a topic says nothing.
    let brokerName: String
    let documentation: String

    /// By the names of topic settings.
    static let ofTopics: [String: SettingDescription] = [
        "cleanup.policy": .init(
            type: .list, brokerName: "log.cleanup.policy",
            documentation: "What becomes of old segments: delete removes them, compact keeps the last record of each key, or both."),
        "compression.type": .init(
            type: .string, brokerName: "compression.type", documentation: "Batches are kept as their producer compressed them."),
        "delete.retention.ms": .init(
            type: .long, brokerName: "log.cleaner.delete.retention.ms",
            documentation: "How long compaction keeps the record that deletes a key, in milliseconds."),
        "index.interval.bytes": .init(
            type: .int, brokerName: "log.index.interval.bytes", documentation: "How many bytes of log there are for one index entry."),
        "max.compaction.lag.ms": .init(
            type: .long, brokerName: "log.cleaner.max.compaction.lag.ms",
            documentation: "The longest time that a record is left out of compaction, in milliseconds."),
        "max.message.bytes": .init(
            type: .int, brokerName: "message.max.bytes", documentation: "The largest record batch that is taken, in bytes."),
        "message.timestamp.type": .init(
            type: .string, brokerName: "log.message.timestamp.type", documentation: "Records keep the time that their producer gave them."),
        "min.cleanable.dirty.ratio": .init(
            type: .double, brokerName: "log.cleaner.min.cleanable.ratio",
            documentation: "The part of a log that has to be uncompacted before it is compacted again."),
        "min.compaction.lag.ms": .init(
            type: .long, brokerName: "log.cleaner.min.compaction.lag.ms",
            documentation: "How long a record is not compacted, in milliseconds."),
        "min.insync.replicas": .init(
            type: .int, brokerName: "min.insync.replicas", documentation: "There is one replica, and it is in sync."),
        "retention.bytes": .init(
            type: .long, brokerName: "log.retention.bytes",
            documentation: "Old segments of a partition that is larger than this are deleted; -1 for never."),
        "retention.ms": .init(
            type: .long, brokerName: "log.retention.ms",
            documentation: "Segments whose newest record is older than this, in milliseconds, are deleted; -1 for never."),
        "segment.bytes": .init(
            type: .int, brokerName: "log.segment.bytes", documentation: "A segment is closed before it grows beyond this, in bytes."),
        "segment.ms": .init(
            type: .long, brokerName: "log.roll.ms", documentation: "A segment is closed when it is this old, in milliseconds."),
    ]

    /// A value as it is kept: the elements of a list are separated by a comma alone.
    static func normalised(_ value: String, of name: String) -> String {
        ofTopics[name]?.type == .list ? elements(of: value).joined(separator: ",") : value
    }

    /// The elements of a list's value.
    static func elements(of value: String) -> [String] {
        value.split(separator: ",").map { String($0.trimmed) }.filter { !$0.isEmpty }
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        let start = drop { $0.isWhitespace }
        let end = start.lastIndex { !$0.isWhitespace }
        return end.map { start[...$0] } ?? ""
    }
}
