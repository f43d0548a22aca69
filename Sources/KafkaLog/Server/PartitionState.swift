import KafkaLogProtocol
import KafkaLogStorage

/// A partition's log, with the requests that wait for it.
final class PartitionState {
    let name: TopicPartition
    let log: PartitionLog
    /// Produce requests whose records are appended and not yet durable.
    var waitingProduces: [(acknowledgedAt: Int64, place: PendingProduce.Place, produce: PendingProduce)] = []
    var parkedFetches: [UInt64: ParkedFetch] = [:]
    /// Transactions whose marker here is not yet durable.
    var waitingMarkers: [PendingMarkers] = []
    /// Whether it is on the list of partitions whose high watermark or last stable offset moved.
    var isAdvanced = false

    init(name: TopicPartition, log: PartitionLog) {
        self.name = name
        self.log = log
    }
}

/// A Produce request whose answer waits for the disk.
final class PendingProduce {
    /// Where in the response a partition stands.
    struct Place: Hashable {
        let topic: Int
        let partition: Int
    }

    let reply: Reply<ProduceRequest>
    var response: ProduceResponse
    var waitsFor: Set<Place> = []
    var isWaiting = true

    init(reply: Reply<ProduceRequest>, response: ProduceResponse) {
        self.reply = reply
        self.response = response
    }
}

/// A Fetch request that waits for records.
final class ParkedFetch {
    let id: UInt64
    let reply: Reply<FetchRequest>
    let request: FetchRequest
    let partitions: [PartitionState]
    /// When it began to wait, nanoseconds of the monotonic clock.
    let parkedAt = DurationHistogram.now
    var isParked = true

    init(id: UInt64, reply: Reply<FetchRequest>, request: FetchRequest, partitions: [PartitionState]) {
        self.id = id
        self.reply = reply
        self.request = request
        self.partitions = partitions
    }
}
