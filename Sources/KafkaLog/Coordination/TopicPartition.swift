/// A partition of a topic. Ordered by topic name (as bytes), then partition, so that actions come in one order on every run.
package struct TopicPartition: Hashable, Comparable, Sendable {
    package var topic: String
    package var partition: Int32

    package init(_ topic: String, _ partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    package static func < (left: TopicPartition, right: TopicPartition) -> Bool {
        left.topic == right.topic ? left.partition < right.partition : left.topic < right.topic
    }
}
