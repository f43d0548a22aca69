import Foundation
import Glibc
import KafkaLog
import KafkaLogProtocol
import Synchronization

/// An input is one or more requests, each without its length, with `separator` between them; after a first byte 0xff it is what
/// goes over the wire as it is. The record batches of Produce requests get a right length and checksum. They are sent to a real broker;
/// after each input it is asked by another client whether it is well, and now and then it is started again on what it has stored.
final class BrokerFuzzer {
    static let separator: [UInt8] = [0xf7, 0x5a]

    private let root = scratchDirectory("broker")
    private var server: LogServer
    private var healthy: Socket
    /// Connections that stay open for a while, with requests that wait.
    private var open: [Socket] = []
    private var count = 0

    init() {
        server = BrokerFuzzer.start(root)
        healthy = Socket(port: server.port)
        prepare()
    }

    private static func start(_ root: String) -> LogServer {
        var configuration = LogServerConfiguration(port: 0, directory: root)
        configuration.fsync = .never
        configuration.limits.partitions = 64
        configuration.limits.requestBytes = 1 << 20
        configuration.topicDefaults.segmentBytes = 64 << 10
        configuration.topicDefaults.retentionBytes = 1 << 20
        configuration.retentionCheckMilliseconds = 100
        configuration.groups.minimumSessionTimeoutMilliseconds = 1
        configuration.log = { event in events.add(([event.message] + event.fields.map { "\($0.name)=\($0.value)" }).joined(separator: " ")) }
        do {
            let server = try LogServer(configuration: configuration)
            try server.start()
            return server
        } catch {
            finding("the log does not start: \(error)")
        }
    }

    /// What valid requests refer to.
    private func prepare() {
        for request in Seeds.preparation { healthy.send(framed: request) }
        for _ in Seeds.preparation { _ = healthy.receiveFrame() }
    }

    func run(_ input: [UInt8]) {
        guard let first = input.first else { return }
        let connection = Socket(port: server.port)
        if first == 0xff {
            connection.send(raw: Array(input.dropFirst()))
        } else {
            for part in BrokerFuzzer.split(input) { connection.send(framed: BrokerFuzzer.putBatchesRight(part)) }
        }
        if input.count % 4 == 0 {
            open.append(connection)
            if open.count > 16 { open.removeFirst() }
        } else {
            connection.finish()
        }
        healthy.send(framed: Seeds.question)
        guard healthy.receiveFrame() != nil else {
            finding("the broker does not answer another client any more (\(server.status)):\n" + events.last.joined(separator: "\n"))
        }
        guard server.status == .ready else { finding("the broker is \(server.status)") }
        count += 1
        if count % 5_000 == 0 { restart(fresh: count % 20_000 == 0) }
    }

    private func restart(fresh: Bool) {
        open = []
        server.stop()
        if fresh { try? FileManager.default.removeItem(atPath: root) }
        server = BrokerFuzzer.start(root)
        healthy = Socket(port: server.port)
        if fresh { prepare() }
    }

    static func split(_ input: [UInt8]) -> [[UInt8]] {
        var parts: [[UInt8]] = [[]]
        var index = 0
        while index < input.count {
            if input[index] == separator[0], index + 1 < input.count, input[index + 1] == separator[1] {
                parts.append([])
                index += 2
            } else {
                parts[parts.count - 1].append(input[index])
                index += 1
            }
        }
        return parts
    }

    static func putBatchesRight(_ request: [UInt8]) -> [UInt8] {
        let bytes = Bytes(request)
        guard let frame = try? RequestFrame(bytes), frame.api == .produce, frame.isSupported,
            let produce = try? frame.decode(ProduceRequest.self)
        else { return request }
        for case .bytes(let records) in produce.topics.flatMap(\.partitions).map(\.records) {
            records.withUnsafeMutableBytes { BatchFuzzer.putRight($0) }
        }
        return bytes.array
    }
}

/// What the broker said last.
private final class Events: Sendable {
    private let messages = Mutex<[String]>([])

    func add(_ message: String) {
        messages.withLock { messages in
            messages.append(message)
            if messages.count > 200 { messages.removeFirst(100) }
        }
    }

    var last: [String] { messages.withLock { $0.suffix(40) } }
}

private let events = Events()

/// A blocking client socket.
final class Socket {
    private let descriptor: Int32

    init(port: UInt16) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        guard status == 0 else { finding("cannot connect: \(String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }

    func send(framed request: [UInt8]) {
        send(raw: withUnsafeBytes(of: Int32(request.count).bigEndian) { [UInt8]($0) } + request)
    }

    /// The server may close at any moment.
    func send(raw bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL)) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// The next answer without its length, nil at the end or after 20 s.
    func receiveFrame() -> [UInt8]? {
        guard let prefix = receive(4) else { return nil }
        return receive(prefix.reduce(0) { $0 << 8 | Int($1) })
    }

    private func receive(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var got = 0
        while got < count {
            let more = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + got, count - got, 0) }
            // libFuzzer's alarm.
            if more < 0, errno == EINTR { continue }
            guard more > 0 else { return nil }
            got += more
        }
        return bytes
    }

    /// Sends no more, and waits for the server to be done with what came.
    func finish() {
        shutdown(descriptor, Int32(SHUT_WR))
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count == 0 || (count < 0 && errno != EINTR) { return }
        }
    }
}
