import Glibc
import KafkaLogProtocol

/// A client's connection: what it sent, what it is owed in which order, and what is on its way to it.
final class Connection {
    let id: UInt64
    let descriptor: Int32
    let listener: BrokerListener
    let origin: Peer
    /// The address and port of the other end, for logs and group descriptions.
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
    /// Bytes in memory of answers that are ready and wait for an earlier one.
    private var heldBackBytes = 0

    /// Nil on a plaintext listener.
    private(set) var tls: TLSSession?
    /// How far it has come with logging in; nil when it need not, and afterwards.
    var login: Login?
    /// Whether its requests are carried out; until then it is only asked who it is.
    var isAuthenticated: Bool
    /// What an allow list lets it do; nil when that is everything.
    var access: Access?
    /// Whether it was logged that a request of it was denied.
    var wasDenied = false
    /// It is closed once its answers are out.
    var isEnding = false
    /// Since when it takes nothing of what it is sent; nil while it does, or is owed nothing.
    var stalledSince: Int64?
    let acceptedAt: Int64

    /// False once its socket is closed: answers that come later are dropped.
    private(set) var isOpen = true
    /// Fetches of it that wait for records.
    var parkedFetches: [UInt64: ParkedFetch] = [:]
    var interest: Poller.Interest = .read
    /// Whether it is on the list of connections to be served at the end of the turn.
    var isInAttention = false
    /// Bytes of its input buffer, and of its answers, that count against the common limits.
    var accountedInput = 0
    /// Bytes of its answers that count against the common limit.
    var accountedOutput = 0
    /// When the request began to come of which a part is here, milliseconds of the monotonic clock; nil when none has.
    var requestBegan: Int64?

    /// - Parameter tls: nil on a plaintext listener.
    init(id: UInt64, descriptor: Int32, listener: BrokerListener, peer: Peer, tls: TLSSession?, now: Int64) {
        self.id = id
        self.descriptor = descriptor
        self.listener = listener
        self.origin = peer
        self.peer = peer.description
        self.lastActivity = now
        self.acceptedAt = now
        self.tls = tls
        login = listener.security.users == nil ? nil : Login()
        isAuthenticated = login == nil && tls == nil
    }

    deinit { close() }

    func close() {
        guard isOpen else { return }
        isOpen = false
        tls = nil
        listener.release(origin)
        _ = Glibc.close(descriptor)
        // A coordinator may hold on to it until a request is decided: not to its memory.
        input = InputBuffer(capacity: 0)
        output = OutputQueue()
        owed = []
    }

    /// Bytes of answers in memory.
    var outputBytes: Int { output.memoryBytes + heldBackBytes }

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
        heldBackBytes += answer.bytesInMemory
        var ready = 0
        while ready < owed.count, let answer = owed[ready] {
            heldBackBytes -= answer.bytesInMemory
            output.append(answer)
            ready += 1
        }
        owed.removeFirst(ready)
        firstOwed += UInt64(ready)
    }

    /// Whether it holds so much that no further request is taken from it. Before it is authenticated that is one request.
    func isSaturated(_ limits: LogServerLimits) -> Bool {
        owed.count >= (isAuthenticated ? limits.requestsInFlight : 1) || outputBytes >= limits.outputBytes || isEnding
    }
}

extension [OutputPiece] {
    /// Regions of files take no memory.
    fileprivate var bytesInMemory: Int {
        reduce(0) { sum, piece in
            if case .bytes(let bytes) = piece { sum + bytes.count } else { sum }
        }
    }
}
