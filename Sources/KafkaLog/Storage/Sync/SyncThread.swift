import CShims
import Glibc

/// A thread that syncs; joined by its owner.
struct SyncThread: Sendable {
    private let handle: pthread_t

    private final class Body: Sendable {
        let name: String
        let run: @Sendable () -> Void

        init(_ name: String, _ run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }

    /// - Parameter name: at most 15 bytes, as the kernel shows it.
    init(name: String, _ run: @escaping @Sendable () -> Void) throws(StorageError) {
        var handle = pthread_t()
        let context = Unmanaged.passRetained(Body(name, run))
        let code = pthread_create(
            &handle, nil,
            { context in
                guard let context else { return nil }
                let body = Unmanaged<Body>.fromOpaque(context).takeRetainedValue()
                millrace_name_thread(body.name)
                body.run()
                return nil
            }, context.toOpaque())
        guard code == 0 else {
            context.release()
            throw .system("start a thread for", "the log", SystemError(code: code))
        }
        self.handle = handle
    }

    func join() {
        pthread_join(handle, nil)
    }
}
