import KafkaLogProtocol
import KafkaLogStorage

extension Broker {
    /// Appends, and answers when the records are as durable as the log promises. acks=1 waits like acks=-1: there is one replica.
    func produce(
        _ request: ProduceRequest, _ header: RequestHeader, _ connection: Connection, amend: ((inout ProduceResponse) -> Void)? = nil
    ) {
        var response = ProduceResponse()
        var waits: [(state: PartitionState, acknowledgedAt: Int64, place: PendingProduce.Place)] = []
        var failed = false
        for topic in request.topics {
            var topicResponse = ProduceResponse.Topic { $0.name = topic.name }
            for partition in topic.partitions {
                var answer = ProduceResponse.Topic.Partition { $0.index = partition.index }
                do throws(RequestFailure) {
                    let records = try recordBatch(of: partition.records, version: header.version)
                    let (state, result) = try append(records, to: TopicPartition(topic.name, partition.index), request)
                    answer.baseOffset = result.baseOffset
                    answer.logStartOffset = result.logStartOffset
                    if result.acknowledgedAt > state.log.highWatermark {
                        let place = PendingProduce.Place(topic: response.topics.count, partition: topicResponse.partitions.count)
                        waits.append((state, result.acknowledgedAt, place))
                    }
                } catch {
                    failed = true
                    if error.isOutOfSpace { noteOutOfSpace(error.message) }
                    answer.baseOffset = -1
                    answer.errorCode = error.code
                    answer.errorMessage = error.message
                }
                topicResponse.partitions.append(answer)
            }
            response.topics.append(topicResponse)
        }
        guard request.acknowledgements != 0 else {
            counters.answered(.produce, after: DurationHistogram.now - connection.requestArrival)
            // Nothing else tells such a producer that it has to look for the partition's leader again.
            if failed { close(connection, reason: "a record without acknowledgement could not be appended") }
            return
        }
        var reply = Reply<ProduceRequest>(to: header, on: connection)
        reply.amend = amend
        guard !waits.isEmpty else { return answer(reply, response) }
        let pending = PendingProduce(reply: reply, response: response)
        for (state, acknowledgedAt, place) in waits {
            pending.waitsFor.insert(place)
            state.waitingProduces.append((acknowledgedAt, place, pending))
        }
        timers.add(.produce(pending), at: clock.now + Int64(max(0, request.timeoutMilliseconds)))
    }

    private func append(
        _ records: Records, to name: TopicPartition, _ request: ProduceRequest
    ) throws(RequestFailure) -> (PartitionState, AppendResult) {
        guard (-1...1).contains(request.acknowledgements) else {
            throw RequestFailure(.invalidRequiredAcks, "acks has to be -1, 0 or 1, not \(request.acknowledgements)")
        }
        let state = try partition(name)
        guard case .bytes(let bytes) = records, !bytes.isEmpty else {
            throw RequestFailure(.invalidRecord, "\(name): a Produce request holds exactly one record batch a partition, this one none")
        }
        let header = try RequestFailure.fromStorage { () throws(StorageError) in
            try bytes.withUnsafeBytes { raw throws(StorageError) in try RecordBatchHeader(raw) }
        }
        if header.isTransactional { try verifyTransaction(header, name) }
        let before = (state.log.highWatermark, state.log.lastStableOffset)
        let result = try RequestFailure.fromStorage { () throws(StorageError) in
            try bytes.withUnsafeMutableBytes { raw throws(StorageError) in try state.log.append(raw) }
        }
        if !result.isDuplicate {
            hasUnflushedStorage = true
            counters.count(recordsIn: UInt64(max(0, header.recordCount)), bytes: UInt64(bytes.count), topic: name.topic)
        }
        if before != (state.log.highWatermark, state.log.lastStableOffset) { markAdvanced(state) }
        return (state, result)
    }

    /// The time that the producer gave has passed before the records were durable.
    func expireProduce(_ pending: PendingProduce) {
        guard pending.isWaiting else { return }
        fail(pending, .requestTimedOut)
    }

    /// Answers at once; what is not durable gets `error`.
    func fail(_ pending: PendingProduce, _ error: ErrorCode) {
        for place in pending.waitsFor {
            pending.response.topics[place.topic].partitions[place.partition].errorCode = error
            pending.response.topics[place.topic].partitions[place.partition].baseOffset = -1
        }
        finish(pending)
    }

    private func finish(_ pending: PendingProduce) {
        pending.isWaiting = false
        pending.waitsFor = []
        answer(pending.reply, pending.response)
    }

    /// Answers the Produce requests that are durable now.
    func completeProduces(_ state: PartitionState) {
        guard !state.waitingProduces.isEmpty else { return }
        let durable = state.log.highWatermark
        var rest = state.waitingProduces
        rest.removeAll { waiting in
            guard waiting.produce.isWaiting else { return true }
            guard waiting.acknowledgedAt <= durable else { return false }
            waiting.produce.waitsFor.remove(waiting.place)
            if waiting.produce.waitsFor.isEmpty { finish(waiting.produce) }
            return true
        }
        state.waitingProduces = rest
    }
}
