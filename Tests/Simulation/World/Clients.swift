import KafkaClient
import Runtime

/// What an instance's consumer library would do.
final class SimulatedConsumer: GroupConsumer, @unchecked Sendable {
    unowned let instance: Instance
    private let life: Int
    private var world: World { instance.world }
    private var broker: Broker { instance.world.broker }
    var member: Int?
    var generation = -1
    private var events: [ConsumerEvent] = []
    /// Given and not taken away, as far as the application was told.
    private var owned: Set<TopicPartition> = []
    private var leaving: Set<TopicPartition> = []
    private var isPutOut = false
    /// For a defect.
    private var givenBackEarly: [TopicPartition] = []
    private var isClosed = false
    private(set) var positions: [TopicPartition: (next: Int64, queue: SimulatedQueue)] = [:]

    init(_ instance: Instance) {
        self.instance = instance
        life = instance.life
    }

    /// The process that made it still runs.
    var isAlive: Bool { !isClosed && instance.life == life && !instance.isDead }

    func tell(_ event: ConsumerEvent) { events.append(event) }

    /// The group has put this member out. It hears of it when it is free to: not while an earlier revocation waits for its answer.
    func putOut(wasRevoking: Bool) {
        member = nil
        if wasRevoking || !leaving.isEmpty { isPutOut = true } else { events.append(.lost([])) }
    }

    func subscribe(_ topics: [String]) throws(KafkaClientError) {
        let fate = world.before(instance, "joins the group")
        if case .refuse = fate { throw trouble("subscribe") }
        broker.group.join(self)
        if !world.after(instance, fate) { throw trouble("subscribe") }
    }

    func makeQueue() throws(KafkaClientError) -> any RecordQueue { SimulatedQueue(self) }

    func poll(timeout: Duration) -> ConsumerEvent? {
        instance.countPoll()
        if instance.isDead { return nil }
        if events.isEmpty {
            let pause = min(100_000, max(1_000, timeout.components.attoseconds / 1_000_000_000_000))
            world.advance(pause)
        }
        guard !events.isEmpty else { return nil }
        let event = events.removeFirst()
        // What the library has received it tells, sooner or later.
        _ = world.after(instance, world.before(instance, "hears \(event)"))
        if instance.isDead { return nil }
        switch event {
        case .assign(let partitions):
            owned.formUnion(partitions)
            return event
        case .revoke(let partitions):
            if world.mutation == .giveBackBeforeCommit, givenBackEarly != partitions {
                givenBackEarly = partitions
                broker.group.answerRevocation(self, partitions)
                events.append(event)
                return nil
            }
            leaving.formUnion(partitions)
            return event
        case .lost:
            leaving.formUnion(owned)
            if world.mutation == .overlookLoss {
                leaving = []
                broker.group.join(self)
                return nil
            }
            return .lost(owned.sorted())
        default: return event
        }
    }

    func wake() {}

    func begin(_ partition: TopicPartition, at offset: Int64, on queue: any RecordQueue) throws(KafkaClientError) {
        guard let queue = queue as? SimulatedQueue, !instance.isDead else { throw trouble("begin") }
        if leaving.contains(partition) { throw trouble("begin \(partition), which the group has taken away") }
        if positions[partition] != nil { throw trouble("begin \(partition) again") }
        world.tell(instance, "reads \(partition) from \(offset)")
        positions[partition] = (offset, queue)
        queue.partitions.insert(partition)
    }

    func end(_ partitions: [TopicPartition]) throws(KafkaClientError) {
        for partition in partitions { positions.removeValue(forKey: partition)?.queue.partitions.remove(partition) }
    }

    func completeRevoke(_ partitions: [TopicPartition]) throws(KafkaClientError) {
        if instance.isDead { return }
        let fate = world.before(instance, "gives back \(partitions.map(\.description).joined(separator: " "))")
        if instance.isDead { return }
        try end(partitions)
        leaving.subtract(partitions)
        owned.subtract(partitions)
        if member == nil, isPutOut || leaving.isEmpty {
            isPutOut = false
            if owned.isEmpty { broker.group.join(self) } else if !events.contains(.lost([])) { events.append(.lost([])) }
        } else {
            broker.group.answerRevocation(self, partitions)
        }
        _ = world.after(instance, fate)
    }

    func committed(_ partitions: [TopicPartition], timeout: Duration) throws(KafkaClientError) -> [CommittedOffset] {
        let fate = world.before(instance, "asks what is committed")
        if case .refuse = fate { throw trouble("read the committed offsets") }
        // Waits for undecided transactions; the coordinator ends them at last.
        if broker.hasPendingOffsets(partitions) {
            world.tell(instance, "waits for a transaction that is not decided")
            world.advance(30_000_000)
            if broker.hasPendingOffsets(partitions) { throw trouble("read the committed offsets") }
        }
        let answer = partitions.map { broker.committed[$0] ?? CommittedOffset(partition: $0, offset: nil, metadata: "") }
        if !world.after(instance, fate) { throw trouble("read the committed offsets") }
        return answer
    }

    func watermarks(of partition: TopicPartition, timeout: Duration) throws(KafkaClientError) -> Watermarks {
        let fate = world.before(instance, "asks for the ends of \(partition)")
        if case .refuse = fate { throw trouble("ask for the ends") }
        if !world.after(instance, fate) { throw trouble("ask for the ends") }
        return Watermarks(low: 0, lastStableOffset: broker.end(of: partition))
    }

    func offsets(
        for times: [(partition: TopicPartition, milliseconds: Int64)], timeout: Duration
    ) throws(KafkaClientError) -> [Int64?] {
        times.map { _ in 0 }
    }

    func ends(of partitions: [TopicPartition], timeout: Duration) throws(KafkaClientError) -> [Int64?] { partitions.map { _ in nil } }

    func partitionCount(of topic: String, timeout: Duration) throws(KafkaClientError) -> Int32 { broker.partitionCount(of: topic) }

    func cachedLastStableOffset(of partition: TopicPartition) -> Int64? { nil }

    /// A static member does not leave.
    func close(timeout: Duration) throws(KafkaClientError) -> Bool {
        isClosed = true
        return true
    }

    /// Up to `count` records of `partition`, from where it is.
    func take(_ partition: TopicPartition, _ count: Int) -> (records: [CraftedRecord], end: Int64?) {
        guard let position = positions[partition] else { return ([], nil) }
        let records =
            partition.topic == "clicks"
            ? broker.read(partition.partition, from: position.next, count).map { $0.record.crafted(at: $0.offset) }
            : broker.readBlocks(partition, from: position.next, count).map {
                CraftedRecord(offset: $0.offset, key: nil, value: $0.bytes, timestampMilliseconds: 1_700_000_000_000)
            }
        let next = records.last.map { $0.offset + 1 } ?? position.next
        positions[partition]?.next = next
        // A caught-up reader stands behind the markers of transactions, too.
        let end = broker.end(of: partition)
        let isLast = records.count < count || next >= end
        if isLast { positions[partition]?.next = max(next, end) }
        return (records, isLast ? max(next, end) : nil)
    }

    private func trouble(_ what: String) -> KafkaClientError {
        KafkaClientError(operation: what, code: -195, name: "_TRANSPORT", text: "no answer", isRetriable: true)
    }
}

/// A worker's queue. The worker has its turns when it is woken, and when the world says so.
final class SimulatedQueue: RecordQueue, @unchecked Sendable {
    private unowned let consumer: SimulatedConsumer
    var turns: WorkerTurns?
    var partitions: Set<TopicPartition> = []
    /// The most that a batch has of a partition.
    var appetite = 1
    private var isInTurn = false
    private var delivered: Set<TopicPartition> = []

    init(_ consumer: SimulatedConsumer) { self.consumer = consumer }

    func turn(finishes: Bool) {
        guard let turns, !isInTurn else { return }
        isInTurn = true
        defer { isInTurn = false }
        // A batch that is in hand is worked off before the next is taken.
        _ = turns.finish()
        if turns.mustWait { return }
        turns.take(timeout: .zero)
        if finishes { _ = turns.finish() }
    }

    func wake() {
        guard !isInTurn else { return }
        isInTurn = true
        defer { isInTurn = false }
        guard let turns else { return }
        _ = turns.finish()
        turns.continueFreeze()
        // The next epoch goes on while the last one is taken out.
        if turns.isFreezing, !turns.mustWait { turns.take(timeout: .zero) }
    }

    func consume(max: Int, timeout: Duration) -> MessageBatch {
        var records: [CraftedRecord] = []
        var items: [BatchItem] = []
        for partition in partitions.sorted() {
            var (taken, end) = consumer.take(partition, appetite)
            if consumer.instance.world.mutation == .deliverTwiceAfterAssignment, let first = taken.first, delivered.insert(partition).inserted {
                taken.insert(first, at: 0)
            }
            if let first = taken.first, let last = taken.last {
                items.append(
                    .records(
                        MessageRun(
                            partition: partition, indexes: records.count..<records.count + taken.count, firstOffset: first.offset,
                            lastOffset: last.offset)))
                records += taken
            }
            if let end { items.append(.endOfPartition(partition, offset: end)) }
        }
        if !records.isEmpty {
            consumer.instance.world.tell(
                consumer.instance, "takes \(records.map { "@\($0.offset)" }.joined(separator: " "))")
        }
        return MessageBatch(records, items: items)
    }
}

extension SourceRecord {
    var userName: String { "u\(user)" }

    func crafted(at offset: Int64) -> CraftedRecord {
        var text = "{\"id\":\"\(id)\",\"user\":\"\(userName)\",\"ts\":\(time),\"skip\":\(isSkipped),\"amount\":\(amount)}"
        if flaw == .noJSON { text = "{\"id\":" }
        if flaw == .noUser { text = "{\"id\":\"\(id)\",\"ts\":\(time),\"skip\":\(isSkipped),\"amount\":\(amount)}" }
        return CraftedRecord(
            offset: offset, key: flaw == .noKey ? nil : Array(userName.utf8), value: Array(text.utf8), timestampMilliseconds: written)
    }
}

/// What an instance's transactional producer would do.
final class SimulatedProducer: EpochProducer, @unchecked Sendable {
    private unowned let instance: Instance
    private var world: World { instance.world }
    private var broker: Broker { instance.world.broker }
    private var epoch = 0
    private var transaction: Int?
    private var isOpen = false
    /// The epoch was tried before: for a defect.
    private var hidesOutputs = false

    init(_ instance: Instance) { self.instance = instance }

    func initTransactions(timeout: Duration) throws(ProducerError) {
        let fate = world.before(instance, "initialises its producer")
        if case .refuse = fate { throw trouble("initialise", .retriable) }
        epoch = broker.initialise(instance.name)
        if !world.after(instance, fate) { throw trouble("initialise", .retriable) }
    }

    func partitionCount(of topic: String, timeout: Duration) throws(KafkaClientError) -> Int32 { 1 }

    func begin() throws(ProducerError) {
        if instance.isDead || isOpen { throw trouble("begin", .rejected) }
        isOpen = true
        transaction = nil
    }

    private func enlist() throws(ProducerError) -> Int {
        if instance.isDead || !isOpen { throw trouble("produce", .rejected) }
        if broker.isFenced(instance.name, epoch) { throw trouble("produce: fenced", .fatal) }
        if let transaction, broker.transactions[transaction].state == .open { return transaction }
        let begun = broker.begin(instance.name, epoch)
        transaction = begun
        return begun
    }

    func produce(_ records: OutgoingRecords, topic: String, timeout: Duration) throws(ProducerError) {
        let fate = world.before(instance, "produces \(records.count) to \(topic)")
        if case .refuse = fate { throw trouble("produce", .abortable) }
        let transaction = try enlist()
        if !(world.mutation == .retryWithoutOutputs && hidesOutputs) {
            let outside = world.mutation == .produceOutsideTheTransaction
            for entry in records.entries {
                guard entry.partition < 0 else {
                    let bytes = Array(records.bytes[Int(entry.valueStart)..<Int(entry.valueStart + entry.valueCount)])
                    broker.append(block: bytes, to: TopicPartition(topic, entry.partition), in: outside ? nil : transaction)
                    continue
                }
                broker.append(
                    .init(
                        topic: topic, key: entry.keyCount < 0 ? nil : Self.text(records.bytes, entry.keyStart, entry.keyCount),
                        value: Self.text(records.bytes, entry.valueStart, entry.valueCount), headers: [:],
                        transaction: outside ? nil : transaction))
            }
        }
        if !world.after(instance, fate) { throw trouble("produce", .abortable) }
    }

    func produce(_ letter: DeadLetter, topic: String) throws(ProducerError) {
        let fate = world.before(instance, "produces a dead letter")
        if case .refuse = fate { throw trouble("produce", .abortable) }
        let transaction = try enlist()
        if world.mutation != .forgetDeadLetters || instance.life == 1 {
            broker.append(
                .init(
                    topic: topic, key: nil, value: "",
                    headers: Dictionary(letter.headers.map { ($0.name, String(decoding: $0.value ?? [], as: UTF8.self)) }) { $1 },
                    transaction: transaction))
        }
        if !world.after(instance, fate) { throw trouble("produce", .abortable) }
    }

    func sendOffsets(_ offsets: [OffsetToCommit], of consumer: any GroupConsumer, timeout: Duration) throws(ProducerError) {
        guard let consumer = consumer as? SimulatedConsumer else { preconditionFailure("a consumer of another world") }
        let fate = world.before(
            instance, "sends offsets \(offsets.map { "\($0.partition)@\($0.offset) \($0.metadata)" }.joined(separator: ", "))")
        if case .refuse = fate { throw trouble("send offsets", .abortable) }
        let transaction = try enlist()
        if world.mutation != .commitWithoutGeneration,
            !broker.group.isCurrent(member: consumer.member, generation: consumer.generation)
        {
            world.tell(instance, "  which the group refuses")
            throw trouble("send offsets: not in this generation", .abortable, code: 22)
        }
        var offsets = offsets
        if world.mutation == .offByOneOffset { for index in offsets.indices { offsets[index].offset += 1 } }
        if world.mutation == .sendOffsetsOutsideTheTransaction {
            broker.commitNow(offsets)
        } else {
            broker.add(offsets, to: transaction)
        }
        if !world.after(instance, fate) { throw trouble("send offsets", .abortable) }
    }

    func commit(timeout: Duration) throws(ProducerError) {
        let fate = world.before(instance, "commits", at: .finale)
        let unknown: ProducerError.Remedy = world.mutation == .takeUnknownForAborted ? .abortable : .outcomeUnknown
        if case .refuse = fate {
            if world.mutation == .takeUnknownForCommitted, !instance.isDead { return }
            hidesOutputs = true
            throw trouble("commit", unknown)
        }
        if broker.isFenced(instance.name, epoch) { throw trouble("commit: fenced", .outcomeUnknown) }
        guard let transaction, broker.transactions[transaction].state == .open else { throw trouble("commit: it was aborted", .abortable) }
        if case .then(let fault) = fate, fault.kind == .delay {
            world.tell(instance, "  and the request takes for ever")
            broker.delay(transaction)
            if world.mutation == .takeUnknownForCommitted { return }
            throw trouble("commit", unknown)
        }
        broker.end(transaction, .committed)
        isOpen = false
        if !world.after(instance, fate) {
            if world.mutation == .takeUnknownForCommitted { return }
            throw trouble("commit", unknown)
        }
        hidesOutputs = false
    }

    func abort(timeout: Duration) throws(ProducerError) {
        let fate = world.before(instance, "aborts")
        if case .refuse = fate { throw trouble("abort", .retriable) }
        if broker.isFenced(instance.name, epoch) { throw trouble("abort: fenced", .fatal) }
        if let transaction { broker.end(transaction, .aborted) }
        isOpen = false
        transaction = nil
        hidesOutputs = true
        if !world.after(instance, fate) { throw trouble("abort", .retriable) }
    }

    private static func text(_ bytes: [UInt8], _ start: Int32, _ count: Int32) -> String {
        String(decoding: bytes[Int(start)..<Int(start + max(0, count))], as: UTF8.self)
    }

    private func trouble(_ what: String, _ remedy: ProducerError.Remedy, code: Int32 = -195) -> ProducerError {
        ProducerError(remedy, KafkaClientError(operation: what, code: code, name: "SIMULATED", text: "no answer"))
    }
}
