import CShims
import Glibc
import Synchronization

/// Work from other threads for the broker's thread, with an event descriptor that wakes it.
final class Mailbox: Sendable {
    let descriptor: Int32
    /// nil while nobody takes work.
    private let work = Mutex<[@Sendable (Broker) -> Void]?>(nil)

    init() throws(SocketError) {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard descriptor >= 0 else { throw SocketError.last("eventfd") }
    }

    deinit { _ = Glibc.close(descriptor) }

    /// Accepts work from now on: there will be a thread to do it.
    func open() { work.withLock { $0 = [] } }

    /// False when no thread takes work.
    func post(_ item: @escaping @Sendable (Broker) -> Void) -> Bool {
        let accepted = work.withLock { queue in
            guard queue != nil else { return false }
            queue?.append(item)
            return true
        }
        if accepted { eventfd_write(descriptor, 1) }
        return accepted
    }

    /// The work posted since the last call, in order.
    func take() -> [@Sendable (Broker) -> Void] {
        var value: eventfd_t = 0
        eventfd_read(descriptor, &value)
        return work.withLock { queue in
            guard let items = queue else { return [] }
            queue = []
            return items
        }
    }

    /// Refuses work from now on; returns what was not taken.
    func close() -> [@Sendable (Broker) -> Void] {
        work.withLock { queue in
            let items = queue ?? []
            queue = nil
            return items
        }
    }
}
