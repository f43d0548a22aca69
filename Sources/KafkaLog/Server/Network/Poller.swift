import CShims
import Glibc

/// Waits for many descriptors at once (epoll, level-triggered).
struct Poller: ~Copyable {
    private let descriptor: Int32
    private let events: UnsafeMutableBufferPointer<epoll_event>

    struct Interest: OptionSet {
        let rawValue: UInt32
        static let read = Interest(rawValue: EPOLLIN.rawValue)
        static let write = Interest(rawValue: EPOLLOUT.rawValue)
    }

    struct Event {
        let key: UInt64
        let readable: Bool
        let writable: Bool
        /// The peer is gone or the descriptor failed.
        let closed: Bool
    }

    init() throws(SocketError) {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard descriptor >= 0 else { throw SocketError.last("epoll_create1") }
        events = .allocate(capacity: 256)
    }

    deinit {
        close(descriptor)
        events.deallocate()
    }

    /// Watches `file`; its events carry `key`.
    func add(_ file: Int32, key: UInt64, _ interest: Interest) throws(SocketError) {
        try control(EPOLL_CTL_ADD, file, key, interest)
    }

    func change(_ file: Int32, key: UInt64, _ interest: Interest) throws(SocketError) {
        try control(EPOLL_CTL_MOD, file, key, interest)
    }

    func remove(_ file: Int32) {
        _ = epoll_ctl(descriptor, EPOLL_CTL_DEL, file, nil)
    }

    private func control(_ operation: Int32, _ file: Int32, _ key: UInt64, _ interest: Interest) throws(SocketError) {
        var event = epoll_event()
        event.events = interest.rawValue
        event.data.u64 = key
        guard epoll_ctl(descriptor, operation, file, &event) == 0 else { throw SocketError.last("epoll_ctl") }
    }

    /// Blocks until something happens or `milliseconds` have passed (negative: for ever), then hands over each event.
    func wait(milliseconds: Int32, _ body: (Event) -> Void) throws(SocketError) {
        let count = epoll_wait(descriptor, events.baseAddress, Int32(events.count), milliseconds)
        if count < 0 {
            if errno == EINTR { return }
            throw SocketError.last("epoll_wait")
        }
        for index in 0..<Int(count) {
            let event = events[index]
            body(
                Event(
                    key: event.data.u64,
                    readable: event.events & EPOLLIN.rawValue != 0,
                    writable: event.events & EPOLLOUT.rawValue != 0,
                    closed: event.events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0))
        }
    }
}
