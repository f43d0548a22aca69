import KafkaClient

/// The internal topics of a job with shuffles: written by its producers inside transactions, read by its own tasks.
struct Blocks {
    struct Entry {
        var bytes: [UInt8]
        var transaction: Int?
    }

    private var partitions: [TopicPartition: [Entry]] = [:]
    private var counts: [String: Int32] = [:]

    /// - Returns: how many partitions the topic has, which is what was wanted when it was made.
    mutating func ensure(_ topic: String, partitions wanted: Int32) -> Int32 {
        if counts[topic] == nil { counts[topic] = wanted }
        return counts[topic] ?? wanted
    }

    func count(of topic: String) -> Int32? { counts[topic] }

    var all: [TopicPartition] { counts.keys.sorted().flatMap { topic in (0..<(counts[topic] ?? 0)).map { TopicPartition(topic, $0) } } }

    mutating func append(_ bytes: [UInt8], to partition: TopicPartition, in transaction: Int?) {
        partitions[partition, default: []].append(Entry(bytes: bytes, transaction: transaction))
    }

    /// Undecided ones counted.
    func end(of partition: TopicPartition) -> Int64 { Int64(partitions[partition]?.count ?? 0) }

    /// Up to the first that is not decided.
    func stableEnd(of partition: TopicPartition, _ state: (Int) -> Broker.Transaction.State) -> Int64 {
        let entries = partitions[partition] ?? []
        return Int64(entries.firstIndex { $0.transaction.map { state($0) == .open } ?? false } ?? entries.count)
    }

    /// Committed blocks from `offset` on; offsets of aborted ones are left out.
    func read(
        _ partition: TopicPartition, from offset: Int64, _ count: Int, _ state: (Int) -> Broker.Transaction.State
    ) -> [(offset: Int64, bytes: [UInt8])] {
        let end = stableEnd(of: partition, state)
        guard offset < end, let entries = partitions[partition] else { return [] }
        let committed = (offset..<end).filter { entries[Int($0)].transaction.map { state($0) == .committed } ?? true }
        return committed.prefix(count).map { ($0, entries[Int($0)].bytes) }
    }
}
