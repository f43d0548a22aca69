import CRdKafka

/// Group, generation, member and instance of a reader at the moment it was asked for. A transaction that carries it is
/// refused by the coordinator once the group has moved on (KIP-447).
///
/// Sendable because the object behind the pointer is never changed.
package final class GroupMetadata: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Takes over `pointer`.
    init(_ pointer: OpaquePointer) { self.pointer = pointer }

    deinit { rd_kafka_consumer_group_metadata_destroy(pointer) }

    /// Metadata of no member: offsets committed with it are not fenced by the group. For a bounded run with partitions
    /// assigned by hand (backfill), where the transactional id alone does the fencing.
    package static func unfenced(groupID: String) -> GroupMetadata? {
        rd_kafka_consumer_group_metadata_new(groupID).map(GroupMetadata.init)
    }
}
