import Foundation
import KafkaClient

/// This machine, and the brokers that the daemon file or the job names.
struct LiveSurroundings: Surroundings {
    let clock = RuntimeClock(now: { ContinuousClock.now }, wall: { Date().timeIntervalSince1970 })
    let files: any FileStore = LocalFiles()
    let hasThreads = true

    /// Without a heartbeat for so long an instance is out of the group.
    static let sessionTimeout = Duration.seconds(10)

    func makeConsumer(_ context: JobContext) throws(ConfigurationError) -> any GroupConsumer {
        var configuration = ConsumerConfiguration(
            client: context.client, groupID: context.plan.name, groupInstanceID: context.memberName, sessionTimeout: Self.sessionTimeout)
        let prefetch = context.settings.memory.prefetch(workers: context.settings.workers)
        configuration.prefetchKiB = prefetch >> 10
        configuration.fetchBytes = min(configuration.fetchBytes, prefetch / 4)
        if context.mode.replay?.recordsPerSecond != nil {
            // What is fetched ahead does not wait for the limiter.
            configuration.prefetchKiB = 2 << 10
            configuration.fetchBytes = 256 << 10
        }
        return try Consumer(configuration)
    }

    func makeProducer(_ context: JobContext) throws(ConfigurationError) -> any EpochProducer {
        try TransactionalProducer(
            TransactionalProducerConfiguration(
                producer: ProducerConfiguration(client: context.client),
                transactionalID: "millrace-\(context.plan.name)-\(context.settings.instance)",
                transactionTimeout: context.transactionTimeout.current))
    }

    func makeAdministrator(_ context: JobContext) throws(ConfigurationError) -> any TopicAdministrator {
        try AdminClient(context.client)
    }

    func makeGroupObserver(_ context: JobContext) throws(ConfigurationError) -> any GroupObserver {
        try ClusterLookUp(context.client)
    }

    func makeDeltaID() -> UInt64 { UInt64.random(in: 1...UInt64.max) }

    func pause(_ duration: Duration, _ requests: JobRequests) -> Bool { requests.sleep(for: duration) }
}

extension WorkerQueue: RecordQueue {}

extension AdminClient: TopicAdministrator {}

extension ClusterLookUp: GroupObserver {}

extension Consumer: GroupConsumer {
    package func makeQueue() throws(KafkaClientError) -> any RecordQueue { try makeWorkerQueue() }

    package func begin(_ partition: TopicPartition, at offset: Int64, on queue: any RecordQueue) throws(KafkaClientError) {
        guard let queue = queue as? WorkerQueue else { preconditionFailure("a queue that this consumer did not make") }
        try begin(partition, at: .offset(offset), on: queue)
    }
}

extension TransactionalProducer: EpochProducer {
    package func sendOffsets(
        _ offsets: [OffsetToCommit], of consumer: any GroupConsumer, timeout: Duration
    ) throws(ProducerError) {
        guard let consumer = consumer as? Consumer else { preconditionFailure("a consumer of another world") }
        let group: GroupMetadata
        do {
            group = try consumer.groupMetadata()
        } catch {
            throw ProducerError(.abortable, error)
        }
        try sendOffsets(offsets, group: group, timeout: timeout)
    }

    package func produce(_ letter: DeadLetter, topic: String) throws(ProducerError) {
        func withBytes(
            _ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) throws(ProducerError) -> Void
        ) throws(ProducerError) {
            guard let bytes else { return try body(nil) }
            // An empty array has no base address, which would read as null.
            if bytes.isEmpty { return try body(UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: 1), count: 0)) }
            let result = bytes.withUnsafeBytes { pointer -> Swift.Result<Void, ProducerError> in
                Swift.Result { () throws(ProducerError) in try body(pointer) }
            }
            try result.get()
        }
        try withBytes(letter.key) { key throws(ProducerError) in
            try withBytes(letter.value) { value throws(ProducerError) in
                try produce(topic: topic, key: key, value: value, headers: letter.headers)
            }
        }
    }
}
