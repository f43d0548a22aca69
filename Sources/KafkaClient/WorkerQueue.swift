import CRdKafka
import Synchronization

/// Where the records of a worker's partitions arrive, those of all topics, prefetched by librdkafka's threads.
/// One thread consumes; any thread may wake it.
package final class WorkerQueue: Sendable {
    let queue: QueueHandle
    /// Set by `wake`, cleared by the `consume` that it interrupts. librdkafka's own flag is not enough: a look without
    /// waiting would clear it, and the wait after it would sleep on.
    private let wakeRequested = Atomic(false)
    /// Where each partition is; also touched by the thread that begins and ends partitions.
    private let positions = Mutex<[TopicPartition: Int64]>([:])

    init(_ queue: QueueHandle) { self.queue = queue }

    /// Up to `max` records. Waits up to `timeout` for the first and then takes what is there without waiting for more.
    /// The batch is empty after a time-out or `wake`. Records of partitions that are no longer begun on this queue, and
    /// records before a partition's position (librdkafka delivers again after a pause in a race), are left out.
    package func consume(max: Int, timeout: Duration) -> MessageBatch {
        precondition(max > 0, "a batch needs room for at least one record")
        let messages = UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>.allocate(capacity: max)
        var count = take(messages, max, 0)
        if count == 0 {
            // Waiting for more than one would mean waiting until all have come or the time is over.
            if !wakeRequested.exchange(false, ordering: .acquiring), timeout > .zero {
                count = take(messages, 1, timeout.wholeMilliseconds)
                if count == 1 { count += take(messages + 1, max - 1, 0) }
            }
        }
        return sort(messages, count)
    }

    /// Makes a `consume` that waits return at once, or the next one if none does. Any thread.
    package func wake() {
        wakeRequested.store(true, ordering: .releasing)
        queue.yield()
    }

    /// Messages, ends and failures that are ready, of all partitions: an estimate.
    package var readyCount: Int { rd_kafka_queue_length(queue.pointer) }

    func register(_ partition: TopicPartition, from offset: Int64) {
        positions.withLock { $0[partition] = offset }
    }

    func unregister(_ partition: TopicPartition) {
        positions.withLock { _ = $0.removeValue(forKey: partition) }
    }

    private func take(
        _ messages: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>, _ room: Int, _ milliseconds: Int32
    ) -> Int {
        if room == 0 { return 0 }
        // Its -1 is documented for the call on a single partition; a queue gives what it has.
        return max(0, rd_kafka_consume_batch_queue(queue.pointer, milliseconds, messages, room))
    }

    /// Splits what came into runs and events, and closes the gaps that events leave in `messages`.
    private func sort(
        _ messages: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>, _ taken: Int
    ) -> MessageBatch {
        if taken == 0 { return MessageBatch(items: [], messages: messages, count: 0, owner: queue.client) }
        var sorter = BatchSorter(messages)
        positions.withLock { positions in
            for index in 0..<taken {
                // Slots from 0 to what was taken are filled by librdkafka.
                guard let message = messages[index] else { continue }
                sorter.add(message, &positions)
            }
            sorter.closeRun(&positions)
        }
        return MessageBatch(items: sorter.items, messages: messages, count: sorter.kept, owner: queue.client)
    }
}

/// Builds a batch's items from messages in the order in which they came.
private struct BatchSorter {
    let messages: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>
    var items: [BatchItem] = []
    var kept = 0

    private var topic: OpaquePointer?
    private var number: Int32 = -1
    private var partition = TopicPartition("", -1)
    /// nil if the partition is not begun on this queue (any more).
    private var position: Int64?
    private var runStart = 0
    private var runFirstOffset: Int64 = 0

    init(_ messages: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>) { self.messages = messages }

    mutating func add(_ message: UnsafeMutablePointer<rd_kafka_message_t>, _ positions: inout [TopicPartition: Int64]) {
        if message.pointee.rkt != topic || message.pointee.partition != number {
            closeRun(&positions)
            enter(message, positions)
        }
        if message.pointee.err != RD_KAFKA_RESP_ERR_NO_ERROR {
            closeRun(&positions)
            addEvent(message, &positions)
            rd_kafka_message_destroy(message)
            return
        }
        guard let next = position, message.pointee.offset >= next else {
            rd_kafka_message_destroy(message)
            return
        }
        if kept == runStart { runFirstOffset = message.pointee.offset }
        position = message.pointee.offset &+ 1
        messages[kept] = message
        kept += 1
    }

    mutating func closeRun(_ positions: inout [TopicPartition: Int64]) {
        guard kept > runStart, let next = position else { return }
        items.append(
            .records(
                MessageRun(
                    partition: partition, indexes: runStart..<kept, firstOffset: runFirstOffset, lastOffset: next &- 1)))
        positions[partition] = next
        runStart = kept
    }

    private mutating func enter(_ message: UnsafeMutablePointer<rd_kafka_message_t>, _ positions: [TopicPartition: Int64]) {
        topic = message.pointee.rkt
        number = message.pointee.partition
        guard let topic else {
            position = nil
            return
        }
        partition = TopicPartition(String(cString: rd_kafka_topic_name(topic)), number)
        position = positions[partition]
    }

    private mutating func addEvent(
        _ message: UnsafeMutablePointer<rd_kafka_message_t>, _ positions: inout [TopicPartition: Int64]
    ) {
        let code = message.pointee.err
        if topic == nil || number < 0 {
            items.append(.failure(nil, KafkaClientError("read", code, text: Self.text(message))))
            return
        }
        guard let next = position else { return }
        if code == RD_KAFKA_RESP_ERR__PARTITION_EOF {
            position = max(next, message.pointee.offset)
            positions[partition] = position
            items.append(.endOfPartition(partition, offset: max(next, message.pointee.offset)))
            return
        }
        let error = KafkaClientError("read \(partition) at offset \(next)", code, text: Self.text(message))
        items.append(error.isOffsetOutOfRange ? .offsetOutOfRange(partition, error) : .failure(partition, error))
    }

    private static func text(_ message: UnsafeMutablePointer<rd_kafka_message_t>) -> String? {
        rd_kafka_message_errstr(message).map { String(cString: $0) }
    }
}
