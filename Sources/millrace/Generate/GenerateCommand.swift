import Foundation

/// `millrace generate`: a synthetic stream for demos and benchmarks, of clicks or of Nexmark's bids.
struct GenerateCommand {
    private enum Kind {
        case clicks(key: Clickstream.Key, users: Int, hotPercent: Int)
        case bids(key: NexmarkBids.Key)
    }

    private let topic: String
    private let brokers: BrokerAccess
    private let events: Int
    private let rate: Int?
    private let seed: Int
    private let span: Int
    private let start: Int?
    private let kind: Kind

    init(_ arguments: inout Arguments) throws(UsageError) {
        guard let events = try arguments.number("--events", in: 1...1_000_000_000_000) else { throw UsageError("generate needs --events N") }
        self.events = events
        rate = try arguments.number("--rate", in: 1...100_000_000)
        seed = try arguments.number("--seed", in: 0...Int.max) ?? 1
        span = try arguments.duration("--span") ?? 7_200_000
        start = try arguments.number("--start", in: 0...(1 << 50))
        switch try arguments.value("--of") ?? "clicks" {
        case "clicks":
            kind = .clicks(
                key: try arguments.key(or: .user), users: try arguments.number("--users", in: 1...100_000_000) ?? 200_000,
                hotPercent: try arguments.number("--hot", in: 0...100) ?? 0)
        case "bids": kind = .bids(key: try arguments.key(or: .auction))
        case let other: throw UsageError("--of is clicks or bids, not `\(other)`")
        }
        brokers = try arguments.brokers()
        topic = try arguments.operand("topic")
    }

    func run() -> ExitCode {
        let start = Int64(start ?? Int(Date().timeIntervalSince1970 * 1_000) - span)
        switch kind {
        case .clicks(let key, let users, let hotPercent):
            return send(
                Clickstream(
                    seed: UInt64(seed), events: events, users: users, start: start, span: Int64(span), key: key, hotPercent: hotPercent))
        case .bids(let key):
            return send(NexmarkBids(seed: UInt64(seed), events: events, start: start, span: Int64(span), key: key))
        }
    }

    private func send(_ stream: some RecordStream) -> ExitCode {
        var stream = stream
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
    /// What the records are keyed by.
    fileprivate mutating func key<Key: RawRepresentable<String> & CaseIterable>(or standard: Key) throws(UsageError) -> Key {
        guard let name = try value("--key") else { return standard }
        if let key = Key(rawValue: name) { return key }
        throw UsageError("--key is \(Key.allCases.map(\.rawValue).joined(separator: " or ")), not `\(name)`")
    }

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
