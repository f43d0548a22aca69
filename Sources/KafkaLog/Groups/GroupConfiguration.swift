/// Limits and delays of the group coordinator. The comments name Kafka's settings.
package struct GroupConfiguration: Hashable, Sendable {
    /// `group.min.session.timeout.ms`
    package var minimumSessionTimeoutMilliseconds: Int32 = 6_000
    /// `group.max.session.timeout.ms`
    package var maximumSessionTimeoutMilliseconds: Int32 = 1_800_000
    /// How long the first rebalance of an empty group waits for more members (`group.initial.rebalance.delay.ms`). Kafka
    /// waits 3 s; here a job starts at once and pays for it with one more rebalance when a second member comes.
    package var initialRebalanceDelayMilliseconds: Int32 = 0
    /// How long a new member may wait for its first JoinGroup to be answered. It cannot send heartbeats yet.
    package var newMemberJoinTimeoutMilliseconds: Int32 = 300_000
    /// `group.max.size`. As many members again may be waiting to use the member id they were given.
    package var maximumMembers = 1_000
    /// Groups kept at a time, counting those with nothing but offsets.
    package var maximumGroups = 100_000
    /// Bytes of what the members of all groups bring. Beyond it there are no new members.
    package var maximumMemoryBytes = 256 << 20
    /// Bytes of all protocols (names and metadata, and 64 for each) of one member.
    package var maximumMemberMetadataBytes = 1 << 20
    /// Bytes of a group's journal entry: all members with their metadata and assignments.
    package var maximumGroupRecordBytes = 16 << 20
    /// Bytes of the metadata string of a committed offset (`offset.metadata.max.bytes`).
    package var maximumOffsetMetadataBytes = 4_096
    /// How long offsets live after the group became empty, or after the commit when there never was a member
    /// (`offsets.retention.minutes`).
    package var offsetsRetentionMilliseconds: Int64 = 7 * 24 * 3_600_000
    /// How often expired offsets and groups with nothing left are looked for (`offsets.retention.check.interval.ms`).
    package var offsetsRetentionCheckIntervalMilliseconds: Int64 = 600_000

    package init() {}
}
