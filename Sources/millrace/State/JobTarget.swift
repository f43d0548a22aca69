import Foundation
import JobFile
import KafkaClient
import KafkaLog
import KafkaLogStorage
import Runtime
import State

/// The job that a command beside the daemon is about, by its name or its file, with its checkpoint storage and its brokers.
struct JobTarget {
    /// Of each request.
    static let timeout = Duration.seconds(30)

    let name: String
    let storage: any CheckpointStorage
    private let daemon: Daemon
    private let plan: JobPlan?

    /// Takes the last operand; ends the process when a file is no good.
    init(_ arguments: inout Arguments) throws(UsageError) {
        daemon = try Daemon(&arguments)
        let operand = try arguments.operand("job")
        if FileManager.default.fileExists(atPath: operand) {
            do throws(JobFileError) {
                plan = try Self.load(operand)
            } catch {
                Program.finish(.configuration, "\(error)\n")
            }
        } else {
            // A file that is no good is not this command's business.
            plan = daemon.settings.jobs.lazy.compactMap { try? Self.load($0) }.first { $0.name == operand }
        }
        name = plan?.name ?? operand
        do throws(StateError) {
            storage = try daemon.openStorage()
        } catch {
            Program.finish(.failed, "millrace: \(error)\n")
        }
    }

    /// The topics that the job reads, where its file is known.
    var topics: Set<String>? { plan.map { Set($0.sources.map(\.topic)) } }

    /// What the job's group has committed. Where the embedded log does not run, it is opened for as long as that takes.
    func withCommittedOffsets<Result>(
        _ body: (_ committed: () throws(KafkaClientError) -> [CommittedOffset]) throws -> Result
    ) throws -> Result {
        let (client, server) = try connect()
        defer { server?.stop() }
        let cluster = try ClusterLookUp(client)
        return try body { () throws(KafkaClientError) in try cluster.committedOffsets(of: name, timeout: Self.timeout) }
    }

    private func connect() throws -> (ClientConfiguration, LogServer?) {
        if let plan, case .addresses(let brokers) = plan.kafka.brokers {
            return (ClientConfiguration(brokers: brokers, clientID: "millrace-cli", properties: plan.kafka.properties), nil)
        }
        guard let log = daemon.settings.log else {
            throw UsageError("the daemon file has no `log`, and no job in it is named `\(name)`: name the job's file")
        }
        if let server = try stoppedLog(log) {
            return (ClientConfiguration(brokers: "127.0.0.1:\(server.port)", clientID: "millrace-cli"), server)
        }
        if log.isOpenToThisMachine { return (ClientConfiguration(brokers: log.listen.description, clientID: "millrace-cli"), nil) }
        guard let access = InternalAccess(directory: log.directory) else {
            throw UsageError("\(log.directory) is not yours to read: run this as the user that the log runs as")
        }
        return (ClientConfiguration(brokers: access.brokers, clientID: "millrace-cli", properties: access.properties), nil)
    }

    /// Opens the log on a port of its own; nil when a process has it already.
    private func stoppedLog(_ settings: LogSettings) throws -> LogServer? {
        guard FileManager.default.fileExists(atPath: settings.directory) else {
            throw UsageError("there is no log in \(settings.directory): is this the directory that the job runs in?")
        }
        if LogDirectory.isInUse(settings.directory) { return nil }
        let server = try LogServer(configuration: LogServerConfiguration(host: "127.0.0.1", port: 0, directory: settings.directory))
        try server.start()
        return server
    }

    private static func load(_ file: String) throws(JobFileError) -> JobPlan {
        try JobPlan.load(file, environment: ProcessInfo.processInfo.environment, reservedProperties: ReservedProperties.reasons)
    }
}

extension UsageError: CustomStringConvertible {
    var description: String { message }
}
