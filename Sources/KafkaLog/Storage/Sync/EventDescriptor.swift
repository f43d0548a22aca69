import CShims
import Glibc

/// An eventfd: a counter that one side raises and the other waits for, alone or in `epoll`.
final class EventDescriptor: Sendable {
    let descriptor: Int32

    enum Kind {
        /// `wait` blocks until it is raised.
        case blocking
        /// The same, and each raise is for one that waits.
        case takenOneByOne
        /// Waited for in `epoll`.
        case polled
    }

    init(_ kind: Kind) throws(StorageError) {
        let flags: Int =
            switch kind {
            case .blocking: 0
            case .takenOneByOne: EFD_SEMAPHORE
            case .polled: EFD_NONBLOCK
            }
        descriptor = eventfd(0, Int32(EFD_CLOEXEC) | Int32(flags))
        guard descriptor >= 0 else { throw .system("create", "an eventfd", .last) }
    }

    deinit {
        Glibc.close(descriptor)
    }

    func signal() {
        var one: UInt64 = 1
        // It can only fail when the counter is at its limit, and then the other side wakes up anyway.
        while write(descriptor, &one, 8) < 0 && errno == EINTR {}
    }

    /// Sets the counter back; blocks until it is above 0 if the descriptor blocks.
    func wait() {
        var count: UInt64 = 0
        while read(descriptor, &count, 8) < 0 && errno == EINTR {}
    }

    /// Sets the counter of a descriptor that does not block back.
    func clear() { wait() }

    /// Waits until the counter is above 0 or the time is over; leaves the counter.
    func wait(milliseconds: Int32) {
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        _ = Glibc.poll(&poll, 1, milliseconds)
    }
}
