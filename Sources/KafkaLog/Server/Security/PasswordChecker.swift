import Dispatch

/// Checks passwords away from the broker's thread: each takes milliseconds, and anybody may ask for it.
final class PasswordChecker {
    private let queue = DispatchQueue(label: "millrace.log.passwords")
    private let key = SecureRandom.bytes(32)
    /// Passwords that were right, as codes under a key of this process: the next login with them is checked at once.
    private var known: [String: [UInt8]] = [:]
    private(set) var underWay = 0

    /// More are refused: whoever opens connections faster than passwords can be checked must not fill the memory.
    static let mostUnderWay = 256

    func remembers(_ message: PlainMessage) -> Bool {
        guard let code = known[message.user] else { return false }
        return areEqualInConstantTime(code, self.code(message))
    }

    /// Has `done` called on the broker's thread.
    func check(_ message: PlainMessage, _ users: UserDirectory, _ mailbox: Mailbox, _ done: @escaping @Sendable (Broker, Bool) -> Void) {
        underWay += 1
        queue.async {
            let isRight = users.knows(message.user, password: message.password)
            _ = mailbox.post { broker in
                broker.passwords.finish(message, isRight)
                done(broker, isRight)
            }
        }
    }

    private func finish(_ message: PlainMessage, _ isRight: Bool) {
        underWay -= 1
        if isRight { known[message.user] = code(message) }
    }

    private func code(_ message: PlainMessage) -> [UInt8] {
        ScramHash.sha256.authenticationCode(key: key, Array(message.user.utf8) + [0] + message.password)
    }
}
