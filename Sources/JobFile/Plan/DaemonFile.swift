/// The daemon's own settings, checked; what is left out of the file has its default here.
package struct DaemonFile: Hashable, Sendable {
    package var http = HTTPSettings()
    /// Nil: no log in this process. A file without `log` has none; where there is no file there is one.
    package var log: LogSettings?
    package var state = StateSettings()
    package var checkpoint = CheckpointSettings()
    /// Paths of job files, as written.
    package var jobs: [String] = []
    /// Threads that run tasks; nil: the number of cores.
    package var workers: Int?

    package init(log: LogSettings? = nil) {
        self.log = log
    }

    /// What holds without a file: everything on this machine, the log included.
    package static let withoutFile = DaemonFile(log: LogSettings())
}

/// `host:port` of a listening socket. Port 0 lets the system choose.
package struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    /// A name or an address; IPv6 without its brackets.
    package var host: String
    package var port: UInt16

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Only this machine can reach it.
    package var isLoopback: Bool {
        let bytes = host.split(separator: ".", omittingEmptySubsequences: false).compactMap { UInt8($0) }
        return host == "localhost" || host == "::1" || (bytes.count == 4 && bytes[0] == 127)
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

package struct HTTPSettings: Hashable, Sendable {
    package var listen = ListenAddress(host: "127.0.0.1", port: 8080)
    package var tls: TLSSettings?
    /// Callers must send it as a bearer token.
    package var token: String?

    package init(
        listen: ListenAddress = ListenAddress(host: "127.0.0.1", port: 8080), tls: TLSSettings? = nil,
        token: String? = nil
    ) {
        self.listen = listen
        self.tls = tls
        self.token = token
    }
}

/// Paths of PEM files, as written.
package struct TLSSettings: Hashable, Sendable {
    package var certificate: String
    package var key: String

    package init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }
}

package struct StateSettings: Hashable, Sendable {
    package var directory = "./data/state"
    /// Bytes that the state of all tasks may take in memory; 16 MiB or more.
    package var memory = 1 << 30

    package init(directory: String = "./data/state", memory: Int = 1 << 30) {
        self.directory = directory
        self.memory = memory
    }
}

package struct CheckpointSettings: Hashable, Sendable {
    package enum Storage: Hashable, Sendable {
        case directory(String)
        /// `prefix` without `/` at either end; may be empty.
        case s3(bucket: String, prefix: String)
    }

    /// What is not in `s3://bucket/prefix`; nil where the environment or the store's default counts.
    package struct S3: Hashable, Sendable {
        /// `http://` or `https://`, a host and perhaps a port.
        package var endpoint: String?
        package var region: String?
        /// `endpoint/bucket/key` instead of `bucket.endpoint/key`.
        package var usesPathStyle: Bool?

        package init() {}
    }

    /// Microseconds from commit to commit: 10 ms to 1 h.
    package var interval: Int64 = 1_000_000
    package var storage = Storage.directory("./data/checkpoints")
    package var s3 = S3()

    package init(interval: Int64 = 1_000_000, storage: Storage = .directory("./data/checkpoints")) {
        self.interval = interval
        self.storage = storage
    }
}
