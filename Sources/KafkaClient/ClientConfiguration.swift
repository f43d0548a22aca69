/// Receives a client's log lines. `level` is syslog's (3 error, 4 warning, 5 notice, 6 info, 7 debug), `facility` a short
/// tag of librdkafka's such as `FAIL`. Called from librdkafka's threads: must not block and must not call the client.
package typealias ClientLog = @Sendable (_ level: Int32, _ facility: String, _ text: String) -> Void

/// What every client needs to know.
package struct ClientConfiguration: Sendable {
    /// `host:port`, separated by commas.
    package var brokers: String
    /// Shown in the broker's logs and quotas.
    package var clientID: String
    /// librdkafka properties of the user (security, sizes, time-outs), applied over our defaults. Those that correctness
    /// rests on are refused, see `check()`.
    package var properties: [String: String]
    package var log: ClientLog

    package init(
        brokers: String, clientID: String = "millrace", properties: [String: String] = [:],
        log: @escaping ClientLog = { _, _, _ in }
    ) {
        self.brokers = brokers
        self.clientID = clientID
        self.properties = properties
        self.log = log
    }

    /// Everything that is wrong with the user's properties, in the order of their names, without making a client.
    package func check() -> [ConfigurationError] {
        properties.sorted { $0.key < $1.key }.compactMap { property, value in
            do throws(ConfigurationError) {
                try Properties().setFromUser(property, value)
                return nil
            } catch {
                return error
            }
        }
    }
}

/// A reader in a group. Correctness fixes: no automatic commits or offset stores, read committed, no reset of offsets
/// in silence, cooperative-sticky assignment (KIP-429), end-of-partition events, no topics made by asking for them.
package struct ConsumerConfiguration: Sendable {
    package var client: ClientConfiguration
    /// The job's name.
    package var groupID: String
    /// Makes the reader a static member (KIP-345): it may restart within `sessionTimeout` without a rebalance.
    package var groupInstanceID: String?
    /// Without a heartbeat for so long the member is out of the group. Brokers accept 6 s to 30 min by default.
    package var sessionTimeout: Duration
    /// The longest a rebalance waits for a member that still has to commit what is revoked from it.
    package var rebalanceTimeout: Duration
    /// Records that librdkafka may hold ready for each worker queue, in KiB.
    package var prefetchKiB: Int
    /// The most that is asked of one partition in one fetch, in bytes.
    package var fetchBytes: Int

    package init(
        client: ClientConfiguration, groupID: String, groupInstanceID: String? = nil,
        sessionTimeout: Duration = .seconds(45), rebalanceTimeout: Duration = .seconds(300), prefetchKiB: Int = 64 * 1024,
        fetchBytes: Int = 1 << 20
    ) {
        self.client = client
        self.groupID = groupID
        self.groupInstanceID = groupInstanceID
        self.sessionTimeout = sessionTimeout
        self.rebalanceTimeout = rebalanceTimeout
        self.prefetchKiB = prefetchKiB
        self.fetchBytes = fetchBytes
    }
}

/// How a producer packs records.
package enum Compression: String, Sendable {
    case none, lz4, zstd, snappy, gzip
}

/// A producer, idempotent always: acknowledged by all replicas, in order, once. Records without a partition go to the
/// one that Java clients would choose for the key (murmur2).
package struct ProducerConfiguration: Sendable {
    package var client: ClientConfiguration
    package var compression: Compression
    /// How long a record may wait for company before it is sent.
    package var linger: Duration
    /// Upper bound of the records held for sending; a full queue makes `produce` wait.
    package var queueMessages: Int
    /// Upper bound of the bytes held for sending, in KiB.
    package var queueKiB: Int

    package init(
        client: ClientConfiguration, compression: Compression = .lz4, linger: Duration = .milliseconds(5),
        queueMessages: Int = 1_000_000, queueKiB: Int = 256 * 1024
    ) {
        self.client = client
        self.compression = compression
        self.linger = linger
        self.queueMessages = queueMessages
        self.queueKiB = queueKiB
    }
}
