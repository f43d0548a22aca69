import Admin
import Foundation
import JobFile
import KafkaLog

/// `millrace log`: the log alone, a broker for any Kafka client.
struct LogCommand {
    private let daemon: Daemon

    init(_ arguments: inout Arguments) throws(UsageError) {
        daemon = try Daemon(&arguments)
        guard try arguments.operands().isEmpty else { throw UsageError("log takes no operand") }
    }

    func run() -> ExitCode {
        let signals = Signals()
        guard let server = daemon.startLog() else {
            Program.finish(.configuration, "millrace: the daemon file has no `log`: there is nothing to run\n")
        }
        let http = daemon.startHTTP(Endpoints(jobs: [], metrics: daemon.metrics, logNotReady: { server.status.reason }))
        let ended = DispatchSemaphore(value: 0)
        signals.deliver { _ in ended.signal() }
        ended.wait()
        server.stop()
        withExtendedLifetime(http) {}
        return .done
    }
}

extension LogServerStatus {
    /// Why it cannot be used; nil when it can.
    var reason: String? {
        switch self {
        case .ready: nil
        case .notStarted: "starting"
        case .offline(let reason), .notReady(let reason): reason
        case .stopped: "stopped"
        }
    }
}
