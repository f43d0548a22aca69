import CShims
import Glibc
import KafkaLogProtocol

/// A plain connection to a log: frames out, frames in, blocking.
final class LogConnection {
    let descriptor: Int32
    private var nextCorrelationID: Int32 = 0
    private var storage = ByteStorage(capacity: 1 << 16)

    /// Connects to the first of `brokers` (`host:port`, separated by commas).
    init(_ brokers: String) throws {
        let first = brokers.split(separator: ",").first ?? ""
        guard let colon = first.lastIndex(of: ":") else { throw BenchFailure(description: "a broker is host:port, not `\(first)`") }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(String(first[..<colon]), String(first[first.index(after: colon)...]), &hints, &list)
        guard status == 0, let address = list else { throw BenchFailure(description: "`\(first)`: \(String(cString: gai_strerror(status)))") }
        defer { freeaddrinfo(address) }
        descriptor = socket(address.pointee.ai_family, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0, connect(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0 else {
            throw BenchFailure(description: "cannot connect to `\(first)`: \(String(cString: strerror(errno)))")
        }
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { close(descriptor) }

    /// Where a frame has its correlation id, which `send` gives it.
    private static let correlationPosition = 8

    /// Sends a frame with its length.
    @discardableResult
    func send(_ frame: inout [UInt8]) throws -> Int32 {
        nextCorrelationID &+= 1
        let id = nextCorrelationID
        let failed = frame.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: id.bigEndian, toByteOffset: LogConnection.correlationPosition, as: Int32.self)
            var sent = 0
            while sent < bytes.count {
                let count = Glibc.send(descriptor, bytes.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
                if count < 0, errno != EINTR { return true }
                sent += max(0, count)
            }
            return false
        }
        if failed { throw BenchFailure(description: "the log hung up: \(String(cString: strerror(errno)))") }
        return id
    }

    func send<Request: RequestMessage>(_ request: Request, version: Int16) throws {
        var frame = try Self.frame(request, version: version)
        try send(&frame)
    }

    static func frame<Request: RequestMessage>(_ request: Request, version: Int16) throws -> [UInt8] {
        try request.frame(version: version, correlationID: 0, clientID: "millrace-bench").flatMap { piece -> [UInt8] in
            guard case .bytes(let bytes) = piece else { return [] }
            return bytes
        }
    }

    /// The next answer without its length. Valid until the next call, unless it is kept.
    func receiveFrame() throws -> Bytes {
        if !isKnownUniquelyReferenced(&storage) { storage = ByteStorage(capacity: storage.capacity) }
        try read(4)
        let length = Int(Int32(bigEndian: storage.base.loadUnaligned(as: Int32.self)))
        guard length > 0 else { throw BenchFailure(description: "an answer of \(length) bytes") }
        if length > storage.capacity { storage = ByteStorage(capacity: length) }
        try read(length)
        return Bytes(storage: storage, offset: 0, count: length)
    }

    private func read(_ count: Int) throws {
        var done = 0
        while done < count {
            let got = recv(descriptor, storage.base + done, count - done, Int32(MSG_WAITALL))
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { throw BenchFailure(description: "the log hung up") }
            done += got
        }
    }

    func receive<Request: RequestMessage>(_ type: Request.Type, version: Int16) throws -> Request.Response {
        try Request.response(from: try receiveFrame(), version: version).response
    }

    func ask<Request: RequestMessage>(_ request: Request, version: Int16) throws -> Request.Response {
        try send(request, version: version)
        return try receive(Request.self, version: version)
    }

    /// Waits until an answer begins to come; false when the time is over.
    func waitForAnswer(seconds: Double) -> Bool {
        millrace_wait_readable(descriptor, Int64(seconds * 1e9)) > 0
    }
}
