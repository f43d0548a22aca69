import KafkaClient
import Synchronization

/// The buffers of outputs that have been committed, for the next ones of a job: new ones would be grown, copied and zeroed by the system
/// page by page for every epoch again.
final class SpareRecords: Sendable {
    private let spare = Mutex<[OutgoingRecords]>([])

    /// An empty buffer.
    func take() -> OutgoingRecords {
        var records = spare.withLock { $0.popLast() } ?? OutgoingRecords()
        records.removeAll()
        return records
    }

    /// What is far larger than this epoch needed is freed.
    func give(_ records: OutgoingRecords) {
        guard records.bytes.count >= records.bytes.capacity / 4 else { return }
        spare.withLock { $0.append(records) }
    }
}
