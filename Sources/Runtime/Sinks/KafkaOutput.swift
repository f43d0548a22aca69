import Batch
import Formats
import JobFile
import KafkaClient

/// What a Kafka sink has to write in the open epoch: rows encoded as they come, handed over when the epoch freezes.
struct KafkaOutput {
    let topic: String
    private let key: Int?
    private let encoder: JSONEncoder
    private var encoded = EncodedRows()
    private var keyText: [UInt8] = []
    private(set) var records = OutgoingRecords()

    init(_ plan: KafkaSinkPlan, columns: [Int], input: Schema) {
        topic = plan.topic
        key = plan.key
        encoder = JSONEncoder(schema: input, columns: columns)
    }

    /// Bytes that wait for the commit.
    var size: Int { records.bytes.count + records.entries.count * MemoryLayout<OutgoingRecords.Entry>.stride }

    mutating func append(_ batch: Batch) {
        encoded.removeAll()
        encoder.encode(batch, into: &encoded)
        for (index, row) in batch.selection.enumerated() {
            let value = encoded.bytes[encoded.range(of: index)]
            keyText.removeAll(keepingCapacity: true)
            if let key, JSONEncoder.encodeKey(batch.columns[key], row: Int(row), into: &keyText) {
                records.append(key: keyText, value: value)
            } else {
                let start = records.bytes.count
                records.bytes.append(contentsOf: value)
                records.entries.append(
                    .init(keyStart: 0, keyCount: -1, valueStart: Int32(start), valueCount: Int32(value.count)))
            }
        }
    }

    /// Everything since the last call.
    mutating func take() -> OutgoingRecords {
        defer { records = OutgoingRecords() }
        return records
    }
}
