import Foundation
import KafkaClient
import Synchronization
import Telemetry

/// A thread that runs some of the job's tasks, as `WorkerTurns` has it. Its tasks are touched by nobody else.
package final class Worker: Sendable {
    /// Records taken from the queue at once.
    package static let recordsMax = 8_192
    /// Bytes of output that waits in one epoch. With three quarters of it a commit is asked for at once, with all of it nothing more is
    /// read until the epoch froze: a slow sink slows the consumer down.
    static let outputBytesMax = 64 << 20
    /// As long as an ended epoch is being taken out, between two parts of it: its commit waits for them.
    private static let recordsMaxMeanwhile = 512

    let index: Int
    package let queue: any RecordQueue
    let mailbox = Mailbox<WorkerCommand>()
    let failures: Mailbox<WorkerReply>
    let onPressure: @Sendable () -> Void
    /// How much of an ended epoch is taken out between two batches, as `RuntimeSettings.freezeSlice`.
    let freezeSlice: Int
    let freezeDuration: Histogram
    let clock: RuntimeClock
    private let limiter: RateLimiter?
    private let thread = Mutex<NamedThread?>(nil)

    /// - Parameters:
    ///   - failures: gets what comes up between freezes. After a failure the worker does nothing but answer freezes with it.
    ///   - onPressure: called when the open epoch has grown so large that it should be committed now.
    ///   - limiter: holds back the workers that share it.
    init(
        index: Int, queue: any RecordQueue, failures: Mailbox<WorkerReply>, freezeSlice: Int, freezeDuration: Histogram,
        clock: RuntimeClock, limiter: RateLimiter? = nil, onPressure: @escaping @Sendable () -> Void
    ) {
        self.index = index
        self.queue = queue
        self.failures = failures
        self.freezeSlice = freezeSlice
        self.freezeDuration = freezeDuration
        self.clock = clock
        self.limiter = limiter
        self.onPressure = onPressure
    }

    func start() {
        thread.withLock { $0 = NamedThread("worker-\(index)") { [self] in run() } }
    }

    func send(_ command: WorkerCommand) {
        mailbox.send(command)
        queue.wake()
    }

    func stopAndJoin() {
        send(.stop)
        thread.withLock { $0.take() }?.join()
    }

    private func run() {
        let turns = WorkerTurns(self)
        while true {
            // An epoch that is half taken out does not wait for records.
            let patience = turns.isFreezing ? 0 : 0.1
            if turns.mustWait {
                guard turns.perform(mailbox.wait(until: Date(timeIntervalSinceNow: patience))) else { return }
            } else if let pause = limiter?.pause(.now), pause > .zero {
                guard turns.perform(mailbox.wait(until: Date(timeIntervalSinceNow: min(pause.seconds, patience)))) else { return }
            } else {
                let recordsMax = turns.isFreezing ? Self.recordsMaxMeanwhile : Self.recordsMax
                let taken = turns.take(max: min(recordsMax, limiter?.recordsMax ?? .max), timeout: .seconds(patience))
                limiter?.pay(for: taken, .now)
                guard turns.finish() else { return }
            }
            turns.continueFreeze()
        }
    }
}
