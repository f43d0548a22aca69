import CRdKafka

extension ClientHandle {
    /// Leaves the group if the application has not (`Consumer.close`), answering every rebalance without a commit: an
    /// instance that is destroyed with one unanswered spins and never ends. True when nothing is in the way any more.
    func leaveGroup(within timeout: Duration) -> Bool {
        if rd_kafka_consumer_closed(pointer) != 0 { return true }
        // An instance without a group has no such queue.
        guard let control = rd_kafka_queue_get_consumer(pointer) else { return true }
        defer { rd_kafka_queue_destroy(control) }
        guard let closing = rd_kafka_queue_new(pointer) else { return false }
        defer { rd_kafka_queue_destroy(closing) }
        // For a revocation that was handed to the application and never completed.
        unassignAll()
        if let error = rd_kafka_consumer_close_queue(pointer, closing) {
            // Closing has begun already; the control queue leads to wherever its events go.
            rd_kafka_error_destroy(error)
        }
        let deadline = ContinuousClock.now + timeout
        while rd_kafka_consumer_closed(pointer) == 0 {
            if ContinuousClock.now >= deadline { return false }
            guard let event = rd_kafka_queue_poll(control, 20) else { continue }
            defer { rd_kafka_event_destroy(event) }
            guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE else { continue }
            if rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
                let nothing = PartitionList()
                if let error = rd_kafka_incremental_assign(pointer, nothing.pointer) { rd_kafka_error_destroy(error) }
            } else {
                unassignAll()
            }
        }
        return true
    }

    private func unassignAll() {
        var current: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
        guard rd_kafka_assignment(pointer, &current) == RD_KAFKA_RESP_ERR_NO_ERROR, let current else { return }
        let list = PartitionList(owning: current)
        if let error = rd_kafka_incremental_unassign(pointer, list.pointer) { rd_kafka_error_destroy(error) }
    }
}
