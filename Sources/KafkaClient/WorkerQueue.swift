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
    private let positions = Mutex<[TopicPartition: Position]>([:])
    private let prefetch: Prefetch

    init(_ queue: QueueHandle, _ prefetch: Prefetch) {
        self.queue = queue
        self.prefetch = prefetch
    }

    /// Up to `max` records. Waits up to `timeout` for the first and then takes what is there without waiting for more.
    /// The batch is empty after a time-out or `wake`. Records of partitions that are no longer begun on this queue are left
    /// out, and so are records that were delivered before: in every partition offsets rise from where it was begun, and no
    /// record is passed over.
    package func consume(max: Int, timeout: Duration) -> MessageBatch {
        precondition(max > 0, "a batch needs room for at least one record")
        readAgain()
        let messages = UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>.allocate(capacity: max)
        let before = queue.client.interruptions.load(ordering: .acquiring)
        var count = take(messages, max, 0)
        if count == 0 {
            // Waiting for more than one would mean waiting until all have come or the time is over.
            if !wakeRequested.exchange(false, ordering: .acquiring), timeout > .zero {
                count = take(messages, 1, timeout.wholeMilliseconds)
                if count == 1 { count += take(messages + 1, max - 1, 0) }
            }
        }
        if prefetch.mayHaveStopped(ready: readyCount, taken: count, recordBytes: count > 0 ? messages[0]?.pointee.len ?? 0 : 0) {
            queue.client.wakeBrokers(of: positions.withLock { Array($0.keys) })
        }
        return sort(messages, count, before)
    }

    /// Makes a `consume` that waits return at once, or the next one if none does. Any thread.
    package func wake() {
        wakeRequested.store(true, ordering: .releasing)
        queue.yield()
    }

    /// Messages, ends and failures that are ready, of all partitions: an estimate.
    package var readyCount: Int { rd_kafka_queue_length(queue.pointer) }

    func register(_ partition: TopicPartition, from offset: Int64) {
        let interruptions = queue.client.interruptions.load(ordering: .acquiring)
        positions.withLock { $0[partition] = Position(next: offset, verified: interruptions) }
    }

    func unregister(_ partition: TopicPartition) {
        positions.withLock { _ = $0.removeValue(forKey: partition) }
    }

    /// Seeks the partitions back in which a gap appeared after an interruption. What fails is tried again with the next batch.
    private func readAgain() {
        let interruptions = queue.client.interruptions.load(ordering: .acquiring)
        let gaps = positions.withLock { positions in positions.filter { $0.value.rereading } }
        if gaps.isEmpty { return }
        let list = PartitionList(capacity: gaps.count)
        for (partition, position) in gaps { list.add(partition, offset: position.next) }
        if let error = rd_kafka_seek_partitions(queue.client.pointer, list.pointer, 1000) {
            queue.client.callbacks.log(5, "REREAD", KafkaClientError("seek back", consuming: error).description)
        }
        positions.withLock { positions in
            for index in 0..<list.count where list[index].pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR {
                let partition = list.partition(index)
                // It may have been begun anew in the meantime.
                guard positions[partition]?.rereading == true else { continue }
                positions[partition]?.rereading = false
                positions[partition]?.verified = interruptions
            }
        }
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
        _ messages: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>, _ taken: Int, _ before: UInt64
    ) -> MessageBatch {
        if taken == 0 { return MessageBatch(items: [], messages: messages, count: 0, owner: queue.client) }
        // Records that came after an interruption came after its count was raised.
        let after = queue.client.interruptions.load(ordering: .acquiring)
        var sorter = BatchSorter(messages, before, after)
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
