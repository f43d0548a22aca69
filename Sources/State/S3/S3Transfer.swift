import CCurl
import CShims
import Glibc

/// One HTTP exchange as libcurl performs it.
struct HTTPRequest {
    enum Body {
        case none
        case bytes([UInt8])
        /// A range of a local file.
        case file(String, offset: Int, count: Int)
    }

    enum Target {
        /// At most so many bytes, else it fails.
        case memory(limit: Int)
        /// Written to a new file, whatever its length.
        case file(String)
    }

    var method: String
    var url: String
    var headers: [(String, String)]
    var body = Body.none
    var target = Target.memory(limit: 16 << 20)
}

struct HTTPResponse {
    var status: Int
    /// Names in lower case.
    var headers: [String: String] = [:]
    /// Empty when a good answer went to a file.
    var body: [UInt8] = []
    /// SHA-256 of what went to a file.
    var fileHash: [UInt8]?

    var isGood: Bool { (200..<300).contains(status) }
}

/// No answer came, or not the whole of it.
struct HTTPFailure: Error {
    var reason: String
    /// The local file, not the network: it is no use to try again.
    var isLocal = false
}

/// Performs requests one after the other over a kept connection. Belongs to one thread at a time.
final class HTTPConnection {
    /// A connection has to be there within this time, in milliseconds.
    private static let connectMilliseconds = 5_000
    /// A transfer slower than this many bytes a second, for so many seconds, is given up.
    private static let slowBytes = 1_000
    private static let slowSeconds = 10

    private let handle: UnsafeMutableRawPointer

    init() {
        guard let handle = curl_easy_init() else { preconditionFailure("out of memory: a libcurl handle") }
        self.handle = handle
    }

    deinit { curl_easy_cleanup(handle) }

    func perform(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse {
        let exchange = try HTTPExchange(request)
        curl_easy_reset(handle)
        var list: UnsafeMutablePointer<curl_slist>?
        defer { curl_slist_free_all(list) }
        // libcurl would wait for a "100 Continue" that few object stores send.
        for (name, value) in request.headers + [("expect", "")] {
            // Without a value: none of libcurl's own.
            list = curl_slist_append(list, value.isEmpty ? "\(name):" : "\(name): \(value)")
        }
        let context = Unmanaged.passUnretained(exchange).toOpaque()
        millrace_curl_set_text(handle, option(CURLOPT_URL), request.url)
        millrace_curl_set_text(handle, option(CURLOPT_PROTOCOLS_STR), "http,https")
        millrace_curl_set_text(handle, option(CURLOPT_CUSTOMREQUEST), request.method)
        millrace_curl_set_pointer(handle, option(CURLOPT_HTTPHEADER), list)
        millrace_curl_set_number(handle, option(CURLOPT_NOSIGNAL), 1)
        millrace_curl_set_number(handle, option(CURLOPT_TCP_KEEPALIVE), 1)
        millrace_curl_set_number(handle, option(CURLOPT_CONNECTTIMEOUT_MS), Self.connectMilliseconds)
        millrace_curl_set_number(handle, option(CURLOPT_LOW_SPEED_LIMIT), Self.slowBytes)
        millrace_curl_set_number(handle, option(CURLOPT_LOW_SPEED_TIME), Self.slowSeconds)
        millrace_curl_set_number(handle, option(CURLOPT_BUFFERSIZE), 256 << 10)
        millrace_curl_set_number(handle, option(CURLOPT_UPLOAD_BUFFERSIZE), 256 << 10)
        if request.method == "HEAD" { millrace_curl_set_number(handle, option(CURLOPT_NOBODY), 1) }
        if let size = exchange.bodySize {
            millrace_curl_set_number(handle, option(CURLOPT_UPLOAD), 1)
            millrace_curl_set_size(handle, option(CURLOPT_INFILESIZE_LARGE), Int64(size))
            millrace_curl_set_transfer(handle, option(CURLOPT_READFUNCTION)) { buffer, size, count, context in
                HTTPExchange.of(context).give(UnsafeMutableRawBufferPointer(start: buffer, count: size * count))
            }
            millrace_curl_set_pointer(handle, option(CURLOPT_READDATA), context)
        }
        millrace_curl_set_transfer(handle, option(CURLOPT_HEADERFUNCTION)) { buffer, size, count, context in
            HTTPExchange.of(context).takeHeader(UnsafeRawBufferPointer(start: buffer, count: size * count))
        }
        millrace_curl_set_pointer(handle, option(CURLOPT_HEADERDATA), context)
        millrace_curl_set_transfer(handle, option(CURLOPT_WRITEFUNCTION)) { buffer, size, count, context in
            HTTPExchange.of(context).take(UnsafeRawBufferPointer(start: buffer, count: size * count))
        }
        millrace_curl_set_pointer(handle, option(CURLOPT_WRITEDATA), context)

        let code = withExtendedLifetime(exchange) { curl_easy_perform(handle) }
        if let failure = exchange.failure { throw failure }
        guard code == CURLE_OK else { throw HTTPFailure(reason: String(cString: curl_easy_strerror(code))) }
        exchange.response.status = Int(millrace_curl_status(handle))
        return exchange.finished
    }
}

private func option(_ option: CURLoption) -> Int32 { Int32(option.rawValue) }

/// What libcurl's callbacks work on while a request is performed.
private final class HTTPExchange {
    var response = HTTPResponse(status: 0)
    var failure: HTTPFailure?
    private let request: HTTPRequest
    private var sent = 0
    private var source: Int32 = -1
    private var target: Int32 = -1
    /// Of what is written to the target, while it is at hand: reading it again would cost as much as fetching it.
    private let hash: SHA256.Running?

    init(_ request: HTTPRequest) throws(HTTPFailure) {
        self.request = request
        hash = if case .file = request.target { SHA256.Running() } else { nil }
        if case .file(let path, _, _) = request.body {
            source = open(path, O_RDONLY | O_CLOEXEC)
            guard source >= 0 else { throw HTTPFailure(reason: "could not open \(path): \(Self.systemError)", isLocal: true) }
        }
        if case .file(let path) = request.target {
            target = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            guard target >= 0 else { throw HTTPFailure(reason: "could not create \(path): \(Self.systemError)", isLocal: true) }
        }
    }

    deinit {
        if source >= 0 { close(source) }
        if target >= 0 { close(target) }
    }

    static func of(_ context: UnsafeMutableRawPointer?) -> HTTPExchange {
        guard let context else { preconditionFailure("the callbacks are given their exchange") }
        return Unmanaged<HTTPExchange>.fromOpaque(context).takeUnretainedValue()
    }

    /// The response, when all of it has come.
    var finished: HTTPResponse {
        var response = response
        if response.isGood { response.fileHash = hash?.finish() }
        return response
    }

    var bodySize: Int? {
        switch request.body {
        case .none: nil
        case .bytes(let bytes): bytes.count
        case .file(_, _, let count): count
        }
    }

    /// The next bytes of the body; 0 at its end.
    func give(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        switch request.body {
        case .none: return 0
        case .bytes(let bytes):
            let count = min(buffer.count, bytes.count - sent)
            bytes.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[sent..<(sent + count)])) }
            sent += count
            return count
        case .file(let path, let offset, let size):
            let count = pread(source, buffer.baseAddress, min(buffer.count, size - sent), off_t(offset + sent))
            guard count > 0 || sent == size else {
                failure = HTTPFailure(reason: "could not read \(path): \(count < 0 ? Self.systemError : "it has become shorter")", isLocal: true)
                return Int(CURL_READFUNC_ABORT)
            }
            sent += max(0, count)
            return max(0, count)
        }
    }

    func takeHeader(_ line: UnsafeRawBufferPointer) -> Int {
        let text = String(decoding: line, as: UTF8.self)
        if text.hasPrefix("HTTP/") {
            // An answer after an interim one (1xx).
            response.headers = [:]
            response.status = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        } else if let colon = text.firstIndex(of: ":") {
            let value = text[text.index(after: colon)...].trimmingPrefix(while: \.isWhitespace)
            response.headers[text[..<colon].lowercased()] = String(value.prefix { !$0.isNewline })
        }
        return line.count
    }

    func take(_ bytes: UnsafeRawBufferPointer) -> Int {
        if case .file(let path) = request.target, response.isGood {
            var written = 0
            while written < bytes.count {
                let count = write(target, bytes.baseAddress.unsafelyUnwrapped + written, bytes.count - written)
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else {
                    failure = HTTPFailure(reason: "could not write \(path): \(Self.systemError)", isLocal: true)
                    return 0
                }
                written += count
            }
            hash?.add(bytes)
            return bytes.count
        }
        let limit = if case .memory(let limit) = request.target { limit } else { 1 << 20 }
        guard response.body.count + bytes.count <= limit else {
            failure = HTTPFailure(reason: "the answer is larger than \(limit) bytes")
            return 0
        }
        if response.body.isEmpty, let size = response.headers["content-length"].flatMap({ Int($0) }) {
            response.body.reserveCapacity(min(size, limit))
        }
        response.body.append(contentsOf: bytes)
        return bytes.count
    }

    private static var systemError: String { String(cString: strerror(errno)) }
}
