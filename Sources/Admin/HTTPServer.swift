import CShims
import Glibc

/// What an endpoint answers.
package struct HTTPResponse: Sendable {
    package enum ContentType: Sendable {
        case json
        case text
        case html
        /// Prometheus' text format.
        case metrics
    }

    package var status: Int
    package var type: ContentType
    package var body: String

    package init(status: Int = 200, _ type: ContentType, _ body: String) {
        self.status = status
        self.type = type
        self.body = body
    }
}

/// The HTTP server could not be started.
package struct HTTPServerError: Error, CustomStringConvertible, Sendable {
    package let description: String
}

/// A small HTTP server: paths without bodies, answers from memory. Bounded in connections, their memory and their time, so that
/// whoever plays with it does not disturb the jobs.
package final class HTTPServer: Sendable {
    package struct Configuration: Sendable {
        package var host: String
        /// 0: any free one.
        package var port: UInt16
        /// PEM texts.
        package var tls: (certificate: String, key: String)?
        /// What callers have to send as a bearer token; `/healthz` and `/readyz` are open to everybody.
        package var token: String?

        package init(host: String, port: UInt16, tls: (certificate: String, key: String)? = nil, token: String? = nil) {
            self.host = host
            self.port = port
            self.tls = tls
            self.token = token
        }
    }

    package typealias Handler = @Sendable (_ method: String, _ path: String) -> HTTPResponse

    static let connectionsMax: UInt32 = 64
    static let idleSecondsMax: UInt32 = 15

    package let port: UInt16
    // Safe: libmicrohttpd's handle may be used from any thread; it is only read after the initialiser.
    private nonisolated(unsafe) let http: OpaquePointer
    private nonisolated(unsafe) let certificate: UnsafeMutablePointer<CChar>?
    private nonisolated(unsafe) let key: UnsafeMutablePointer<CChar>?
    private let context: Context

    private final class Context: Sendable {
        let handler: Handler
        let token: String?

        init(_ handler: @escaping Handler, _ token: String?) {
            self.handler = handler
            self.token = token
        }
    }

    package init(_ configuration: Configuration, _ handler: @escaping Handler) throws(HTTPServerError) {
        context = Context(handler, configuration.token)
        certificate = configuration.tls.flatMap { strdup($0.certificate) }
        key = configuration.tls.flatMap { strdup($0.key) }
        let address = "\(configuration.host):\(configuration.port)"
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(configuration.host, String(configuration.port), &hints, &found)
        guard code == 0, let first = found else {
            throw HTTPServerError(description: "http.listen \(address): \(String(cString: gai_strerror(code)))")
        }
        defer { freeaddrinfo(first) }
        guard
            let http = millrace_http_start(
                first.pointee.ai_addr, certificate, key, Self.connectionsMax, Self.idleSecondsMax, answerRequest,
                Unmanaged.passUnretained(context).toOpaque())
        else {
            let reason = errno == 0 ? "certificate or key are not usable" : String(cString: strerror(errno))
            throw HTTPServerError(description: "http.listen \(address): \(reason)")
        }
        self.http = http
        port = UInt16(clamping: millrace_http_port(http))
    }

    /// Ends all connections, waiting for the requests under way.
    deinit {
        millrace_http_stop(http)
        free(certificate)
        free(key)
    }

    fileprivate static func respond(_ context: UnsafeMutableRawPointer, _ method: String, _ path: String, _ authorization: String?) -> HTTPResponse {
        let context = Unmanaged<Context>.fromOpaque(context).takeUnretainedValue()
        if let token = context.token, path != "/healthz", path != "/readyz" {
            guard let authorization, isEqual(authorization, "Bearer " + token) else {
                return HTTPResponse(status: 401, .text, "a bearer token is required\n")
            }
        }
        return context.handler(method, path)
    }

    /// In a time that does not depend on where they differ.
    private static func isEqual(_ given: String, _ expected: String) -> Bool {
        let given = Array(given.utf8)
        let expected = Array(expected.utf8)
        guard given.count == expected.count else { return false }
        return zip(given, expected).reduce(0 as UInt8) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

private func answerRequest(
    _ context: UnsafeMutableRawPointer?, _ method: UnsafePointer<CChar>, _ path: UnsafePointer<CChar>,
    _ authorization: UnsafePointer<CChar>?, _ answer: UnsafeMutablePointer<millrace_http_answer>
) {
    guard let context else { return }
    var response = HTTPServer.respond(context, String(cString: method), String(cString: path), authorization.map { String(cString: $0) })
    answer.pointee.status = UInt32(response.status)
    answer.pointee.content_type =
        switch response.type {
        case .json: contentTypes.json
        case .text: contentTypes.text
        case .html: contentTypes.html
        case .metrics: contentTypes.metrics
        }
    response.body.withUTF8 { body in
        // An empty answer still needs something that may be freed.
        guard let copy = malloc(max(1, body.count)) else { return }
        if let source = body.baseAddress { memcpy(copy, source, body.count) }
        answer.pointee.body = copy
        answer.pointee.body_size = body.count
    }
}

// Safe: static C strings, never written again.
private nonisolated(unsafe) let contentTypes = (
    json: UnsafePointer<CChar>(strdup("application/json")), text: UnsafePointer<CChar>(strdup("text/plain; charset=utf-8")),
    html: UnsafePointer<CChar>(strdup("text/html; charset=utf-8")),
    metrics: UnsafePointer<CChar>(strdup("text/plain; version=0.0.4; charset=utf-8"))
)
