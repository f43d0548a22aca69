import CRdKafka
import Synchronization

/// Notices that librdkafka may have stopped fetching for a queue.
///
/// A queue that is full enough is not fetched for. librdkafka before 2.2 looks again only when something else wakes the broker's
/// thread, and after a second at the latest: a reader that empties the queue in less has to wait for the rest of it. Later
/// versions look again after `fetch.queue.backoff.ms`.
final class Prefetch: Sendable {
    /// How a client is set up.
    struct Limits {
        let looksAgainByItself: Bool
        /// With so many records or bytes a queue is full.
        let records: Int
        let bytes: Int
    }

    private let limits: Limits
    /// The most records that were ready since fetching was last woken.
    private let most = Atomic(0)

    init(_ limits: Limits) { self.limits = limits }

    /// To be asked by the queue's reader after it took `taken` records and `ready` were left. True once when half of what was ready is
    /// used up: early enough for new records to come before the rest is.
    func mayHaveStopped(ready: Int, taken: Int, recordBytes: Int) -> Bool {
        if limits.looksAgainByItself || taken == 0 { return false }
        let before = max(most.load(ordering: .relaxed), ready + taken)
        // Less cannot have been a full queue.
        let isMuch = before >= limits.records / 4 || before * recordBytes >= limits.bytes / 4
        let isHalfGone = ready <= before / 2
        most.store(isHalfGone ? ready : before, ordering: .relaxed)
        return isMuch && isHalfGone
    }
}

extension ClientHandle {
    /// Makes the threads that fetch these partitions look again whether there is room for more. Returns at once.
    ///
    /// What wakes them is a question to the broker of each; of the answer nothing is needed.
    func wakeBrokers(of partitions: [TopicPartition]) {
        let list = PartitionList(partitions, offset: Int64(RD_KAFKA_OFFSET_END))
        _ = rd_kafka_offsets_for_times(pointer, list.pointer, 0)
    }
}
