import Foundation
import KafkaClient
import Synchronization

/// A thread that runs some of the job's tasks, as `WorkerTurns` has it. Its tasks are touched by nobody else.
package final class Worker: Sendable {
    /// Records taken from the queue at once.
    package static let recordsMax = 8_192
    /// Bytes of input, and of output that waits, in one epoch, beyond which a commit is asked for at once and nothing more is
    /// read until it froze: a slow sink slows the consumer down.
    static let epochBytesMax = 256 << 20

    let index: Int
    package let queue: any RecordQueue
    let mailbox = Mailbox<WorkerCommand>()
    let failures: Mailbox<WorkerReply>
    let onPressure: @Sendable () -> Void
    private let limiter: RateLimiter?
    private let thread = Mutex<NamedThread?>(nil)

    /// - Parameters:
    ///   - failures: gets what comes up between freezes. After a failure the worker does nothing but answer freezes with it.
    ///   - onPressure: called when the open epoch has grown so large that it should be committed now.
    ///   - limiter: holds back the workers that share it.
    init(
        index: Int, queue: any RecordQueue, failures: Mailbox<WorkerReply>, limiter: RateLimiter? = nil,
        onPressure: @escaping @Sendable () -> Void
    ) {
        self.index = index
        self.queue = queue
        self.failures = failures
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
            if turns.mustWait {
                guard turns.perform(mailbox.wait(until: Date(timeIntervalSinceNow: 0.1))) else { return }
            } else if let pause = limiter?.pause(.now), pause > .zero {
                guard turns.perform(mailbox.wait(until: Date(timeIntervalSinceNow: min(pause.seconds, 0.1)))) else { return }
            } else {
                let taken = turns.take(max: min(Self.recordsMax, limiter?.recordsMax ?? .max), timeout: .milliseconds(100))
                limiter?.pay(for: taken, .now)
                guard turns.finish() else { return }
            }
        }
    }
}
