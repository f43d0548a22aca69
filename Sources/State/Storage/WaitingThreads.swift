import CShims
import Foundation

/// Threads for what mostly waits: for a disk, a store, another thread. There are as many as have been needed at the same time of late.
///
/// The system's pool is none for that: it has as many threads as there are cores and adds one a second, whatever those that it has wait for.
final class WaitingThreads: @unchecked Sendable {
    // Unchecked: everything below is only touched while `condition` is locked.
    private let condition = NSCondition()
    private var jobs: [@Sendable () -> Void] = []
    private var idle = 0

    static let shared = WaitingThreads()

    /// How long a thread without work stays, seconds.
    private static let patience: TimeInterval = 10

    /// Does `job` at once, on a thread of its own while it runs.
    func run(_ job: @escaping @Sendable () -> Void) {
        condition.lock()
        defer { condition.unlock() }
        jobs.append(job)
        if jobs.count <= idle { return condition.signal() }
        Thread.detachNewThread { [self] in
            millrace_name_thread("parallel")
            work()
        }
    }

    private func work() {
        while let job = next() { job() }
    }

    /// Waits for a job; nil when none came for a while.
    private func next() -> (@Sendable () -> Void)? {
        condition.lock()
        defer { condition.unlock() }
        idle += 1
        defer { idle -= 1 }
        let end = Date(timeIntervalSinceNow: Self.patience)
        while jobs.isEmpty { if !condition.wait(until: end) { break } }
        return jobs.isEmpty ? nil : jobs.removeFirst()
    }
}
