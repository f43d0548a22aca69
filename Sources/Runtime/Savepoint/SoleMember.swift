import KafkaClient
import State

/// This instance as a member of the job's group, for the one transaction that moves the job: whoever else joins, or did this before and
/// stood still, is of another generation, and one of the two is refused by the group.
final class SoleMember {
    private static let timeout = Duration.seconds(30)

    private let consumer: any GroupConsumer
    private let producer: any EpochProducer

    /// Settles what a life of this instance left of a transaction, joins the group and waits for its first assignment.
    init(_ context: JobContext) throws(StateError) {
        do {
            producer = try context.surroundings.makeProducer(context)
            consumer = try context.surroundings.makeConsumer(context)
            try producer.initTransactions(timeout: Self.timeout)
            try consumer.subscribe(context.plan.sources.map(\.topic))
        } catch {
            throw StateError(.inputOutput, "group \(context.plan.name)", "\(error)", remedy: "will be tried again")
        }
        let clock = context.surroundings.clock
        let deadline = clock.now() + Self.timeout
        while clock.now() < deadline, !context.requests.isStopRequested {
            if case .assign = consumer.poll(timeout: .milliseconds(100)) { return }
        }
        close()
        throw StateError(.inputOutput, "group \(context.plan.name)", "it gives this instance no partitions", remedy: "will be tried again")
    }

    /// Sets offsets of the group, all or none.
    func commit(_ offsets: [OffsetToCommit]) throws(ProducerError) {
        try producer.begin()
        try producer.sendOffsets(offsets, of: consumer, timeout: Self.timeout)
        try producer.commit(timeout: Self.timeout)
    }

    /// A session of this instance takes the place over.
    func close() {
        _ = try? consumer.close(timeout: .seconds(5))
    }
}
