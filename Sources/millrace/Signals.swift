import Foundation

/// SIGTERM and SIGINT as events. Made before any thread is started, so that no other thread takes them.
struct Signals {
    private var set = sigset_t()

    init() {
        sigemptyset(&set)
        sigaddset(&set, SIGTERM)
        sigaddset(&set, SIGINT)
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Calls `body` with each signal's name, on a thread of its own, for as long as the process lives.
    func deliver(_ body: @escaping @Sendable (String) -> Void) {
        let set = set
        Thread.detachNewThread {
            var set = set
            while true {
                var number: Int32 = 0
                if sigwait(&set, &number) == 0 { body(number == SIGTERM ? "SIGTERM" : "SIGINT") }
            }
        }
    }
}
