import Batch

/// One topic, and what is read from its records: of the job file, or the internal topic of a shuffle.
package struct SourcePlan: Sendable {
    package var name: String
    package var topic: String
    package var format: RecordFormat
    /// Position of the field that the topic is partitioned by: a string or an int64 that is never null. Nil where the file
    /// names none.
    package var key: Int?
    /// In the order of the file.
    package var fields: [SourceField]
    package var eventTime: EventTimePlan
    /// Where to begin without a committed offset.
    package var start: StartPosition
    package var onOffsetOutOfRange: OffsetOutOfRange
    /// When the topic has more partitions than the state was made with, and records of a key may lie elsewhere than before.
    package var onPartitionGrowth = PartitionGrowth.fail
    /// A window or a dedupe reads a source without key: with more than one partition its results would be wrong,
    /// so the runtime refuses a topic that has more.
    package var mustHaveOnePartition: Bool
    /// Position in `JobPlan.shuffles` of what it reads; nil for a source of the job file.
    package var shuffle: Int?

    package init(
        name: String, topic: String, format: RecordFormat, key: Int?, fields: [SourceField], eventTime: EventTimePlan,
        start: StartPosition, onOffsetOutOfRange: OffsetOutOfRange, mustHaveOnePartition: Bool, shuffle: Int? = nil
    ) {
        self.name = name
        self.topic = topic
        self.format = format
        self.key = key
        self.fields = fields
        self.eventTime = eventTime
        self.start = start
        self.onOffsetOutOfRange = onOffsetOutOfRange
        self.mustHaveOnePartition = mustHaveOnePartition
        self.shuffle = shuffle
    }

    /// The columns that the source's batches have, in the order of `fields`.
    package var schema: Schema {
        Schema(fields.map { Field($0.name, $0.type, isNullable: $0.isNullable) })
    }
}

package struct SourceField: Hashable, Sendable {
    package var name: String
    package var type: ValueType
    package var isNullable: Bool
    /// The keys that lead to the value from the record's top; at least one.
    package var path: [String]
    /// How a timestamp is written; nil for every other type.
    package var timestampForm: TimestampForm?

    package init(name: String, type: ValueType, isNullable: Bool, path: [String], timestampForm: TimestampForm?) {
        self.name = name
        self.type = type
        self.isNullable = isNullable
        self.path = path
        self.timestampForm = timestampForm
    }
}

/// How a record writes a point in time.
package enum TimestampForm: String, Hashable, Sendable, CaseIterable {
    /// A string as RFC 3339 has it.
    case rfc3339 = "timestamp"
    case seconds = "timestamp_s"
    case milliseconds = "timestamp_ms"
    case microseconds = "timestamp_us"
}

package struct EventTimePlan: Hashable, Sendable {
    /// Position of the field: a timestamp that is never null.
    package var column: Int
    /// Microseconds, 0 or more.
    package var outOfOrderness: Int64
    /// Microseconds, above 0; nil: a quiet partition holds the watermark back for ever.
    package var idleTimeout: Int64?
    /// Microseconds, 0 or more: how far event time may be ahead of the Kafka timestamp.
    package var maxAhead: Int64

    package init(column: Int, outOfOrderness: Int64, idleTimeout: Int64?, maxAhead: Int64) {
        self.column = column
        self.outOfOrderness = outOfOrderness
        self.idleTimeout = idleTimeout
        self.maxAhead = maxAhead
    }
}

package enum StartPosition: Hashable, Sendable {
    case earliest
    case latest
    /// The first record whose Kafka timestamp is at or after this, microseconds since 1970 UTC.
    case timestamp(Int64)
}

package enum PartitionGrowth: String, Hashable, Sendable, CaseIterable {
    case fail, `continue`
}

package enum OffsetOutOfRange: String, Hashable, Sendable, CaseIterable {
    case fail, earliest, latest
}
