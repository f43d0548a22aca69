import Synchronization

/// Runs passes of the cleaner on a thread of their own, and keeps what they tell until the broker's thread takes it.
final class Cleaner: Sendable {
    private let queue: BackgroundQueue
    private let steps = Mutex<[(CompactionJob, CompactionStep)]>([])
    private let wake: @Sendable () -> Void

    /// - Parameter wake: called when there are steps to take.
    init(wake: @escaping @Sendable () -> Void) throws(StorageError) {
        queue = try BackgroundQueue(name: "log-cleaner")
        self.wake = wake
    }

    func start(_ job: CompactionJob) {
        queue.run { [self] in
            job.run { step in
                steps.withLock { $0.append((job, step)) }
                wake()
            }
        }
    }

    /// What passes have told since the last call, in order.
    func takeSteps() -> [(CompactionJob, CompactionStep)] {
        steps.withLock { steps in
            defer { steps = [] }
            return steps
        }
    }

    /// Ends the thread. The pass under way has to be cancelled before.
    func stop() { queue.stop() }
}
