import Foundation

/// A queue from many threads to one, which may wait for it. Messages arrive in the order they were sent.
final class Mailbox<Message: Sendable>: @unchecked Sendable {
    // Unchecked: `messages` is only touched while `condition` is locked.
    private let condition = NSCondition()
    private var messages: [Message] = []

    func send(_ message: Message) {
        condition.lock()
        messages.append(message)
        condition.signal()
        condition.unlock()
    }

    /// All that has arrived, without waiting.
    func drain() -> [Message] {
        condition.lock()
        defer { condition.unlock() }
        let all = messages
        messages.removeAll(keepingCapacity: true)
        return all
    }

    /// All that has arrived, waiting for the first.
    func wait() -> [Message] {
        condition.lock()
        defer { condition.unlock() }
        while messages.isEmpty { condition.wait() }
        let all = messages
        messages.removeAll(keepingCapacity: true)
        return all
    }

    /// All that has arrived, waiting for the first until `deadline`; empty when it passes.
    func wait(until deadline: Date) -> [Message] {
        condition.lock()
        defer { condition.unlock() }
        while messages.isEmpty, condition.wait(until: deadline) {}
        let all = messages
        messages.removeAll(keepingCapacity: true)
        return all
    }
}
