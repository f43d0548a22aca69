import Batch
import Formats
import JobFile
import KafkaClient

/// What a Kafka sink has to write in the open epoch: rows encoded as they come, handed over when the epoch freezes.
struct KafkaOutput {
    let topic: String
    private let key: Int?
    private let encoder: JSONEncoder
    private var ends: [Int] = []
    private(set) var records = OutgoingRecords()
    /// Where buffers come back to when their epoch is over.
    let spare: SpareRecords

    init(_ plan: KafkaSinkPlan, columns: [Int], input: Schema, spare: SpareRecords) {
        self.spare = spare
        topic = plan.topic
        key = plan.key
        encoder = JSONEncoder(schema: input, columns: columns)
    }

    /// Bytes that wait for the commit.
    var size: Int { records.bytes.count + records.entries.count * MemoryLayout<OutgoingRecords.Entry>.stride }

    mutating func append(_ batch: Batch) {
        if records.bytes.capacity == 0 { records = spare.take() }
        // The values go where they stay, and the keys behind them.
        ends.removeAll(keepingCapacity: true)
        var start = records.bytes.count
        encoder.encode(batch.columns, rows: batch.selection, into: &records.bytes, ends: &ends)
        let keys = key.map { batch.columns[$0] }
        for (index, row) in batch.selection.enumerated() {
            let end = ends[index]
            let keyStart = records.bytes.count
            let hasKey = keys.map { JSONEncoder.encodeKey($0, row: Int(row), into: &records.bytes) } ?? false
            records.entries.append(
                .init(
                    keyStart: Int32(keyStart), keyCount: hasKey ? Int32(records.bytes.count - keyStart) : -1, valueStart: Int32(start),
                    valueCount: Int32(end - start)))
            start = end
        }
    }

    /// Everything since the last call.
    mutating func take() -> OutgoingRecords {
        defer { records = OutgoingRecords() }
        return records
    }
}
