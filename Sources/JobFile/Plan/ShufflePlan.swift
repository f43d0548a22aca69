import Batch

/// Where rows change partition: an internal topic between tasks of one job. What is above writes it within its epochs'
/// transactions; below, an internal source reads it.
package struct ShufflePlan: Sendable {
    package enum Content: Sendable {
        case rows
        /// Rows folded where they were; the window is a position in `JobPlan.transforms`.
        case partialWindows(of: Int)
    }

    /// Of the transform that asks for it; `<transform>.salted` for the first of a salted window's two. Also the
    /// internal source's name.
    package var name: String
    /// `<job>.<name>.shuffle`: at most 216 characters, since names of jobs and transforms have at most 100.
    package var topic: String
    /// Whose rows go in.
    package var from: StagePlan
    package var input: Schema
    /// Positions in `input`, at least one: what the partition follows from.
    package var by: [Int]
    /// Over how many partitions the rows of one key are spread; 1: all are in one.
    package var salt: Int
    /// Of the internal topic when it is made, 1...10,000; nil: as many as the topic has that `from` comes from.
    package var partitions: Int?
    package var content: Content
    /// The windows that the rows reach below, however many shuffles further down, but without another window between:
    /// a row that is late for one of them does not travel. For `.partialWindows` the window itself.
    package var windows: [(kind: WindowKind, allowedLateness: Int64)]
    /// For people: why it is there.
    package var reason: String

    package init(
        name: String, topic: String, from: StagePlan, input: Schema, by: [Int], salt: Int = 1, partitions: Int? = nil,
        content: Content, windows: [(kind: WindowKind, allowedLateness: Int64)] = [], reason: String
    ) {
        self.name = name
        self.topic = topic
        self.from = from
        self.input = input
        self.by = by
        self.salt = salt
        self.partitions = partitions
        self.content = content
        self.windows = windows
        self.reason = reason
    }

    /// Whether `topic` is one that shuffles of job `name` use, so far as its name tells.
    package static func isTopic(_ topic: String, ofJob name: String) -> Bool { topic.hasPrefix("\(name).") && topic.hasSuffix(".shuffle") }

    /// What the tasks below read. It decodes blocks of rows and not records: its format, its paths and its event time say nothing.
    func source(position: Int) -> SourcePlan {
        SourcePlan(
            name: name, topic: topic, format: .json, key: nil,
            fields: input.fields.map {
                SourceField(
                    name: $0.name, type: $0.type, isNullable: $0.isNullable, path: [$0.name],
                    timestampForm: $0.type == .timestamp ? .microseconds : nil)
            },
            eventTime: EventTimePlan(column: 0, outOfOrderness: 0, idleTimeout: nil, maxAhead: 0), start: .earliest,
            onOffsetOutOfRange: .fail, mustHaveOnePartition: false, shuffle: position)
    }
}
