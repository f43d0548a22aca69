import CShims
import Glibc
import Synchronization

/// A thread for work that would hold up the others, done in order. It exists from the first work on.
final class BackgroundQueue: Sendable {
    private struct State {
        var work: [@Sendable () -> Void] = []
        var isStopping = false
        var thread: pthread_t?
    }

    private let name: String
    private let state = Mutex(State())
    private let requested: EventDescriptor

    /// - Parameter name: of the thread, at most 15 bytes.
    init(name: String) throws(StorageError) {
        self.name = name
        requested = try EventDescriptor(.blocking)
    }

    /// Runs `work` on the thread, after what was given before; here and now when there can be no thread.
    func run(_ work: @escaping @Sendable () -> Void) {
        let isQueued = state.withLock { state in
            if state.thread == nil { state.thread = makeThread() }
            guard state.thread != nil else { return false }
            state.work.append(work)
            return true
        }
        if isQueued { requested.signal() } else { work() }
    }

    /// Finishes all work and ends the thread.
    func stop() {
        let thread = state.withLock { state in
            state.isStopping = true
            return state.thread.take()
        }
        guard let thread else { return }
        requested.signal()
        pthread_join(thread, nil)
    }

    private func work() {
        while true {
            requested.wait()
            let (work, isStopping) = state.withLock { state in
                defer { state.work = [] }
                return (state.work, state.isStopping)
            }
            for item in work { item() }
            if isStopping { return }
        }
    }

    private func makeThread() -> pthread_t? {
        var handle = pthread_t()
        let context = Unmanaged.passRetained(self)
        let code = pthread_create(
            &handle, nil,
            { context in
                guard let context else { return nil }
                let queue = Unmanaged<BackgroundQueue>.fromOpaque(context).takeRetainedValue()
                millrace_name_thread(queue.name)
                queue.work()
                return nil
            }, context.toOpaque())
        guard code == 0 else {
            context.release()
            return nil
        }
        return handle
    }
}
