import Foundation
import KafkaClient
import Runtime

/// The simulated world as one instance sees it.
final class SimulatedSurroundings: Surroundings, @unchecked Sendable {
    private unowned let instance: Instance
    let clock: RuntimeClock
    let files: any FileStore
    let hasThreads = false

    private static let origin = ContinuousClock.now

    init(_ instance: Instance) {
        self.instance = instance
        files = SimulatedFiles(instance)
        clock = RuntimeClock(
            now: { [unowned instance] in SimulatedSurroundings.origin + .microseconds(instance.now) },
            wall: { [unowned instance] in 1.7e9 + Double(instance.wall) / 1e6 })
    }

    func makeConsumer(_ context: JobContext) throws(ConfigurationError) -> any GroupConsumer { SimulatedConsumer(instance) }

    func makeProducer(_ context: JobContext) throws(ConfigurationError) -> any EpochProducer { SimulatedProducer(instance) }

    func makeAdministrator(_ context: JobContext) throws(ConfigurationError) -> any TopicAdministrator {
        SimulatedAdministrator(instance)
    }

    func makeGroupObserver(_ context: JobContext) throws(ConfigurationError) -> any GroupObserver { SimulatedObserver(instance) }

    func makeDeltaID() -> UInt64 { instance.isDead ? 1 : instance.world.makeID() }

    func pause(_ duration: Duration, _ requests: JobRequests) -> Bool {
        if requests.isStopRequested { return false }
        instance.world.advance(100_000)
        return true
    }
}

final class SimulatedAdministrator: TopicAdministrator, @unchecked Sendable {
    // Unchecked: belongs to the world's thread.
    private unowned let instance: Instance

    init(_ instance: Instance) { self.instance = instance }

    func ensure(_ topic: NewTopic, timeout: Duration) throws(AdminError) -> Int32 {
        guard topic.partitions > 0 else { return 1 }
        return instance.world.broker.ensure(topic)
    }

    func describe(_ topic: String, timeout: Duration) throws(AdminError) -> Int32? {
        Int32(instance.world.schedule.records.count)
    }

    func deleteRecords(before offsets: [TopicPartition: Int64], timeout: Duration) throws(AdminError) {}
}
