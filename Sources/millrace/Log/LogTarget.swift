import Foundation
import JobFile
import KafkaClient
import KafkaLogStorage

/// The log or cluster that a command looks at: `--brokers` (or Kafka's word, `--bootstrap`), else the log of the daemon file.
struct LogTarget {
    /// Of each request.
    static let timeout = Duration.seconds(15)

    private let brokers: String
    private var properties: [String: String] = [:]
    /// Of the log of the daemon file, whose files may be on this machine.
    private var directory: String?

    init(_ arguments: inout Arguments) throws(UsageError) {
        while let property = try arguments.value("--property") {
            let parts = property.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { throw UsageError("--property is NAME=VALUE, a property of librdkafka, not `\(property)`") }
            properties[String(parts[0])] = String(parts[1])
        }
        if let bootstrap = try arguments.value("--bootstrap") {
            brokers = bootstrap
            return
        }
        var ahead = arguments
        let path = try ahead.value("--config") ?? Daemon.usualFile
        let isNamed = try ahead.value("--brokers") != nil
        let access = try arguments.brokers()
        brokers = access.brokers
        properties.merge(access.properties) { given, _ in given }
        if isNamed { return }
        directory =
            FileManager.default.fileExists(atPath: path)
            ? (try? DaemonFile.load(path, environment: ProcessInfo.processInfo.environment))?.log?.directory
            : LogSettings().directory
    }

    func lookUp() throws -> ClusterLookUp {
        try ClusterLookUp(ClientConfiguration(brokers: brokers, clientID: "millrace-cli", properties: properties))
    }

    /// The log's files by topic; nil when they are not to be read from here.
    func files() -> [String: [OfflineLog.Partition]]? {
        guard let directory, let log = try? OfflineLog(path: directory) else { return nil }
        return Dictionary(grouping: log.partitions) { $0.name?.topic ?? "" }
    }

    /// Runs a command's look-ups; what fails is told on standard error.
    static func run(_ output: Output, _ body: () throws -> ExitCode) -> ExitCode {
        do {
            let code = try body()
            output.flush()
            return code
        } catch {
            output.flush()
            Program.finish(.failed, "millrace: \(error)\n")
        }
    }
}
