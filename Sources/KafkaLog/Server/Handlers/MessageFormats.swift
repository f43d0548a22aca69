import KafkaLogProtocol
import KafkaLogStorage

/// The first versions of the two requests whose records are record batches. Before, they are message sets.
private let firstProduceOfBatches: Int16 = 3
private let firstFetchOfBatches: Int16 = 4
private let firstFetchWithTimestamps: Int16 = 2

extension Broker {
    /// The records of a Produce request of `version` as a record batch.
    func recordBatch(of records: Records, version: Int16) throws(RequestFailure) -> Records {
        guard version < firstProduceOfBatches, case .bytes(let messages) = records, !messages.isEmpty else { return records }
        return .bytes(
            Bytes(
                try RequestFailure.fromStorage { () throws(StorageError) in
                    try messages.withUnsafeBytes { messages throws(StorageError) in try MessageSet.batch(from: messages) }
                }))
    }

    /// Makes message sets of the batches that a Fetch request of `version` has found. Their sum is bounded like that of batches.
    func convertRecords(of response: inout FetchResponse, for request: FetchRequest, version: Int16) {
        guard version < firstFetchOfBatches else { return }
        let format: MessageSet.Format = version < firstFetchWithTimestamps ? .untimed : .timed
        var budget = configuration.limits.fetchBytes
        for (place, topic) in request.topics.enumerated() {
            for (index, wanted) in topic.partitions.enumerated() where response.topics[place].partitions[index].records.count > 0 {
                response.topics[place].partitions[index].records = .file([])
                guard budget > 0 else { continue }
                do throws(RequestFailure) {
                    let log = try partition(TopicPartition(topic.name, wanted.index), leaderEpoch: -1).log
                    let messages = try RequestFailure.fromStorage { () throws(StorageError) in
                        try log.messageSet(from: wanted.fetchOffset, maxBytes: min(Int(max(0, wanted.partitionMaxBytes)), budget), format: format)
                    }
                    budget -= messages.count
                    response.topics[place].partitions[index].records = .bytes(Bytes(messages))
                } catch {
                    response.topics[place].partitions[index].errorCode = error.code
                }
            }
        }
    }
}
