import KafkaLogCoordination

/// A member of a group. Everything but the tokens and `isNew` is persisted.
struct GroupMember {
    var memberID: String
    var groupInstanceID: String?
    var clientID: String
    var clientHost: String
    var rebalanceTimeoutMilliseconds: Int32
    var sessionTimeoutMilliseconds: Int32
    /// In order of preference.
    var protocols: [GroupProtocol]
    var assignment: [UInt8] = []
    /// Members are listed in the order in which they came, so that the same requests give the same answers.
    var order: UInt64 = 0

    /// The JoinGroup that waits for the rebalance.
    var waitingJoin: RequestToken?
    /// The SyncGroup that waits for the leader's assignment.
    var waitingSync: RequestToken?
    /// Has never been through a rebalance, so it does not know its id and cannot send heartbeats.
    var isNew = false

    func metadata(for name: String?) -> [UInt8] {
        protocols.first { $0.name == name }?.metadata ?? []
    }

    /// The first of `candidates` in this member's order of preference.
    func vote(_ candidates: Set<String>) -> String? {
        protocols.first { candidates.contains($0.name) }?.name
    }
}
