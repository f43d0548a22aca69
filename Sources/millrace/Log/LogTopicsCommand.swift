import KafkaClient

/// `millrace log topics`: what topics there are.
struct LogTopicsCommand {
    private let target: LogTarget
    private let output: Output

    init(_ arguments: inout Arguments) throws(UsageError) {
        target = try LogTarget(&arguments)
        output = Output(isJSON: arguments.flag("--json"))
        guard try arguments.operands().isEmpty else { throw UsageError("log topics takes no operand") }
    }

    func run() -> ExitCode {
        LogTarget.run(output) {
            let cluster = try target.lookUp()
            let topics = try cluster.topics(timeout: LogTarget.timeout).sorted { $0.key < $1.key }
            let partitions = topics.flatMap { name, count in (0..<count).map { TopicPartition(name, $0) } }
            let ends = Dictionary(grouping: try cluster.ends(of: partitions, timeout: LogTarget.timeout), by: \.partition.topic)
            let settings = try cluster.settings(of: topics.map(\.key), timeout: LogTarget.timeout)
            let files = target.files()
            output.table(
                "topic",
                topics.map { name, count in
                    [
                        "topic": .text(name), "partitions": .number(Int64(count)),
                        "records": .number((ends[name] ?? []).reduce(0) { $0 + $1.end - $1.start }),
                        "bytes": files?[name].map { .number($0.reduce(0) { $0 + $1.bytes }) } ?? .none,
                        "cleanup": settings[name]?["cleanup.policy"].map { .text($0) } ?? .none,
                    ]
                })
            return .done
        }
    }
}
