import Foundation
import JobFile
import KafkaLog

/// The command line is not what the command takes.
struct UsageError: Error {
    let message: String

    init(_ message: String) { self.message = message }
}

/// What is left of the command line. Options may stand anywhere; `--name value` and `--name=value` are the same.
struct Arguments {
    private var rest: [String]

    init(_ arguments: [String]) { rest = arguments }

    mutating func command() -> String? { rest.isEmpty ? nil : rest.removeFirst() }

    /// The next word if it is one of these: a command of a command.
    mutating func next(of words: [String]) -> String? {
        guard let first = rest.first, words.contains(first) else { return nil }
        return rest.removeFirst()
    }

    mutating func flag(_ name: String) -> Bool {
        guard let index = rest.firstIndex(of: name) else { return false }
        rest.remove(at: index)
        return true
    }

    mutating func value(_ name: String) throws(UsageError) -> String? {
        if let index = rest.firstIndex(where: { $0.hasPrefix(name + "=") }) {
            return String(rest.remove(at: index).dropFirst(name.count + 1))
        }
        guard let index = rest.firstIndex(of: name) else { return nil }
        guard index + 1 < rest.count else { throw UsageError("\(name) needs a value") }
        defer { rest.removeSubrange(index...index + 1) }
        return rest[index + 1]
    }

    mutating func number(_ name: String, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
        guard let text = try value(name) else { return nil }
        guard let number = Int(text.replacing("_", with: "")), range.contains(number) else {
            throw UsageError("\(name) is a whole number from \(range.lowerBound) to \(range.upperBound), not `\(text)`")
        }
        return number
    }

    /// What is left, which are operands.
    mutating func operands() throws(UsageError) -> [String] {
        if let option = rest.first(where: { $0.hasPrefix("-") && $0 != "-" }) { throw UsageError("there is no option `\(option)` here") }
        defer { rest = [] }
        return rest
    }

    mutating func operand(_ what: String) throws(UsageError) -> String {
        let operands = try operands()
        guard operands.count == 1 else { throw UsageError("one \(what) is needed, \(operands.isEmpty ? "none" : "\(operands.count)") given") }
        return operands[0]
    }

    /// Where the records go: `--brokers`, else the log of the daemon file (`--config`, or the usual one if it is there).
    mutating func brokers() throws(UsageError) -> BrokerAccess {
        let config = try value("--config")
        if let given = try value("--brokers") { return BrokerAccess(brokers: given) }
        let path = config ?? Daemon.usualFile
        guard config != nil || FileManager.default.fileExists(atPath: path) else {
            return BrokerAccess(brokers: LogSettings().listen.description)
        }
        let settings: DaemonFile
        do throws(JobFileError) {
            settings = try DaemonFile.load(path, environment: ProcessInfo.processInfo.environment)
        } catch {
            Program.finish(.configuration, "\(error)\n")
        }
        guard let log = settings.log else { throw UsageError("\(path) has no `log`: name the brokers with --brokers") }
        if log.isOpenToThisMachine { return BrokerAccess(brokers: log.listen.description) }
        guard let access = InternalAccess(directory: log.directory) else {
            throw UsageError(
                "the log of \(path) is not running, or \(log.directory) is not yours to read; name the brokers with --brokers where they ask nobody to log in"
            )
        }
        return BrokerAccess(brokers: access.brokers, properties: access.properties)
    }
}

/// Brokers, and librdkafka's properties to get in.
struct BrokerAccess {
    let brokers: String
    var properties: [String: String] = [:]
}
