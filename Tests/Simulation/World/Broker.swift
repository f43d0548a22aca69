import KafkaClient

/// A Kafka cluster reduced to what the engine relies on: partitions, transactions with fencing, committed offsets. The group is in
/// `Group`.
final class Broker {
    struct Transaction {
        enum State {
            case open, committed, aborted
        }

        var producer: String
        var epoch: Int
        var began: Int64
        var offsets: [(partition: TopicPartition, offset: Int64, metadata: String)] = []
        var state = State.open
    }

    struct Output {
        var topic: String
        var key: String?
        var value: String
        var headers: [String: String]
        /// Nil: visible at once.
        var transaction: Int?
    }

    private unowned let world: World
    let group: Group
    /// Source records with their offsets.
    let log: [[(offset: Int64, record: SourceRecord)]]
    private var visible: [Int]
    private(set) var committed: [TopicPartition: CommittedOffset] = [:]
    private(set) var epochs: [String: Int] = [:]
    private(set) var transactions: [Transaction] = []
    private var openTransaction: [String: Int] = [:]
    private(set) var outputs: [Output] = []
    private var blocks = Blocks()
    /// Requests to commit that are still on their way.
    private var delayed: [Int] = []

    static let transactionTimeout: Int64 = 60_000_000

    init(_ world: World) {
        self.world = world
        group = Group(world)
        log = world.schedule.records.map { records in
            var offset: Int64 = 0
            return records.map { record in
                offset += Int64(record.holes)
                defer { offset += 1 }
                return (offset, record)
            }
        }
        visible = log.map { _ in 0 }
    }

    // MARK: Partitions

    func ensure(_ topic: NewTopic) -> Int32 {
        let count = blocks.ensure(topic.name, partitions: topic.partitions)
        group.partitionsChanged()
        return count
    }

    func partitionCount(of topic: String) -> Int32 { blocks.count(of: topic) ?? Int32(log.count) }

    /// All that the job reads.
    var partitions: [TopicPartition] { log.indices.map { TopicPartition("clicks", Int32($0)) } + blocks.all }

    func end(of partition: TopicPartition) -> Int64 {
        guard partition.topic == "clicks" else { return blocks.stableEnd(of: partition) { transactions[$0].state } }
        let number = Int(partition.partition)
        return visible[number] == 0 ? 0 : log[number][visible[number] - 1].offset + 1
    }

    /// Up to `count` records from `offset` on.
    func read(_ partition: Int32, from offset: Int64, _ count: Int) -> ArraySlice<(offset: Int64, record: SourceRecord)> {
        let all = log[Int(partition)][..<visible[Int(partition)]]
        let start = all.firstIndex { $0.offset >= offset } ?? all.endIndex
        return all[start...].prefix(count)
    }

    func readBlocks(_ partition: TopicPartition, from offset: Int64, _ count: Int) -> [(offset: Int64, bytes: [UInt8])] {
        blocks.read(partition, from: offset, count) { transactions[$0].state }
    }

    func append(block bytes: [UInt8], to partition: TopicPartition, in transaction: Int?) {
        blocks.append(bytes, to: partition, in: transaction)
    }

    func reveal(_ detail: Int) {
        let partition = detail % log.count
        visible[partition] = min(log[partition].count, visible[partition] + 1 + detail / 16)
    }

    func revealAll() { visible = log.map(\.count) }

    var isAllCommitted: Bool {
        partitions.allSatisfy { partition in
            // What is not decided yet has something behind it that is still to be read.
            let end = partition.topic == "clicks" ? end(of: partition) : blocks.end(of: partition)
            return end == 0 || (committed[partition]?.offset ?? 0) >= end
        }
    }

    var progress: String {
        partitions.map { "\($0) is committed up to \(committed[$0]?.offset ?? 0) of \(end(of: $0))" }.joined(separator: ", ")
    }

    func tick() {
        for (id, transaction) in transactions.enumerated()
        where transaction.state == .open && world.time - transaction.began > Self.transactionTimeout {
            world.tell(nil, "the transaction of \(transaction.producer) has been open for too long and is aborted")
            end(id, .aborted)
            epochs[transaction.producer, default: 0] += 1
        }
        group.tick()
    }

    // MARK: Transactions

    /// A new producer with this name: what the one before left is settled, and it is fenced.
    func initialise(_ producer: String) -> Int {
        if let open = openTransaction[producer] { end(open, .aborted) }
        epochs[producer, default: 0] += 1
        return epochs[producer, default: 0]
    }

    func isFenced(_ producer: String, _ epoch: Int) -> Bool { epochs[producer] != epoch }

    func begin(_ producer: String, _ epoch: Int) -> Int {
        transactions.append(Transaction(producer: producer, epoch: epoch, began: world.time))
        openTransaction[producer] = transactions.count - 1
        return transactions.count - 1
    }

    func append(_ output: Output) { outputs.append(output) }

    func add(_ offsets: [OffsetToCommit], to transaction: Int) {
        transactions[transaction].offsets += offsets.map { ($0.partition, $0.offset, $0.metadata) }
    }

    func commitNow(_ offsets: [OffsetToCommit]) {
        for offset in offsets {
            committed[offset.partition] = CommittedOffset(partition: offset.partition, offset: offset.offset, metadata: offset.metadata)
        }
    }

    func end(_ id: Int, _ state: Transaction.State) {
        guard transactions[id].state == .open else { return }
        transactions[id].state = state
        openTransaction[transactions[id].producer] = nil
        guard state == .committed else { return }
        commitNow(transactions[id].offsets.map { OffsetToCommit(partition: $0.partition, offset: $0.offset, metadata: $0.metadata) })
    }

    func delay(_ transaction: Int) { delayed.append(transaction) }

    /// A request that was on its way for long arrives.
    func deliverDelayed() -> Bool {
        guard !delayed.isEmpty else { return false }
        let id = delayed.removeFirst()
        let transaction = transactions[id]
        if transaction.state == .open, !isFenced(transaction.producer, transaction.epoch) {
            world.tell(nil, "the request of \(transaction.producer) to commit arrives at last")
            end(id, .committed)
        }
        return true
    }

    /// Offsets of these partitions are part of a transaction that is not decided.
    func hasPendingOffsets(_ partitions: [TopicPartition]) -> Bool {
        openTransaction.values.contains { id in transactions[id].offsets.contains { partitions.contains($0.partition) } }
    }

    /// What a reader of decided transactions finds, in the order of the log.
    var visibleOutputs: [Output] {
        outputs.filter { output in output.transaction.map { transactions[$0].state == .committed } ?? true }
    }
}
