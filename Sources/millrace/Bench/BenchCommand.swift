import Foundation
import Glibc

/// `millrace bench log TASK`: one measured client of a log that runs in another process; `millrace bench job latency`: of a job.
/// Prints its figures as one JSON object; scripts/bench.sh starts log and job, repeats the tasks and makes a table of them.
struct BenchCommand {
    /// Which client does the work.
    private enum Client: String {
        /// Prepared batches, written to the socket as they are: shows what the log takes when its client costs next to nothing.
        case lean
        /// What users have.
        case librdkafka
    }

    private let subject: String
    private let task: String
    private let client: Client
    private let load: BenchLoad
    private let output: String

    private static let tasks = ["log": ["produce", "consume", "latency", "transactions"], "job": ["latency"]]

    init(_ arguments: inout Arguments) throws(UsageError) {
        let name = try arguments.value("--client") ?? Client.lean.rawValue
        guard let client = Client(rawValue: name) else { throw UsageError("--client is lean or librdkafka, not `\(name)`") }
        self.client = client
        let records = try arguments.number("--records", in: 1...1_000_000_000) ?? 4_000_000
        let rate = try arguments.number("--rate", in: 1_000...10_000_000) ?? 50_000
        let seconds = try arguments.number("--seconds", in: 1...3_600) ?? 10
        let batch = try arguments.number("--batch", in: 1...4_000) ?? 1_000
        let topic = try arguments.value("--topic") ?? "bench"
        output = try arguments.value("--output") ?? "unsold"
        let brokers = try arguments.brokers().brokers
        let operands = try arguments.operands()
        guard operands.count == 2, Self.tasks[operands[0]]?.contains(operands[1]) == true else {
            let all = Self.tasks.sorted { $0.key > $1.key }.map { "`\($0.key)` and one of \($0.value.joined(separator: ", "))" }
            throw UsageError("bench takes \(all.joined(separator: ", or "))")
        }
        subject = operands[0]
        task = operands[1]
        load = BenchLoad(brokers: brokers, topic: topic, records: records, batch: batch, rate: rate, seconds: seconds)
    }

    func run() -> ExitCode {
        do {
            var figures: BenchFigures
            switch (task, client) {
            case _ where subject == "job": figures = try JobClient(load, output: output).latency()
            case ("produce", .lean): figures = try LeanClient(load).produce()
            case ("produce", .librdkafka): figures = try LibrdkafkaClient(load).produce()
            case ("consume", .lean): figures = try LeanClient(load).consume()
            case ("consume", .librdkafka): figures = try LibrdkafkaClient(load).consume()
            case ("latency", .lean): figures = try LeanClient(load).latency()
            case ("latency", .librdkafka): figures = try LibrdkafkaClient(load).latency()
            case (_, .lean): figures = try LeanClient(load).transactions()
            case (_, .librdkafka): figures = try LibrdkafkaClient(load).transactions()
            }
            figures["client_cpu_seconds"] = BenchClock.processorSeconds
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            print(String(decoding: try encoder.encode(figures), as: UTF8.self))
            return .done
        } catch {
            Program.finish(.failed, "millrace: bench: \(error)\n")
        }
    }
}

/// Figures by name; times in seconds.
typealias BenchFigures = [String: Double]

/// What a task is to do.
struct BenchLoad {
    let brokers: String
    let topic: String
    /// Of `produce`: how many are written; of `consume`: how many are read.
    let records: Int
    /// Records in a batch of the lean client.
    let batch: Int
    /// Of `latency`: records a second.
    let rate: Int
    /// Of `latency` and `transactions`: how long.
    let seconds: Int

    static let partitions: Int32 = 4
    /// Of `latency`, before what counts.
    static let warmUpSeconds = 1
    /// Bytes of a record: its key and its value.
    static let recordBytes = 230
    static let keyBytes = 10

    /// The key and the value of a record: text that compresses like text, in case somebody compresses it.
    static func record(_ number: Int) -> (key: [UInt8], value: [UInt8]) {
        var key = Array(String(number % 1_000_000_000).utf8)
        key = [UInt8](repeating: UInt8(ascii: "0"), count: max(0, keyBytes - key.count)) + key
        var state = UInt64(number) &* 0x9e37_79b9_7f4a_7c15 | 1
        let value = (0..<recordBytes - keyBytes).map { _ -> UInt8 in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return UInt8(ascii: "a") + UInt8(state >> 59 & 15)
        }
        return (key, value)
    }
}

struct BenchFailure: Error, CustomStringConvertible {
    let description: String
}

enum BenchClock {
    /// Seconds of a clock that only goes forward.
    static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Milliseconds since 1970.
    static var wallMilliseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// What this process has used of the processors so far.
    static var processorSeconds: Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }
}

/// Times that something took, by rank.
struct BenchTimes {
    private var seconds: [Double] = []

    mutating func add(_ time: Double) { seconds.append(time) }

    var figures: BenchFigures {
        let sorted = seconds.sorted()
        guard let longest = sorted.last else { return ["count": 0] }
        func rank(_ share: Double) -> Double { sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))] }
        return [
            "count": Double(sorted.count), "p50": rank(0.5), "p99": rank(0.99), "p999": rank(0.999), "longest": longest,
        ]
    }
}
