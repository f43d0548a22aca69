import CRdKafka
import Synchronization

/// A reader in a group (KIP-429, cooperative). One control thread calls `poll`; workers consume from their own queues;
/// the other calls may come from any thread.
///
/// The life of a partition: `.assign` -> (state restored) `begin` -> records on the worker's queue -> `.revoke` -> (work
/// committed) `completeRevoke`. Heartbeats are librdkafka's own and go on whatever the application does. A rebalance
/// that takes something away waits for `completeRevoke`, up to the rebalance time-out.
///
/// `poll` has to be called at least every rebalance time-out, or the member is put out of the group.
package final class Consumer: Sendable {
    let client: ClientHandle
    private let control: QueueHandle
    /// Never has anything in it: consuming from it tells librdkafka that the application is alive, which polling the
    /// control queue for events does not in versions before 2.2.
    private let alive: QueueHandle
    private let prefetch: Prefetch.Limits
    private let state = Mutex(State())

    private struct State {
        /// What is being read, and where to.
        var begun: [TopicPartition: WorkerQueue] = [:]
        /// Given by the group and not taken away.
        var owned: Set<TopicPartition> = []
        /// Announced as `.revoke` or `.lost` and not completed.
        var leaving: Set<TopicPartition> = []
        /// Events go there once closing has begun.
        var closing: QueueHandle?
        var subscribed = false
        /// An assignment has come, if only an empty one.
        var joined = false
        /// An assignment came while closing and has not been answered.
        var unanswered = false
    }

    /// Makes the client; connects in the background. Nothing is read until `subscribe` or `begin`.
    package init(_ configuration: ConsumerConfiguration) throws(ConfigurationError) {
        let properties = Properties()
        let looksAgainByItself = try properties.apply(readerOf: configuration)
        client = try ClientHandle(RD_KAFKA_CONSUMER, properties, configuration.client.log)
        // As the user's properties have left them.
        prefetch = Prefetch.Limits(
            looksAgainByItself: looksAgainByItself, records: client.number("queued.min.messages") ?? .max,
            bytes: (client.number("queued.max.messages.kbytes") ?? configuration.prefetchKiB) << 10)
        // Errors that belong to no partition come to the control queue too.
        rd_kafka_poll_set_consumer(client.pointer)
        guard let control = rd_kafka_queue_get_consumer(client.pointer), let alive = rd_kafka_queue_new(client.pointer) else {
            throw .refused(text: "librdkafka gave no consumer queue; is the group id '\(configuration.groupID)' empty?")
        }
        self.control = QueueHandle(control, of: client)
        self.alive = QueueHandle(alive, of: client)
    }

    /// Joins the group for these topics. `.assign` follows through `poll`.
    package func subscribe(_ topics: [String]) throws(KafkaClientError) {
        let list = PartitionList(topics.map { TopicPartition($0, -1) })
        let code = rd_kafka_subscribe(client.pointer, list.pointer)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaClientError("subscribe to \(topics)", code) }
        state.withLock { $0.subscribed = true }
    }

    /// A queue for one worker. Partitions are sent to it by `begin`.
    package func makeWorkerQueue() throws(KafkaClientError) -> WorkerQueue {
        guard let pointer = rd_kafka_queue_new(client.pointer) else {
            throw KafkaClientError("make a worker's queue", RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE)
        }
        return WorkerQueue(QueueHandle(pointer, of: client), Prefetch(prefetch))
    }

    /// The next thing the control thread has to know; nil after `timeout` or `wake`.
    package func poll(timeout: Duration) -> ConsumerEvent? {
        var none: UnsafeMutablePointer<rd_kafka_message_t>?
        _ = rd_kafka_consume_batch_queue(alive.pointer, 0, &none, 1)
        let queue = state.withLock { $0.closing } ?? control
        guard let event = rd_kafka_queue_poll(queue.pointer, timeout.wholeMilliseconds) else {
            if timeout > .zero { answerLateAssignment() }
            return nil
        }
        defer { rd_kafka_event_destroy(event) }
        switch rd_kafka_event_type(event) {
        case RD_KAFKA_EVENT_REBALANCE: return rebalance(event)
        case RD_KAFKA_EVENT_STATS: return .statistics(String(cString: rd_kafka_event_stats(event)))
        case RD_KAFKA_EVENT_ERROR: return .error(error(of: event))
        default: return nil
        }
    }

    /// Makes a `poll` that waits return at once. Any thread.
    package func wake() {
        let queue = state.withLock { $0.closing } ?? control
        queue.yield()
    }

    private func error(of event: OpaquePointer) -> KafkaClientError {
        let code = rd_kafka_event_error(event)
        if code == RD_KAFKA_RESP_ERR__FATAL, let fatal = client.fatalError("read as a member of the group") { return fatal }
        return KafkaClientError(
            "read as a member of the group", code, text: String(cString: rd_kafka_event_error_string(event)),
            isFatal: rd_kafka_event_error_is_fatal(event) != 0)
    }

    private func rebalance(_ event: OpaquePointer) -> ConsumerEvent? {
        let code = rd_kafka_event_error(event)
        var partitions: [TopicPartition] = []
        if let list = rd_kafka_event_topic_partition_list(event) {
            // The event owns the list.
            partitions = (0..<Int(list.pointee.cnt)).map {
                TopicPartition(String(cString: list.pointee.elems[$0].topic), list.pointee.elems[$0].partition)
            }
        }
        switch code {
        case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
            let closing = state.withLock { state in
                state.joined = true
                state.unanswered = state.closing != nil
                return state.unanswered
            }
            if closing { return nil }
            if let error = acceptAssignment() { return .error(error) }
            state.withLock { $0.owned.formUnion(partitions) }
            return .assign(partitions)
        case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
            state.withLock { state in
                state.leaving.formUnion(partitions)
                // One answer serves both.
                state.unanswered = false
            }
            return rd_kafka_assignment_lost(client.pointer) != 0 ? .lost(partitions) : .revoke(partitions)
        default:
            let error = KafkaClientError(
                "take part in a rebalance", code, text: String(cString: rd_kafka_event_error_string(event)))
            client.callbacks.log(3, "REBALANCE", error.description)
            let all = state.withLock { state in
                state.leaving.formUnion(state.owned)
                return state.owned.sorted()
            }
            return .lost(all)
        }
    }

    /// An empty answer completes the rebalance; the partitions are added one by one as their state is ready.
    private func acceptAssignment() -> KafkaClientError? {
        let nothing = PartitionList()
        countInterruption()
        defer { countInterruption() }
        guard let error = rd_kafka_incremental_assign(client.pointer, nothing.pointer) else { return nil }
        return KafkaClientError("accept an assignment", consuming: error)
    }

    /// An assignment that crossed the beginning of closing is usually followed by its revocation, and librdkafka takes one
    /// answer for both: a second one might come after it has stopped answering, and wait for ever. So the assignment is
    /// answered only if nothing has followed it.
    private func answerLateAssignment() {
        let unanswered = state.withLock { state in
            let unanswered = state.unanswered
            state.unanswered = false
            return unanswered
        }
        if !unanswered || isClosed { return }
        if let error = acceptAssignment() { client.callbacks.log(6, "CLOSE", error.description) }
    }

    /// Rebalances and pauses throw away what is prefetched: see `Position`.
    private func countInterruption() {
        client.interruptions.add(1, ordering: .acquiringAndReleasing)
    }

    // MARK: Reading

    /// Starts reading `partition` at `start`; its records arrive on `queue`. The partition must not be begun already; in a
    /// group it must have been assigned and not revoked or lost since, otherwise a `_STATE` error says so. Asks the broker,
    /// up to `timeout`, where the partition's earliest or latest offset is; a given offset is taken as it is.
    package func begin(
        _ partition: TopicPartition, at start: StartOffset, on queue: WorkerQueue, timeout: Duration = .seconds(10)
    ) throws(KafkaClientError) {
        let operation = "begin \(partition)"
        let offset: Int64
        switch start {
        case .offset(let given): offset = max(0, given)
        case .earliest: offset = try watermarks(of: partition, timeout: timeout).low
        case .latest: offset = try watermarks(of: partition, timeout: timeout).lastStableOffset
        }
        let refusal: String? = state.withLock { state in
            if state.closing != nil { return "the consumer is closing" }
            if state.leaving.contains(partition) { return "the group has taken the partition away" }
            if state.begun[partition] != nil { return "the partition is being read already" }
            state.begun[partition] = queue
            return nil
        }
        if let refusal { throw KafkaClientError(operation, RD_KAFKA_RESP_ERR__STATE, text: refusal) }
        queue.register(partition, from: offset)
        forward(partition, to: queue)
        let list = PartitionList([partition], offset: offset)
        if let error = rd_kafka_incremental_assign(client.pointer, list.pointer) {
            stopReading([partition])
            throw KafkaClientError(operation, consuming: error)
        }
    }

    /// Stops reading these partitions without giving them back to the group (a bounded run has reached its end, or a
    /// partition is to be begun again elsewhere). Partitions that are not being read are passed over; does nothing once
    /// closing has begun.
    package func end(_ partitions: [TopicPartition]) throws(KafkaClientError) {
        let reading = state.withLock { state in
            state.closing == nil ? partitions.filter { state.begun[$0] != nil } : []
        }
        if reading.isEmpty { return }
        try unassign(reading)
    }

    /// Answers `.revoke` or `.lost`: the partitions are given back, and the rebalance goes on. To be called exactly once
    /// for each of these events, with its partitions, also if none of them was begun.
    package func completeRevoke(_ partitions: [TopicPartition]) throws(KafkaClientError) {
        let reading = state.withLock { state in partitions.filter { state.begun[$0] != nil } }
        try unassign(reading)
        state.withLock { state in
            state.leaving.subtract(partitions)
            state.owned.subtract(partitions)
        }
    }

    private func unassign(_ partitions: [TopicPartition]) throws(KafkaClientError) {
        let list = PartitionList(partitions)
        countInterruption()
        let error = rd_kafka_incremental_unassign(client.pointer, list.pointer)
        countInterruption()
        awaitStop()
        stopReading(partitions)
        if let error { throw KafkaClientError("give back \(partitions)", consuming: error) }
    }

    /// The unassignment queues a stop for each partition, which undoes the forwarding to the worker's queue: that must not
    /// happen after the partition was begun again. This request goes through the same queue and is answered after them.
    private func awaitStop() {
        // A client that closes may have stopped answering; and nothing is begun any more.
        if state.withLock({ $0.closing != nil }) { return }
        var list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
        _ = rd_kafka_assignment(client.pointer, &list)
        if let list { rd_kafka_topic_partition_list_destroy(list) }
    }

    private func stopReading(_ partitions: [TopicPartition]) {
        for partition in partitions {
            state.withLock { $0.begun.removeValue(forKey: partition) }?.unregister(partition)
            forward(partition, to: nil)
        }
    }

    private func forward(_ partition: TopicPartition, to queue: WorkerQueue?) {
        guard let source = rd_kafka_queue_get_partition(client.pointer, partition.topic, partition.partition) else { return }
        rd_kafka_queue_forward(source, queue?.queue.pointer)
        rd_kafka_queue_destroy(source)
    }

    /// Stops fetching these partitions (back-pressure). What is prefetched is thrown away and fetched again on `resume`.
    package func pause(_ partitions: [TopicPartition]) throws(KafkaClientError) {
        let list = PartitionList(partitions)
        let code = rd_kafka_pause_partitions(client.pointer, list.pointer)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaClientError("pause \(partitions)", code) }
        if let failure = list.firstFailure("pause") { throw failure }
    }

    package func resume(_ partitions: [TopicPartition]) throws(KafkaClientError) {
        let list = PartitionList(partitions)
        countInterruption()
        let code = rd_kafka_resume_partitions(client.pointer, list.pointer)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaClientError("resume \(partitions)", code) }
        if let failure = list.firstFailure("resume") { throw failure }
    }

    /// What is being read now.
    package var reading: [TopicPartition] { state.withLock { $0.begun.keys.sorted() } }

    /// The error that made this client unusable, if there was one: close it and make another.
    package var fatalError: KafkaClientError? { client.fatalError("read as a member of the group") }

    // MARK: Closing

    /// Begins to leave the group. Go on calling `poll`: if the member has partitions, a `.revoke` or `.lost` comes and
    /// wants `completeRevoke`, before which a last commit may be made; then `isClosed` becomes true. Apart from that no
    /// other call may be made any more. A static member does not leave (KIP-345): its partitions
    /// stay with it until it is back or its session times out.
    package func beginClose() throws(KafkaClientError) {
        guard let pointer = rd_kafka_queue_new(client.pointer) else {
            throw KafkaClientError("close the consumer", RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE)
        }
        let queue = QueueHandle(pointer, of: client)
        let first = state.withLock { state in
            if state.closing != nil { return false }
            state.closing = queue
            return true
        }
        if !first { return }
        // A control thread that waits at the old queue has to come over to the new one.
        control.yield()
        if let error = rd_kafka_consumer_close_queue(client.pointer, pointer) {
            throw KafkaClientError("close the consumer", consuming: error)
        }
    }

    /// The group has been left (a static member: stopped taking part) and nothing is read any more.
    package var isClosed: Bool { rd_kafka_consumer_closed(client.pointer) != 0 }

    /// Closes from the control thread: answers revocations at once, without a commit. Returns false if the group was not
    /// left in time; the client may be dropped all the same, the group then notices by the session time-out.
    package func close(timeout: Duration) throws(KafkaClientError) -> Bool {
        let deadline = ContinuousClock.now + timeout
        let (leaving, reading) = state.withLock { state in
            (state.leaving.sorted(), state.subscribed ? [] : state.begun.keys.sorted())
        }
        if !leaving.isEmpty { try completeRevoke(leaving) }
        try end(reading)
        // What is in the queue now is answered the usual way.
        while let event = poll(timeout: .zero), ContinuousClock.now < deadline { try giveBack(event) }
        try beginClose()
        while !isClosed {
            let remaining = deadline - .now
            if remaining <= .zero { return false }
            if let event = poll(timeout: min(remaining, .milliseconds(50))) { try giveBack(event) }
        }
        return true
    }

    private func giveBack(_ event: ConsumerEvent) throws(KafkaClientError) {
        switch event {
        case .revoke(let partitions), .lost(let partitions): try completeRevoke(partitions)
        default: break
        }
    }

    /// Leaves the group if that has not been done: librdkafka would spin for ever when it is destroyed with a rebalance
    /// unanswered.
    deinit {
        var left = isClosed
        if !left {
            do throws(KafkaClientError) {
                left = try close(timeout: .seconds(10))
            } catch {
                client.callbacks.log(4, "CLOSE", error.description)
            }
        }
        if !left { client.abandon(because: "its group could not be left within 10 s") }
        // Fixed in 2.3.0 (issue 4312): destroying a member that never had an assignment aborts the process.
        if rd_kafka_version() < 0x0203_00ff, state.withLock({ $0.subscribed && !$0.joined }) {
            client.abandon(because: "this version of librdkafka cannot destroy a member without an assignment")
        }
    }
}
