import JobFile
import KafkaClient

/// A span of Kafka timestamps, `[from, to)`, milliseconds since 1970 UTC.
package struct BackfillRange: Equatable, Sendable {
    package var from: Int64
    package var to: Int64

    package init(from: Int64, to: Int64) {
        self.from = from
        self.to = to
    }

    package struct Failure: Error, CustomStringConvertible, Sendable {
        package let description: String
    }

    private static let timeout = Duration.seconds(30)

    /// The offsets of the span in every partition of the sources: in each from the first record at or after `from` to the first at
    /// or after `to`. What stands between is read, whatever its own timestamp.
    /// - Returns: the partitions, and those of them whose first records retention may have deleted.
    package func offsets(
        of sources: [SourcePlan], in cluster: ClusterLookUp
    ) throws(Failure) -> (partitions: [BackfillRecord.Partition], cut: [TopicPartition]) {
        let topics = try asking { () throws(KafkaClientError) in try cluster.topics(timeout: Self.timeout) }
        var all: [TopicPartition] = []
        for source in sources {
            guard let count = topics[source.topic] else {
                throw Failure(description: "there is no topic \(source.topic), which source `\(source.name)` reads")
            }
            if source.mustHaveOnePartition, count > 1 {
                throw Failure(
                    description: "source `\(source.name)` names no `key`, and topic \(source.topic) has \(count) partitions: records of one group "
                        + "could lie in several of them. Name the field that the topic is partitioned by")
            }
            all += (0..<count).map { TopicPartition(source.topic, $0) }
        }
        let (ends, first, behind) = try asking { () throws(KafkaClientError) in
            (
                try cluster.ends(of: all, timeout: Self.timeout), try cluster.offsets(atOrAfter: from, of: all, timeout: Self.timeout),
                try cluster.offsets(atOrAfter: to, of: all, timeout: Self.timeout)
            )
        }
        var partitions: [BackfillRecord.Partition] = []
        var cut: [TopicPartition] = []
        for (index, partition) in all.enumerated() {
            // Where times are not in order, what is at or after `to` may stand before what is at or after `from`.
            let end = behind[index] < 0 ? ends[index].end : behind[index]
            let start = min(end, first[index] < 0 ? end : first[index])
            guard end <= ends[index].lastStable else {
                throw Failure(
                    description: "\(partition): the range ends at offset \(end), and a transaction is open from \(ends[index].lastStable) on; "
                        + "start again once it is decided")
            }
            if ends[index].start > 0, start == ends[index].start { cut.append(partition) }
            partitions.append(.init(topic: partition.topic, partition: partition.partition, start: start, end: end))
        }
        return (partitions, cut)
    }

    private func asking<Answer>(_ question: () throws(KafkaClientError) -> Answer) throws(Failure) -> Answer {
        do throws(KafkaClientError) {
            return try question()
        } catch {
            throw Failure(description: "\(error)")
        }
    }
}
