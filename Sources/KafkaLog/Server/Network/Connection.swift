import Glibc
import KafkaLogProtocol

/// A client's connection: what it sent, what it is owed in which order, and what is on its way to it.
final class Connection {
    let id: UInt64
    let descriptor: Int32
    let peer: String
    var input = InputBuffer()
    var output = OutputQueue()
    /// The client id of its last request, for logs and group descriptions.
    var clientID = ""
    /// Milliseconds of the monotonic clock.
    var lastActivity: Int64
    /// When its last request was there in whole, nanoseconds of the monotonic clock.
    var requestArrival: UInt64 = 0

    /// Answers in the order of their requests; nil while an answer is not ready. The first is that of request `firstOwed`.
    private var owed: [[OutputPiece]?] = []
    private var firstOwed: UInt64 = 0

    /// False once its socket is closed: answers that come later are dropped.
    private(set) var isOpen = true
    /// Fetches of it that wait for records.
    var parkedFetches: [UInt64: ParkedFetch] = [:]
    var interest: Poller.Interest = .read
    /// Whether it is on the list of connections to be served at the end of the turn.
    var isInAttention = false
    /// Bytes of its input buffer that count against the common limit.
    var accountedInput = 0

    init(id: UInt64, descriptor: Int32, peer: String, now: Int64) {
        self.id = id
        self.descriptor = descriptor
        self.peer = peer
        self.lastActivity = now
    }

    deinit { close() }

    func close() {
        guard isOpen else { return }
        isOpen = false
        _ = Glibc.close(descriptor)
    }

    /// Requests that wait for their answer, or for an earlier one's.
    var requestsInFlight: Int { owed.count }

    /// Reserves the place of the next answer.
    func reserve() -> UInt64 {
        owed.append(nil)
        return firstOwed + UInt64(owed.count - 1)
    }

    /// Hands over the answer of request `place`; all answers that are now in order go to the output.
    func fulfil(_ place: UInt64, _ answer: [OutputPiece]) {
        owed[Int(place - firstOwed)] = answer
        var ready = 0
        while ready < owed.count, let answer = owed[ready] {
            output.append(answer)
            ready += 1
        }
        owed.removeFirst(ready)
        firstOwed += UInt64(ready)
    }

    /// Whether it holds so much that no further request is taken from it.
    func isSaturated(_ limits: LogServerLimits) -> Bool {
        owed.count >= limits.requestsInFlight || output.memoryBytes >= limits.outputBytes
    }
}
