import JobFile
import KafkaLog

/// Where a backfill finds the topics of its job: in an outside Kafka, in the log of a daemon that runs on this machine, or in that log
/// started for the while.
struct BackfillLog {
    let access: BrokerAccess
    /// The log in this process.
    let server: LogServer?

    init(_ plan: JobPlan, _ daemon: Daemon) {
        guard case .embedded = plan.kafka.brokers, let settings = daemon.settings.log else {
            server = nil
            access = daemon.access(to: plan, nil).0
            return
        }
        guard LogServer.isRunning(inDirectory: settings.directory) else {
            server = daemon.startLog()
            access = daemon.access(to: plan, server).0
            return
        }
        server = nil
        if !settings.isOpenToThisMachine {
            guard let internalAccess = InternalAccess(directory: settings.directory) else {
                Program.finish(.failed, "millrace: the log in \(settings.directory) runs, and how to get in is not for this user to read\n")
            }
            access = BrokerAccess(brokers: internalAccess.brokers, properties: internalAccess.properties)
        } else if settings.listen.port == 0 {
            Program.finish(
                .configuration,
                "millrace: the log in \(settings.directory) runs in another process, on a port that only that one knows (log.listen has port 0); name a port there\n")
        } else {
            access = BrokerAccess(brokers: settings.listen.description)
        }
        daemon.log.info(
            "the log runs in another process and is used from there",
            ["directory": .string(settings.directory), "brokers": .string(access.brokers)])
    }
}
