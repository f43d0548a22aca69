import Synchronization

/// A job as others may see it at any moment: for the HTTP endpoints and the command line.
package struct JobStatus: Sendable {
    package enum Phase: Equatable, Sendable {
        case starting
        case running
        /// Waits and tries again; why.
        case waiting(String)
        /// Ended by an error that only an operator can mend.
        case failed(String)
        case stopped
    }

    package struct TaskStatus: Sendable {
        package var name: String
        package var topic: String
        package var partition: Int32
        package var position: Int64
        /// Nil before it is known.
        package var lastStableOffset: Int64?
        /// Microseconds since 1970 UTC; nil before the first record.
        package var watermark: Int64?
        package var isIdle: Bool
    }

    package var name: String
    package var plan: String
    package var phase = Phase.starting
    /// Why it is not ready; nil when every assigned task has recovered and runs.
    package var notReady: String? = "starting"
    package var epoch = 0
    package var lastCommitSeconds: Double?
    /// How long commits take, seconds: upper bounds of the histogram's ranges.
    package var commitSeconds: (median: Double, p99: Double)?
    package var lastError: String?
    /// Everything committed since this process started.
    package var ledger = Ledger()
    package var produced: [String: Int] = [:]
    package var tasks: [TaskStatus] = []
    /// Of bounded runs, once their ends are known.
    package var progress: RunProgress?
    /// What a backfill did, once all of it is committed.
    package var replayed: ReplayTotals?
}

/// How far a bounded run is, in offsets.
package struct RunProgress: Equatable, Sendable {
    package var done: Int64
    package var total: Int64
    /// Since this process began to work on it; nil at first.
    package var perSecond: Double?

    package var secondsLeft: Double? {
        guard let perSecond, perSecond > 0 else { return nil }
        return Double(total - done) / perSecond
    }
}

/// The newest status, from one writer to many readers.
package final class JobStatusBoard: Sendable {
    private let status: Mutex<JobStatus>

    package init(name: String, plan: String) {
        status = Mutex(JobStatus(name: name, plan: plan))
    }

    package var current: JobStatus { status.withLock { $0 } }

    func update(_ change: (inout JobStatus) -> Void) {
        status.withLock { change(&$0) }
    }
}
