/// What the control thread learns from `Consumer.poll`.
package enum ConsumerEvent: Sendable, Equatable {
    /// The group gave these partitions to this member, in addition to those it has. May be empty. Nothing is fetched
    /// until `begin` is called for each, which may be any time later: the rebalance does not wait for it.
    case assign([TopicPartition])
    /// The group takes these partitions away. They still belong to this member: commit what is finished, then call
    /// `completeRevoke`, for which the group waits up to the rebalance time-out. Records of other partitions go on flowing.
    case revoke([TopicPartition])
    /// These partitions are gone already (session expired, member fenced): another member may have them. Nothing of them
    /// may be committed; drop their work and call `completeRevoke`, only then the member joins again.
    case lost([TopicPartition])
    /// The client has trouble; it goes on by itself unless `isFatal`. Broker connections, coordinator, authorisation.
    case error(KafkaClientError)
    /// librdkafka's statistics as JSON, if the user set `statistics.interval.ms`.
    case statistics(String)
}
