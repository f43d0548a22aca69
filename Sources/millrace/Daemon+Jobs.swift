import Foundation
import JobFile
import KafkaLog
import Runtime
import State

/// What commands that run jobs need besides.
extension Daemon {
    /// Where the job's topics are, in this process or outside.
    func access(to plan: JobPlan, _ server: LogServer?) -> (BrokerAccess, isEmbedded: Bool) {
        switch plan.kafka.brokers {
        case .addresses(let list): return (BrokerAccess(brokers: list), false)
        case .embedded:
            guard let server else { missesLog(plan) }
            if let access = server.internalAccess { return (BrokerAccess(brokers: access.brokers, properties: access.properties), true) }
            let host = settings.log?.listen.host ?? LogSettings().listen.host
            return (BrokerAccess(brokers: "\(host):\(server.port)"), true)
        }
    }

    func missesLog(_ plan: JobPlan) -> Never {
        Program.finish(
            .configuration,
            "millrace: job \(plan.name) reads from the embedded log, and the daemon file has no `log`; add one, or name brokers in the job's `kafka`\n")
    }

    /// Stops the jobs in order at a signal.
    func stop(_ jobs: [JobRunner], on signals: Signals) {
        let log = log
        signals.deliver { name in
            // A second signal does not wait for a last commit; what was not committed is done again after the next start.
            let again = jobs.contains { $0.isStopRequested }
            log.info(again ? "\(name) again: stopping now" : "\(name): stopping after a last commit")
            for job in jobs { job.requestStop(grace: again ? 0 : Self.stopGraceSeconds) }
            if again { Program.finish(.failed) }
            // Whatever does not come to an end by itself: nothing is lost, what was not committed is done again.
            DispatchQueue.global().asyncAfter(deadline: .now() + Self.stopGraceSeconds + Self.stopSlackSeconds) {
                log.error("the stop takes too long; ending without a last commit")
                Program.finish(.failed)
            }
        }
    }
}
