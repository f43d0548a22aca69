import CShims
import Glibc

/// A listening TCP socket.
struct Listener: ~Copyable {
    let descriptor: Int32
    /// The port that was bound: the one asked for, or a free one when that was 0.
    let port: UInt16
    /// Only this machine can reach it.
    let isLoopback: Bool

    /// Binds the first address that `host` resolves to.
    init(host: String, port: UInt16, loopbackOnly: Bool) throws(LogServerError) {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &list)
        guard status == 0, let first = list else {
            throw .cannotListen(address: "\(host):\(port)", reason: String(cString: gai_strerror(status)))
        }
        defer { freeaddrinfo(first) }
        guard let address = first.pointee.ai_addr else { throw .cannotListen(address: "\(host):\(port)", reason: "no address") }
        if loopbackOnly, !Listener.isLoopback(address) { throw .listenerNotLoopback(host: host) }

        let descriptor = socket(first.pointee.ai_family, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0)
        guard descriptor >= 0 else { throw .cannotListen(address: "\(host):\(port)", reason: SocketError.last("socket").description) }
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        guard bind(descriptor, address, first.pointee.ai_addrlen) == 0, listen(descriptor, 511) == 0 else {
            let reason = SocketError.last("bind").description
            close(descriptor)
            throw .cannotListen(address: "\(host):\(port)", reason: reason)
        }
        var bound = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let boundPort: UInt16? = withUnsafeMutablePointer(to: &bound) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) == 0 ? Listener.port($0) : nil }
        }
        guard let boundPort else {
            close(descriptor)
            throw .cannotListen(address: "\(host):\(port)", reason: "the bound address is unknown")
        }
        self.descriptor = descriptor
        self.port = boundPort
        self.isLoopback = Listener.isLoopback(address)
    }

    deinit { close(descriptor) }

    enum Accepted {
        case connection(descriptor: Int32, peer: Peer)
        case none
        /// The process or system is out of descriptors or memory: accepting again at once would spin.
        case exhausted(SocketError)
    }

    /// The next waiting connection, non-blocking and without Nagle's delay.
    borrowing func accept() -> Accepted {
        var address = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        while true {
            let accepted = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { millrace_accept(descriptor, $0, &size) }
            }
            if accepted >= 0 {
                var on: Int32 = 1
                setsockopt(accepted, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
                let peer = withUnsafePointer(to: &address) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { Listener.peer($0, size) }
                }
                return .connection(descriptor: accepted, peer: peer)
            }
            switch errno {
            case EINTR, ECONNABORTED, EPROTO: continue
            case EAGAIN: return .none
            default: return .exhausted(SocketError.last("accept"))
            }
        }
    }

    private static func port(_ address: UnsafePointer<sockaddr>) -> UInt16? {
        switch Int32(address.pointee.sa_family) {
        case AF_INET: address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { UInt16(bigEndian: $0.pointee.sin_port) }
        case AF_INET6: address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { UInt16(bigEndian: $0.pointee.sin6_port) }
        default: nil
        }
    }

    private static func isLoopback(_ address: UnsafePointer<sockaddr>) -> Bool {
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { UInt32(bigEndian: $0.pointee.sin_addr.s_addr) >> 24 == 127 }
        case AF_INET6:
            address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { pointer in
                withUnsafeBytes(of: pointer.pointee.sin6_addr) { $0.dropLast().allSatisfy { $0 == 0 } && $0.last == 1 }
            }
        default: false
        }
    }

    private static func peer(_ address: UnsafePointer<sockaddr>, _ size: socklen_t) -> Peer {
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let isKnown = getnameinfo(address, size, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST) == 0
        let name = isKnown ? String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : "unknown"
        return Peer(address: name, port: port(address) ?? 0, isLoopback: isLoopback(address))
    }
}
