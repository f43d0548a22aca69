import Foundation
import Glibc
import Synchronization

/// Where a bucket is.
package struct S3Location: Equatable, Sendable {
    package var bucket: String
    package var region: String
    /// `https://host` or `http://host:port`, without a path; nil for AWS.
    package var endpoint: String?
    /// `endpoint/bucket/key` instead of `bucket.endpoint/key`.
    package var usesPathStyle: Bool

    /// - Parameter usesPathStyle: by default where there is an endpoint of one's own, and for buckets with a dot, whose certificate would not fit.
    package init(bucket: String, region: String, endpoint: String? = nil, usesPathStyle: Bool? = nil) {
        self.bucket = bucket
        self.region = region
        self.endpoint = endpoint
        self.usesPathStyle = usesPathStyle ?? (endpoint != nil || bucket.contains("."))
    }

    package var scheme: String { endpoint?.hasPrefix("http://") == true ? "http" : "https" }

    package var host: String {
        let host = endpoint.map { String($0[($0.firstRange(of: "://")?.upperBound ?? $0.startIndex)...]) } ?? "s3.\(region).amazonaws.com"
        return usesPathStyle ? host : "\(bucket).\(host)"
    }

    /// Encoded, as it is signed and sent.
    package func path(of key: String) -> String {
        let path = S3Signature.encoded(key, isPath: true)
        return usesPathStyle ? "/\(S3Signature.encoded(bucket))/\(path)" : "/\(path)"
    }
}

/// When a request is made again, and after how long: exponential with full jitter.
package struct S3Retries: Equatable, Sendable {
    /// Requests in all.
    package var attempts = 6
    /// Milliseconds before the second at most; twice as much before each further one.
    package var firstPause = 100
    package var longestPause = 3_000

    package init() {}

    func pause(after attempt: Int) -> Int {
        Int.random(in: 1...max(1, min(longestPause, firstPause << min(attempt, 20))))
    }
}

/// The requests of S3 that storage needs, signed, and made again where that can help. Any thread may use it.
final class S3Client: Sendable {
    let location: S3Location
    private let environment: S3Environment
    private let retries: S3Retries
    private let state: Mutex<State>

    private struct State {
        var credentials: S3Credentials?
        /// Seconds that the store's clock is ahead.
        var clockOffset = 0
        var idle: [HandedConnection] = []
    }

    /// One thread has it at a time.
    private struct HandedConnection: @unchecked Sendable {
        let connection: HTTPConnection
    }

    init(_ location: S3Location, _ environment: S3Environment, _ retries: S3Retries) {
        self.location = location
        self.environment = environment
        self.retries = retries
        state = Mutex(State())
    }

    struct Call {
        var method: String
        var key = ""
        var query: [(String, String)] = []
        var headers: [(String, String)] = []
        var body = HTTPRequest.Body.none
        /// SHA-256 of the body, in hexadecimal; computed where it is not given.
        var payloadHash: String?
        var target = HTTPRequest.Target.memory(limit: 16 << 20)
        /// 404 is an answer, not an error.
        var mayBeMissing = false
    }

    /// Performs a call until it has a good answer (or a 404 that may be).
    /// - Throws: `inputOutput` when the store cannot be reached or refuses; `missing` for a 404.
    func perform(_ call: Call) throws(StateError) -> HTTPResponse {
        var attempt = 0
        var hasRenewed = false
        while true {
            attempt += 1
            let problem: Problem
            let credentials = try credentials()
            do throws(HTTPFailure) {
                let response = try send(call, credentials)
                if response.isGood || (response.status == 404 && call.mayBeMissing) { return response }
                problem = Problem(response)
            } catch {
                if error.isLocal { throw StateError(.inputOutput, place(call), error.reason, remedy: "look at the disk; will be tried again") }
                problem = Problem(text: error.reason, isTransient: true)
            }
            if problem.isStale, !hasRenewed {
                hasRenewed = true
                state.withLock { state in
                    state.credentials = nil
                    if let offset = problem.clockOffset { state.clockOffset = offset }
                }
                continue
            }
            guard problem.isTransient, attempt < retries.attempts else { throw problem.error(place(call), attempts: attempt) }
            usleep(UInt32(retries.pause(after: attempt - 1)) * 1_000)
        }
    }

    private func send(_ call: Call, _ credentials: S3Credentials) throws(HTTPFailure) -> HTTPResponse {
        let hash: String
        if let known = call.payloadHash { hash = known } else { hash = try Self.hash(of: call.body) }
        let path = location.path(of: call.key)
        let offset = state.withLock { $0.clockOffset }
        let signature = S3Signature(credentials: credentials, region: location.region, time: time(nil) + offset)
        let headers = signature.headers(
            method: call.method, path: path, query: call.query, headers: call.headers + [("host", location.host)], payloadHash: hash)
        let query = call.query.isEmpty ? "" : "?\(S3Signature.text(of: call.query))"
        let request = HTTPRequest(
            method: call.method, url: "\(location.scheme)://\(location.host)\(path)\(query)", headers: headers, body: call.body,
            target: call.target)
        let connection = state.withLock { $0.idle.popLast() } ?? HandedConnection(connection: HTTPConnection())
        // After a failure the connection is not used again.
        let response = try connection.connection.perform(request)
        state.withLock { $0.idle.append(connection) }
        return response
    }

    private func credentials() throws(StateError) -> S3Credentials {
        if let known = state.withLock({ $0.credentials }) { return known }
        let found = try environment.credentials()
        state.withLock { $0.credentials = found }
        return found
    }

    private static func hash(of body: HTTPRequest.Body) throws(HTTPFailure) -> String {
        switch body {
        case .none: SHA256.hex(SHA256.hash(UnsafeRawBufferPointer(start: nil, count: 0)))
        case .bytes(let bytes): SHA256.hex(bytes.withUnsafeBytes(SHA256.hash))
        case .file(let path, let offset, let count): try SHA256.hex(SHA256.hash(file: path, offset: offset, count: count))
        }
    }

    private func place(_ call: Call) -> String { "s3://\(location.bucket)/\(call.key)" }
}

/// What came instead of a good answer.
private struct Problem {
    var text: String
    var isTransient: Bool
    /// The credentials or the clock are out of date: worth one more try at once.
    var isStale = false
    var clockOffset: Int?
    var status = 0

    init(text: String, isTransient: Bool) {
        self.text = text
        self.isTransient = isTransient
    }

    init(_ response: HTTPResponse) {
        let error = S3XML.parse(response.body)
        let code = error?.text("Code") ?? ""
        let message = error?.text("Message").map { ": \($0.prefix(300))" } ?? ""
        status = response.status
        text = "the store answered \(response.status)\(code.isEmpty ? "" : " \(code)")\(message)"
        isTransient =
            response.status >= 500 || response.status == 429 || response.status == 408
            || ["RequestTimeout", "SlowDown", "OperationAborted", "InternalError"].contains(code)
        switch code {
        case "RequestTimeTooSkewed":
            isStale = true
            clockOffset = response.headers["date"].flatMap(S3Dates.http).map { $0 - time(nil) }
        case "ExpiredToken", "InvalidAccessKeyId", "TokenRefreshRequired":
            isStale = true
        default: break
        }
    }

    func error(_ place: String, attempts: Int) -> StateError {
        if status == 404 {
            return StateError(.missing, place, text, remedy: "create the bucket, or correct `checkpoint.storage`")
        }
        if isTransient {
            return StateError(.inputOutput, place, "\(text) (\(attempts) attempts)", remedy: "will be tried again; look at the store and the network")
        }
        return StateError(.inputOutput, place, text, remedy: "check the credentials, their rights on the bucket, region and endpoint")
    }
}
