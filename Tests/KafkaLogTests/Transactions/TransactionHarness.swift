import KafkaLogCoordination
import KafkaLogTransactions

/// A coordinator with a journal that is durable at once and a clock that the test moves.
final class TransactionHarness {
    var coordinator: TransactionCoordinator
    let configuration: TransactionConfiguration
    var journal: [CoordinatorRecord] = []
    var now = CoordinatorTime(monotonicMilliseconds: 1_000, wallMilliseconds: 1_700_000_000_000)
    var markers: [TransactionMarkers] = []
    private var replies: [RequestToken: TransactionReply] = [:]
    private var nextToken: UInt64 = 0

    init(_ configuration: TransactionConfiguration = TransactionConfiguration()) {
        self.configuration = configuration
        coordinator = TransactionCoordinator(configuration: configuration)
        run(coordinator.start(now))
    }

    func run(_ actions: [TransactionAction]) {
        for action in actions {
            switch action {
            case .persist(let records): journal += records
            case .reply(let token, let reply), .replyWhenDurable(let token, let reply): replies[token] = reply
            case .writeMarkers(let new): markers.append(new)
            }
        }
    }

    /// The journal is all that is left.
    func restart() throws {
        coordinator = TransactionCoordinator(configuration: configuration)
        markers = []
        for record in journal { try coordinator.restore(record) }
        run(coordinator.start(now))
    }

    func advance(_ milliseconds: Int64) {
        now.monotonicMilliseconds += milliseconds
        now.wallMilliseconds += milliseconds
        run(coordinator.tick(now))
    }

    private func ask(_ request: (RequestToken) -> [TransactionAction]) -> TransactionReply? {
        nextToken += 1
        let token = RequestToken(nextToken)
        run(request(token))
        return replies[token]
    }

    func initProducer(
        _ id: String?, timeout: Int32 = 60_000, current: ProducerIDAndEpoch? = nil
    ) -> InitProducerIDResult? {
        let request = InitProducerIDRequest(transactionalID: id, timeoutMilliseconds: timeout, current: current)
        guard case .initProducerID(let result) = ask({ coordinator.initProducerID(request, $0, now) }) else { return nil }
        return result
    }

    /// A producer that must come out of it.
    func producer(_ id: String, timeout: Int32 = 60_000) throws -> ProducerIDAndEpoch {
        guard let result = initProducer(id, timeout: timeout), result.error == .none else { throw Unexpected() }
        return result.producer
    }

    func add(_ id: String, _ producer: ProducerIDAndEpoch, _ partitions: [TopicPartition] = [TopicPartition("t", 0)]) -> TransactionError? {
        let reply = ask {
            coordinator.addPartitions(transactionalID: id, producer: producer, partitions: partitions, $0, now)
        }
        guard case .addPartitions(let error) = reply else { return nil }
        return error
    }

    func addOffsets(_ id: String, _ producer: ProducerIDAndEpoch, group: String) -> TransactionError? {
        let reply = ask { coordinator.addOffsets(transactionalID: id, producer: producer, groupID: group, $0, now) }
        guard case .addOffsets(let error) = reply else { return nil }
        return error
    }

    /// nil while the answer waits for the markers.
    func end(_ id: String, _ producer: ProducerIDAndEpoch, commit: Bool) -> TransactionError? {
        let reply = ask { coordinator.endTransaction(transactionalID: id, producer: producer, commit: commit, $0, now) }
        guard case .endTransaction(let error) = reply else { return nil }
        return error
    }

    var lastEnd: TransactionError? {
        guard case .endTransaction(let error) = replies[RequestToken(nextToken)] else { return nil }
        return error
    }

    func writeMarkers() {
        let due = markers
        markers = []
        for one in due { run(coordinator.markersWritten(one.producer, now)) }
    }

    func verify(_ producer: ProducerIDAndEpoch, _ partition: TopicPartition = TopicPartition("t", 0)) -> TransactionError {
        do throws(TransactionError) { try coordinator.verify(producer, partition) } catch { return error }
        return .none
    }

    func state(_ id: String) -> TransactionState { coordinator.describe(transactionalID: id).state }

    /// Brings `id` into a state, and says as whom.
    func bring(_ id: String, to state: TransactionState) throws -> ProducerIDAndEpoch {
        let producer = try producer(id)
        if state == .empty { return producer }
        guard add(id, producer) == TransactionError.none else { throw Unexpected() }
        if state == .ongoing { return producer }
        _ = end(id, producer, commit: state == .prepareCommit || state == .completeCommit)
        if state == .completeCommit || state == .completeAbort { writeMarkers() }
        return producer
    }

    struct Unexpected: Error {}
}

extension ProducerIDAndEpoch {
    func at(_ epoch: Int16) -> ProducerIDAndEpoch { ProducerIDAndEpoch(producerID: producerID, epoch: epoch) }
}
