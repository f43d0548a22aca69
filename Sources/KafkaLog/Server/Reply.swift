import KafkaLogProtocol
import KafkaLogStorage

/// Where an answer goes, and in which form. Its connection may be gone by the time it is ready.
struct Reply<Request: RequestMessage> {
    let connection: Connection
    let version: Int16
    fileprivate let correlationID: Int32
    fileprivate let place: UInt64
    /// When the request was there in whole, nanoseconds of the monotonic clock; moved on by the time that it waited for records.
    private(set) var arrival: UInt64
    /// Puts into the answer what an allow list denied; nil when that is nothing.
    var amend: ((inout Request.Response) -> Void)?

    /// Reserves the place of the answer to the request with `header`.
    init(to header: RequestHeader, on connection: Connection) {
        self.connection = connection
        self.version = header.version
        self.correlationID = header.correlationID
        self.place = connection.reserve()
        self.arrival = connection.requestArrival
    }

    /// The reply to a request that was put aside at `pause` and taken up again at `resumption`: the time between does not count as work.
    func resumed(at resumption: UInt64, after pause: UInt64) -> Reply {
        var reply = self
        reply.arrival += resumption - pause
        return reply
    }
}

extension Broker {
    /// Sends an answer, once those to the connection's earlier requests are out.
    func answer<Request: RequestMessage>(_ reply: Reply<Request>, _ response: Request.Response) {
        guard reply.connection.isOpen else { return }
        var response = response
        reply.amend?(&response)
        do {
            reply.connection.fulfil(
                reply.place, try Request.frame(response, version: reply.version, correlationID: reply.correlationID))
            counters.answered(Request.api, after: DurationHistogram.now - reply.arrival)
            needsAttention(reply.connection)
        } catch {
            close(reply.connection, reason: "the answer to \(Request.api) cannot be written: \(error)")
        }
    }

    func answer<Request: RequestMessage>(_ reply: Reply<Request>, _ configure: (inout Request.Response) -> Void) {
        answer(reply, Request.Response(configure))
    }

    /// Answers an ApiVersions request whose version is not spoken: in version 0, so that any client can read it (KIP-511).
    func answerUnsupportedApiVersions(_ header: RequestHeader, _ connection: Connection) {
        var known = header
        known.version = 0
        answer(Reply<ApiVersionsRequest>(to: known, on: connection), apiVersions(errorCode: .unsupportedVersion))
    }
}
