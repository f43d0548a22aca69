import CShims
import Glibc
import Synchronization

/// A broker on its way to its thread.
///
/// Unchecked: whoever makes a broker gives it to one of these and keeps no reference; the one who takes it out, `start`'s
/// thread or `stop` without a start, is the only one to touch it.
struct BrokerHandover: @unchecked Sendable {
    private let broker: Broker

    init(_ broker: Broker) { self.broker = broker }

    func run() { broker.runUntilStopped() }
    func shutDown() { broker.shutDown() }
}

/// The thread that a broker lives on.
final class BrokerThread: Sendable {
    private let thread: pthread_t

    private final class Start {
        let handover: BrokerHandover
        init(_ handover: BrokerHandover) { self.handover = handover }
    }

    init(_ handover: BrokerHandover) throws(SocketError) {
        var thread = pthread_t()
        let start = Unmanaged.passRetained(Start(handover))
        let status = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                // sendfile has no flag against it: a client that went must not end the process.
                var pipe = sigset_t()
                sigemptyset(&pipe)
                sigaddset(&pipe, SIGPIPE)
                pthread_sigmask(SIG_BLOCK, &pipe, nil)
                millrace_name_thread("log broker")
                start.handover.run()
                return nil
            }, start.toOpaque())
        guard status == 0 else {
            start.release()
            throw SocketError(call: "pthread_create", code: status)
        }
        self.thread = thread
    }

    /// Waits for its end. Once.
    func join() { pthread_join(thread, nil) }
}

/// Where one thread waits for what another puts in.
final class AnswerSlot<Answer: Sendable>: Sendable {
    private let answer = Mutex<Answer?>(nil)
    private let semaphore: Semaphore

    init() { semaphore = Semaphore() }

    func put(_ value: Answer?) {
        answer.withLock { $0 = value }
        semaphore.signal()
    }

    func wait() -> Answer? {
        semaphore.wait()
        return answer.withLock { $0 }
    }
}

/// A POSIX semaphore.
///
/// Unchecked: `sem_post` and `sem_wait` are made to be called from any thread, and the memory lives as long as this object.
final class Semaphore: @unchecked Sendable {
    private let handle = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() { sem_init(handle, 0, 0) }

    deinit {
        sem_destroy(handle)
        handle.deallocate()
    }

    func signal() { sem_post(handle) }
    func wait() { while sem_wait(handle) != 0 && errno == EINTR {} }
}
