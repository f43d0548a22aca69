import CShims
import Foundation

/// A thread of the operating system with a name that its tools show: the unit in which processor time is told apart.
/// Its owner joins it.
final class NamedThread: Sendable {
    private let handle: pthread_t

    private final class Start {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Runs `body` on a new thread called `name` (15 bytes show).
    init(_ name: String, body: @escaping @Sendable () -> Void) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        // Expressions and JSON recurse up to their depth limits; what is not touched costs nothing.
        pthread_attr_setstacksize(&attributes, 8 << 20)
        defer { pthread_attr_destroy(&attributes) }
        var handle = pthread_t()
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        let code = pthread_create(
            &handle, &attributes,
            { context in
                guard let context else { return nil }
                let start = Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
                millrace_name_thread(start.name)
                start.body()
                return nil
            }, start.toOpaque())
        precondition(code == 0, "a thread could not be started: \(String(cString: strerror(code)))")
        self.handle = handle
    }

    /// Waits until the body has returned. Once.
    func join() {
        pthread_join(handle, nil)
    }
}

/// Processor time of the calling thread, nanoseconds.
func threadProcessorTime() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}
