/// A listening socket, with what its clients are told to connect to and what they have to prove. Belongs to the broker's thread.
final class BrokerListener {
    let socket: Listener
    let security: ListenerSecurity
    /// Where clients that came through this listener find the broker.
    let advertisedHost: String
    let advertisedPort: UInt16

    private(set) var connections = 0
    private var connectionsOfAddress: [String: Int] = [:]

    init(_ socket: consuming Listener, advertised: (host: String, port: UInt16)? = nil, host: String, security: ListenerSecurity) {
        let port = socket.port
        self.socket = socket
        self.security = security
        advertisedHost = advertised?.host ?? host
        advertisedPort = advertised?.port ?? port
    }

    /// Counts a connection in; otherwise says why there is no room for it.
    func admit(_ peer: Peer, _ limits: LogServerLimits) -> String? {
        guard connections < limits.connections else { return "all \(limits.connections) connections are taken" }
        let ofAddress = connectionsOfAddress[peer.address, default: 0]
        let most = limits.connectionsPerAddress ?? (peer.isLoopback ? limits.connections : max(1, limits.connections / 2))
        guard ofAddress < most else { return "its address has \(most) connections already" }
        connections += 1
        connectionsOfAddress[peer.address] = ofAddress + 1
        return nil
    }

    /// A connection that was admitted is gone.
    func release(_ peer: Peer) {
        connections -= 1
        let left = connectionsOfAddress[peer.address, default: 1] - 1
        connectionsOfAddress[peer.address] = left > 0 ? left : nil
    }
}

/// The other end of a connection.
struct Peer {
    /// Without its port.
    let address: String
    let port: UInt16
    let isLoopback: Bool

    var description: String { "\(address):\(port)" }
}
