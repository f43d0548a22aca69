/// What the members of all groups take in memory, roughly.
final class GroupUsage {
    var bytes = 0

    /// For an id that was given out and not used yet, with its timer.
    static let pendingMemberBytes = 1_024
}

extension GroupProtocol {
    var byteCount: Int { 64 + name.utf8.count + metadata.count }
}

extension GroupMember {
    var byteCount: Int {
        512 + memberID.utf8.count + (groupInstanceID?.utf8.count ?? 0) + clientID.utf8.count + clientHost.utf8.count + assignment.count
            + protocols.reduce(0) { $0 + $1.byteCount }
    }
}
