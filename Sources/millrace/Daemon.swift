import Admin
import CShims
import Foundation
import JobFile
import KafkaLog
import Telemetry

/// What `run` and `log` share: the log of messages, the embedded Kafka log, HTTP, signals.
struct Daemon {
    static let usualFile = "config/millrace.yaml"
    static let stopGraceSeconds: TimeInterval = 30
    /// What threads and clients get to end in after the last commit was given up.
    static let stopSlackSeconds: TimeInterval = 10

    let settings: DaemonFile
    let log: Log
    let metrics = MetricsRegistry()

    /// Reads the daemon file; ends the process with all its errors if it is no good.
    init(_ arguments: inout Arguments) throws(UsageError) {
        let given = try arguments.value("--config")
        let path = given ?? Self.usualFile
        let format = try arguments.value("--log") ?? (isatty(STDERR_FILENO) == 1 ? "text" : "json")
        guard ["text", "json"].contains(format) else { throw UsageError("--log is text or json, not `\(format)`") }
        log = Log(format: format == "text" ? .text : .json)
        if given == nil, !FileManager.default.fileExists(atPath: path) {
            settings = .withoutFile
            return
        }
        do throws(JobFileError) {
            settings = try DaemonFile.load(path, environment: ProcessInfo.processInfo.environment)
        } catch {
            Program.finish(.configuration, "\(error)\n")
        }
        // librdkafka has a new block for everything it fetches and unpacks, of up to 1 MiB. Taken from the system these are a tenth of the
        // processor time of a job; kept, some ten MiB of holes.
        if settings.state.memory >= 1 << 30 { millrace_settle_malloc(4 << 20) }
    }

    /// Starts the embedded log, if the daemon file has one.
    func startLog() -> LogServer? {
        guard let log = settings.log else { return nil }
        var configuration = LogServerConfiguration(host: log.listen.host, port: log.listen.port, directory: log.directory)
        configuration.defaultPartitions = Int32(log.defaultPartitions)
        switch log.fsync {
        case .commit: configuration.fsync = .commit
        case .every(let microseconds): configuration.fsync = .interval(milliseconds: max(1, Int(microseconds / 1_000)))
        case .never: configuration.fsync = .never
        }
        do throws(UsageError) {
            try configuration.secure(with: log)
        } catch {
            Program.finish(.configuration, "\(error.message)\n")
        }
        let out = self.log.with(["component": "log"])
        configuration.log = { event in
            let level: LogLevel =
                switch event.level {
                case .debug: .debug
                case .info: .info
                case .warning: .warn
                case .error: .error
                }
            var line = out
            for (name, value) in event.fields { line = line.with(name, .string(value)) }
            line.emit(level, event.message, [:])
        }
        do {
            try FileManager.default.createDirectory(atPath: configuration.directory, withIntermediateDirectories: true)
            let server = try LogServer(configuration: configuration)
            try server.start()
            LogMetrics(metrics).follow(server)
            return server
        } catch {
            out.error("the log could not be started", ["error": .string("\(error)")])
            Program.finish((error as? LogServerError)?.isOfConfiguration == true ? .configuration : .failed)
        }
    }

    /// Starts HTTP; ends the process if that is not possible.
    func startHTTP(_ endpoints: Endpoints) -> HTTPServer {
        do throws(HTTPServerError) {
            return try openHTTP(endpoints)
        } catch {
            log.error("http could not be started", ["error": .string(error.description)])
            Program.finish(.failed)
        }
    }

    func openHTTP(_ endpoints: Endpoints) throws(HTTPServerError) -> HTTPServer {
        var tls: (certificate: String, key: String)?
        if let files = settings.http.tls {
            do {
                tls = (
                    try String(contentsOfFile: files.certificate, encoding: .utf8), try String(contentsOfFile: files.key, encoding: .utf8)
                )
            } catch {
                log.error("http.tls: a file cannot be read", ["error": .string(error.localizedDescription)])
                Program.finish(.configuration)
            }
        }
        let listen = settings.http.listen
        let server = try HTTPServer(
            .init(host: listen.host, port: listen.port, tls: tls, token: settings.http.token),
            { method, path in endpoints.respond(method, path) })
        log.info("http is ready", ["url": .string("http\(tls == nil ? "" : "s")://\(listen.host):\(server.port)/")])
        return server
    }
}
