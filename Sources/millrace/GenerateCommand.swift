import Foundation

/// `millrace generate`: a synthetic clickstream for demos and benchmarks.
struct GenerateCommand {
    private let topic: String
    private let brokers: BrokerAccess
    private let events: Int
    private let rate: Int?
    private let seed: Int
    private let users: Int
    private let span: Int
    private let start: Int?
    private let key: Clickstream.Key
    private let hotPercent: Int

    init(_ arguments: inout Arguments) throws(UsageError) {
        guard let events = try arguments.number("--events", in: 1...1_000_000_000_000) else { throw UsageError("generate needs --events N") }
        self.events = events
        rate = try arguments.number("--rate", in: 1...100_000_000)
        seed = try arguments.number("--seed", in: 0...Int.max) ?? 1
        users = try arguments.number("--users", in: 1...100_000_000) ?? 200_000
        span = try arguments.duration("--span") ?? 7_200_000
        start = try arguments.number("--start", in: 0...(1 << 50))
        let name = try arguments.value("--key") ?? Clickstream.Key.user.rawValue
        guard let key = Clickstream.Key(rawValue: name) else { throw UsageError("--key is user or page, not `\(name)`") }
        self.key = key
        hotPercent = try arguments.number("--hot", in: 0...100) ?? 0
        brokers = try arguments.brokers()
        topic = try arguments.operand("topic")
    }

    func run() -> ExitCode {
        let start = Int64(start ?? Int(Date().timeIntervalSince1970 * 1_000) - span)
        var stream = Clickstream(
            seed: UInt64(seed), events: events, users: users, start: start, span: Int64(span), key: key, hotPercent: hotPercent)
        var progress = Progress("generated")
        do {
            var session = try ProducingSession(brokers: brokers, topic: topic)
            var key: [UInt8] = []
            var value: [UInt8] = []
            let began = ContinuousClock.now
            for number in 1...events {
                stream.next(key: &key, value: &value)
                try session.send(key: key, value: value)
                guard number % 256 == 0 else { continue }
                progress.show(number, of: events)
                if let rate {
                    let due = began + .nanoseconds(Int64(Double(number) / Double(rate) * 1e9))
                    if due - .now > .milliseconds(2) {
                        try session.hand()
                        Thread.sleep(forTimeInterval: Double((due - ContinuousClock.now) / .microseconds(1)) / 1e6)
                    }
                }
            }
            try session.finish()
            progress.show(events, of: events, force: true)
            progress.end()
            return .done
        } catch {
            progress.end()
            Program.finish(.failed, "millrace: generate: \(error)\n")
        }
    }
}

extension Arguments {
    /// A duration as the job file writes it, in milliseconds.
    mutating func duration(_ name: String) throws(UsageError) -> Int? {
        guard let text = try value(name) else { return nil }
        let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)]
        for (unit, factor) in units where text.hasSuffix(unit) {
            if let number = Int(text.dropLast(unit.count)), number > 0, number < 1 << 32 { return number * factor }
        }
        throw UsageError("\(name) is a duration such as 250ms, 30s, 5m, 24h or 7d, not `\(text)`")
    }
}
