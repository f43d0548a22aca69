import KafkaLogProtocol
import KafkaLogStorage

extension Broker {
    /// Reads at once if there is enough; otherwise the request is parked until there is, or until its time is over.
    func fetch(_ request: FetchRequest, _ reply: Reply<FetchRequest>) {
        // Sessions (KIP-227) are declined with id 0; a client that believes in one is told to begin again.
        guard request.sessionID == 0 else { return answer(reply) { $0.errorCode = .fetchSessionIDNotFound } }
        let attempt = read(request)
        let wait = min(request.maxWaitMilliseconds, configuration.limits.fetchWaitMilliseconds)
        if attempt.mustAnswer || attempt.bytes >= Int(request.minBytes) || wait <= 0 {
            return finishRead(reply, attempt)
        }
        nextFetchID += 1
        let parked = ParkedFetch(id: nextFetchID, reply: reply, request: request, partitions: attempt.states)
        for state in parked.partitions { state.parkedFetches[parked.id] = parked }
        reply.connection.parkedFetches[parked.id] = parked
        timers.add(.fetch(parked), at: clock.now + Int64(wait))
    }

    private struct Attempt {
        var response = FetchResponse()
        var bytes = 0
        var topicBytes: [(topic: String, bytes: Int)] = []
        /// Beside `topicBytes`.
        var topicRecords: [Int64] = []
        /// There is an error to report, or nothing to wait for.
        var mustAnswer = false
        var states: [PartitionState] = []
        let startedAt = DurationHistogram.now
    }

    private func read(_ request: FetchRequest) -> Attempt {
        var attempt = Attempt()
        let isolation: IsolationLevel = request.isolationLevel == 0 ? .readUncommitted : .readCommitted
        var budget = min(Int(max(0, request.maxBytes)), configuration.limits.fetchBytes)
        for topic in request.topics {
            var topicResponse = FetchResponse.Topic { $0.name = topic.name }
            for wanted in topic.partitions {
                var answer = FetchResponse.Topic.Partition {
                    $0.index = wanted.index
                    $0.records = .file([])
                    if isolation == .readCommitted { $0.abortedTransactions = [] } else { $0.abortedTransactions = nil }
                }
                do throws(RequestFailure) {
                    let state = try partition(TopicPartition(topic.name, wanted.index), leaderEpoch: wanted.currentLeaderEpoch)
                    attempt.states.append(state)
                    let result = try RequestFailure.fromStorage { () throws(StorageError) in
                        try state.log.read(
                            from: wanted.fetchOffset, maxBytes: min(Int(max(0, wanted.partitionMaxBytes)), budget),
                            minimumOneBatch: attempt.bytes == 0, isolation: isolation)
                    }
                    answer.highWatermark = result.highWatermark
                    answer.lastStableOffset = result.lastStableOffset
                    answer.logStartOffset = result.logStartOffset
                    if let region = result.region {
                        answer.records = .file([
                            FileSlice(owner: region.file, descriptor: region.descriptor, position: region.position, count: region.length)
                        ])
                        attempt.bytes += region.length
                        attempt.topicBytes.append((topic.name, region.length))
                        budget = max(0, budget - region.length)
                        attempt.topicRecords.append(result.offsetCount)
                    }
                    if isolation == .readCommitted {
                        answer.abortedTransactions = result.abortedTransactions.map { aborted in
                            .init {
                                $0.producerID = aborted.producerID
                                $0.firstOffset = aborted.firstOffset
                            }
                        }
                    }
                } catch {
                    attempt.mustAnswer = true
                    answer.errorCode = error.code
                    answer.highWatermark = -1
                }
                topicResponse.partitions.append(answer)
            }
            attempt.response.topics.append(topicResponse)
        }
        if attempt.states.isEmpty { attempt.mustAnswer = true }
        return attempt
    }

    private func finishRead(_ parked: ParkedFetch, _ attempt: Attempt) {
        finishRead(parked.reply.resumed(at: attempt.startedAt, after: parked.parkedAt), attempt)
    }

    private func finishRead(_ reply: Reply<FetchRequest>, _ attempt: Attempt) {
        for ((topic, bytes), records) in zip(attempt.topicBytes, attempt.topicRecords) {
            counters.count(recordsOut: UInt64(records), bytes: UInt64(bytes), topic: topic)
        }
        answer(reply, attempt.response)
    }

    /// Answers a parked Fetch with what there is.
    func finishFetch(_ parked: ParkedFetch) {
        guard parked.isParked else { return }
        forget(parked)
        finishRead(parked, read(parked.request))
    }

    /// Takes a parked Fetch off all lists.
    func forget(_ parked: ParkedFetch) {
        parked.isParked = false
        parked.reply.connection.parkedFetches[parked.id] = nil
        for state in parked.partitions { state.parkedFetches[parked.id] = nil }
    }

    /// Answers the Fetch requests for which there is enough now.
    func retryFetches(_ state: PartitionState) {
        for parked in Array(state.parkedFetches.values) where parked.isParked {
            let attempt = read(parked.request)
            guard attempt.mustAnswer || attempt.bytes >= Int(parked.request.minBytes) else { continue }
            forget(parked)
            finishRead(parked, attempt)
        }
    }
}
