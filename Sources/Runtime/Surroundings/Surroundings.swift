import KafkaClient

/// The world that a session runs in: Kafka, the files of sinks, the clock, threads. Everything between is the same code whether the
/// world is this machine (`LiveSurroundings`) or a simulated one (Tests/Simulation).
///
/// Asked per batch or epoch, never per record.
package protocol Surroundings: Sendable {
    var clock: RuntimeClock { get }
    var files: any FileStore { get }
    /// Workers and maintenance run on threads of their own. Otherwise whoever made the surroundings gives them their turns: a worker
    /// has one whenever its queue is woken.
    var hasThreads: Bool { get }

    func makeConsumer(_ context: JobContext) throws(ConfigurationError) -> any GroupConsumer
    func makeProducer(_ context: JobContext) throws(ConfigurationError) -> any EpochProducer
    func makeAdministrator(_ context: JobContext) throws(ConfigurationError) -> any TopicAdministrator
    func makeGroupObserver(_ context: JobContext) throws(ConfigurationError) -> any GroupObserver

    /// Names a delta: nobody may ever get the same number again.
    func makeDeltaID() -> UInt64

    /// Waits; false at once when a stop was requested.
    func pause(_ duration: Duration, _ requests: JobRequests) -> Bool
}

package struct RuntimeClock: Sendable {
    /// Never goes back.
    package var now: @Sendable () -> ContinuousClock.Instant
    /// Seconds since 1970 UTC, as the machine has them.
    package var wall: @Sendable () -> Double

    package init(now: @escaping @Sendable () -> ContinuousClock.Instant, wall: @escaping @Sendable () -> Double) {
        self.now = now
        self.wall = wall
    }
}

/// What a session needs of `Consumer`, which says what each call does.
package protocol GroupConsumer: AnyObject, Sendable {
    func subscribe(_ topics: [String]) throws(KafkaClientError)
    func makeQueue() throws(KafkaClientError) -> any RecordQueue
    func poll(timeout: Duration) -> ConsumerEvent?
    func wake()
    func begin(_ partition: TopicPartition, at offset: Int64, on queue: any RecordQueue) throws(KafkaClientError)
    func end(_ partitions: [TopicPartition]) throws(KafkaClientError)
    func completeRevoke(_ partitions: [TopicPartition]) throws(KafkaClientError)
    func committed(_ partitions: [TopicPartition], timeout: Duration) throws(KafkaClientError) -> [CommittedOffset]
    func watermarks(of partition: TopicPartition, timeout: Duration) throws(KafkaClientError) -> Watermarks
    func offsets(
        for times: [(partition: TopicPartition, milliseconds: Int64)], timeout: Duration
    ) throws(KafkaClientError) -> [Int64?]
    func ends(of partitions: [TopicPartition], timeout: Duration) throws(KafkaClientError) -> [Int64?]
    func partitionCount(of topic: String, timeout: Duration) throws(KafkaClientError) -> Int32
    func cachedLastStableOffset(of partition: TopicPartition) -> Int64?
    func close(timeout: Duration) throws(KafkaClientError) -> Bool
}

/// What a worker needs of `WorkerQueue`.
package protocol RecordQueue: AnyObject, Sendable {
    func consume(max: Int, timeout: Duration) -> MessageBatch
    func wake()
}

/// What a session needs of `TransactionalProducer`, which says what each call does.
package protocol EpochProducer: AnyObject, Sendable {
    func initTransactions(timeout: Duration) throws(ProducerError)
    func partitionCount(of topic: String, timeout: Duration) throws(KafkaClientError) -> Int32
    func begin() throws(ProducerError)
    func produce(_ records: OutgoingRecords, topic: String, timeout: Duration) throws(ProducerError)
    func produce(_ letter: DeadLetter, topic: String) throws(ProducerError)
    /// Sends the offsets as what `consumer` is in its group now.
    func sendOffsets(_ offsets: [OffsetToCommit], of consumer: any GroupConsumer, timeout: Duration) throws(ProducerError)
    func commit(timeout: Duration) throws(ProducerError)
    func abort(timeout: Duration) throws(ProducerError)
}

/// What a session needs of `AdminClient`.
package protocol TopicAdministrator: AnyObject, Sendable {
    func ensure(_ topic: NewTopic, timeout: Duration) throws(AdminError) -> Int32
    func describe(_ topic: String, timeout: Duration) throws(AdminError) -> Int32?
    func deleteRecords(before offsets: [TopicPartition: Int64], timeout: Duration) throws(AdminError)
}

/// What is asked of a cluster before an instance joins the job's group: `ClusterLookUp` says what each call does.
package protocol GroupObserver: AnyObject, Sendable {
    func topics(timeout: Duration) throws(KafkaClientError) -> [String: Int32]
    func ends(of partitions: [TopicPartition], timeout: Duration) throws(KafkaClientError) -> [PartitionEnds]
    func offsets(at milliseconds: Int64, of partitions: [TopicPartition], timeout: Duration) throws(KafkaClientError) -> [Int64?]
    func describe(groups: [String], timeout: Duration) throws(KafkaClientError) -> [GroupDescription]
    func committedOffsets(of group: String, stable: Bool, timeout: Duration) throws(KafkaClientError) -> [CommittedOffset]
}
