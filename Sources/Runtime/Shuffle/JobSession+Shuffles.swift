import JobFile
import KafkaClient

// The internal topics.
extension JobSession {
    /// Between two rounds of deleting what has been read of them.
    static let trimInterval = Duration.seconds(30)

    /// Makes the topic of a shuffle, whose number of partitions then never changes: the state below belongs to them.
    func prepare(_ shuffle: ShufflePlan, _ admin: any TopicAdministrator) throws(RuntimeFailure) {
        let above = plan.sources[plan.source(of: shuffle.from)]
        let wanted = shuffle.partitions.map(Int32.init(clamping:)) ?? partitions[above.topic] ?? 1
        // Nothing may go that has not been read, however long the job stands still; what has been read is deleted by the job.
        let topic = NewTopic(
            shuffle.topic, partitions: wanted,
            configuration: [
                "cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1",
                "max.message.bytes": "\(TransactionalProducerConfiguration.recordBytesMax)",
            ])
        let count = try retrying("create topic \(shuffle.topic)") { () throws(AdminError) in
            try admin.ensure(topic, timeout: .seconds(10))
        }
        if let asked = shuffle.partitions, asked != Int(count) {
            throw RuntimeFailure(
                remedy: .fail,
                description: "shuffle `\(shuffle.name)` is to have \(asked) partitions, and its topic \(shuffle.topic) has \(count), by which the "
                    + "state below it is divided. Put \(count) into the job file, or give the job another name to start over")
        }
        partitions[shuffle.topic] = count
    }

    /// Deletes what a former life of the job left in its shuffles' topics.
    ///
    /// Blocks become visible with the offsets of the tasks that wrote them. So if they are there and the group has no offset of any such task,
    /// they are of a job of this name whose offsets were deleted to start over. To be called once this instance's last transaction is settled:
    /// the offsets are not told before.
    func deleteLeftovers() throws(RuntimeFailure) {
        for shuffle in plan.shuffles { try deleteLeftovers(of: shuffle) }
    }

    private func deleteLeftovers(of shuffle: ShufflePlan) throws(RuntimeFailure) {
        let above = plan.sources[plan.source(of: shuffle.from)]
        var found: [TopicPartition: Int64] = [:]
        for number in 0..<(partitions[shuffle.topic] ?? 0) {
            let partition = TopicPartition(shuffle.topic, number)
            let ends = try retrying("look up the ends of \(partition)") { () throws(KafkaClientError) in
                try self.consumer.watermarks(of: partition, timeout: .seconds(10))
            }
            if ends.lastStableOffset > ends.low { found[partition] = ends.lastStableOffset }
        }
        if found.isEmpty { return }
        let writers = (0..<(partitions[above.topic] ?? 0)).map { TopicPartition(above.topic, $0) }
        let committed = try retrying("look up the committed offsets of \(above.topic)") { () throws(KafkaClientError) in
            try self.consumer.committed(writers, timeout: .seconds(30))
        }
        guard committed.allSatisfy({ $0.offset == nil }) else { return }
        context.log.warn(
            "deleting blocks of a former job of this name, whose offsets are gone", ["topic": .string(shuffle.topic)])
        let admin = try administrator()
        try retrying("delete the records of \(shuffle.topic)") { [found] () throws(AdminError) in
            try admin.deleteRecords(before: found, timeout: .seconds(30))
        }
    }

    /// Deletes the blocks that committed epochs have read. That it fails costs room only; it is tried again later.
    func trimShufflesIfDue() {
        guard !plan.shuffles.isEmpty, clock.now() >= nextTrim else { return }
        nextTrim = clock.now() + Self.trimInterval
        let read = owned.values.filter { task in plan.shuffles.contains { $0.topic == task.partition.topic } && task.committed > task.trimmed }
        if read.isEmpty { return }
        let offsets = Dictionary(uniqueKeysWithValues: read.map { ($0.partition, $0.committed) })
        do {
            try administrator().deleteRecords(before: offsets, timeout: .seconds(5))
            for (partition, offset) in offsets { owned[taskID(partition)]?.trimmed = offset }
        } catch {
            context.log.warn("what has been read of the shuffles' topics is not deleted yet", ["error": .string("\(error)")])
        }
    }
}
