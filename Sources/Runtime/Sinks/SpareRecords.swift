import KafkaClient
import Synchronization

/// The buffer of outputs that have been committed, for the next ones of the same sink and task: a new one would be grown, copied and zeroed
/// by the system page by page for every epoch again.
final class SpareRecords: Sendable {
    private let spare = Mutex<OutgoingRecords?>(nil)

    /// An empty buffer.
    func take() -> OutgoingRecords {
        var records = spare.withLock { $0.take() } ?? OutgoingRecords()
        records.removeAll()
        return records
    }

    /// What was given and not taken yet is freed; so is what is far larger than this epoch needed.
    func give(_ records: OutgoingRecords) {
        guard records.bytes.count >= records.bytes.capacity / 4 else { return }
        spare.withLock { $0 = records }
    }
}
