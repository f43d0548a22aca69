import JobFile
import KafkaClient
import State

// A topic that has got more partitions: keys have moved, and their state has not.
extension JobSession {
    /// A partition that was not there when the session began: the next one begins with knowing of it.
    func checkGrowth(_ assigned: [TopicPartition]) throws(RuntimeFailure) {
        for partition in assigned where partition.partition >= partitions[partition.topic] ?? .max {
            throw RuntimeFailure(remedy: .recover, description: "topic \(partition.topic) has been given more partitions")
        }
    }
}

extension TaskRecovery {
    /// Throws when the topic has more partitions than the state of `header` was made with, and that state belongs to keys.
    func checkGrowth(of source: SourcePlan, since header: DeltaHeader) throws(StateError) {
        guard source.shuffle == nil, source.onPartitionGrowth == .fail, plan.keepsState(below: source), let before = header.partitionCount,
            let now = partitions[source.topic], now > before
        else { return }
        throw StateError(
            .foreign, "topic \(source.topic)", "it has \(now) partitions and had \(before) when the state was made: keys have moved to other partitions, and what is open of them has not",
            remedy: "put a `rekey` above the windows, under another job name; or set `on_partition_growth: continue` for source `\(source.name)` to go on with windows that were cut")
    }
}

extension JobPlan {
    /// Whether a task of the source has state of keys: not when all that does is below a shuffle.
    fileprivate func keepsState(below source: SourcePlan) -> Bool {
        transforms.indices.contains { transforms[$0].keepsState && sources[self.source(of: .transform($0))].name == source.name }
    }
}

extension DeltaHeader {
    static let partitionsKey = "partitions"

    /// How many partitions the task's topic had.
    var partitionCount: Int32? { extras[Self.partitionsKey].flatMap { Int32($0) } }
}
