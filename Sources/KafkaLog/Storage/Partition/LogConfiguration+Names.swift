extension LogConfiguration {
    /// A setting as DescribeConfigs shows it.
    package struct Setting: Sendable, Hashable {
        package let name: String
        package let value: String
    }

    /// All settings that have an effect.
    package var settings: [Setting] {
        [
            Setting(name: "cleanup.policy", value: cleanupPolicy.rawValue),
            Setting(name: "delete.retention.ms", value: String(deleteRetentionMilliseconds)),
            Setting(name: "index.interval.bytes", value: String(indexIntervalBytes)),
            Setting(name: "max.compaction.lag.ms", value: String(maxCompactionLagMilliseconds)),
            Setting(name: "max.message.bytes", value: String(maxMessageBytes)),
            Setting(name: "min.cleanable.dirty.ratio", value: String(minCleanableDirtyRatio)),
            Setting(name: "min.compaction.lag.ms", value: String(minCompactionLagMilliseconds)),
            Setting(name: "retention.bytes", value: String(retentionBytes)),
            Setting(name: "retention.ms", value: String(retentionMilliseconds)),
            Setting(name: "segment.bytes", value: String(segmentBytes)),
            Setting(name: "segment.ms", value: String(segmentMilliseconds)),
        ]
    }

    /// Settings of Kafka that topics are made with and that have no effect on a log of one machine.
    private static let accepted: Set<String> = [
        "compression.type", "file.delete.delay.ms", "flush.messages", "flush.ms", "message.timestamp.difference.max.ms",
        "min.insync.replicas", "preallocate", "segment.index.bytes", "segment.jitter.ms", "unclean.leader.election.enable",
    ]

    /// Sets one by its Kafka name.
    /// - Throws: `invalidConfiguration` for a name that does not exist, and a value that is not allowed.
    package mutating func set(_ name: String, to value: String) throws(StorageError) {
        switch name {
        case "cleanup.policy":
            let parts = Set(value.split(separator: ",").map { $0.filter { $0 != " " } })
            switch parts {
            case ["delete"]: cleanupPolicy = .delete
            case ["compact"]: cleanupPolicy = .compact
            case ["compact", "delete"]: cleanupPolicy = .compactAndDelete
            default: throw Self.refused(name, value, "delete, compact or both")
            }
        case "delete.retention.ms": deleteRetentionMilliseconds = try Self.integer(name, value, 0...Int64(1) << 53)
        case "index.interval.bytes": indexIntervalBytes = Int(try Self.integer(name, value, 0...Int64(Int32.max)))
        case "max.compaction.lag.ms": maxCompactionLagMilliseconds = try Self.integer(name, value, 1...Int64.max)
        case "max.message.bytes": maxMessageBytes = Int(try Self.integer(name, value, 1024...(1 << 30)))
        case "min.cleanable.dirty.ratio":
            guard let ratio = Double(value), (0...1).contains(ratio) else { throw Self.refused(name, value, "a number from 0 to 1") }
            minCleanableDirtyRatio = ratio
        case "min.compaction.lag.ms": minCompactionLagMilliseconds = try Self.integer(name, value, 0...Int64.max)
        case "retention.bytes": retentionBytes = try Self.integer(name, value, -1...Int64.max)
        case "retention.ms": retentionMilliseconds = try Self.integer(name, value, -1...Int64(1) << 53)
        case "segment.bytes": segmentBytes = Int(try Self.integer(name, value, 1024...Int64(Int32.max)))
        case "segment.ms": segmentMilliseconds = try Self.integer(name, value, 1...Int64(1) << 53)
        case "message.timestamp.type":
            guard value == "CreateTime" else { throw Self.refused(name, value, "CreateTime") }
        default:
            guard Self.accepted.contains(name) else {
                throw StorageError(.invalidConfiguration, "there is no topic setting \(name)")
            }
        }
    }

    private static func integer(_ name: String, _ value: String, _ range: ClosedRange<Int64>) throws(StorageError) -> Int64 {
        guard let number = Int64(value), range.contains(number) else {
            throw refused(name, value, "a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private static func refused(_ name: String, _ value: String, _ expected: String) -> StorageError {
        StorageError(.invalidConfiguration, "\(name) cannot be \(value), expected \(expected)")
    }
}
