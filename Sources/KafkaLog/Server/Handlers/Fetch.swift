import KafkaLogProtocol
import KafkaLogStorage

extension Broker {
    /// Reads at once if there is enough; otherwise the request is parked until there is, or until its time is over.
    func fetch(_ request: FetchRequest, _ reply: Reply<FetchRequest>) {
        // Sessions (KIP-227) are declined with id 0. A client that goes on with one (epochs 0 and -1 begin and end one) is told
        // to begin again.
        guard request.sessionEpoch == 0 || request.sessionEpoch == -1 else {
            return answer(reply) { $0.errorCode = .fetchSessionIDNotFound }
        }
        // One that names partitions again and again would be kept, and read anew for each batch that comes to one of them.
        guard request.topics.reduce(0, { $0 + $1.partitions.count }) <= configuration.limits.partitions else {
            return answer(reply) { $0.errorCode = .invalidRequest }
        }
        let attempt = read(request, version: reply.version)
        let wait = min(request.maxWaitMilliseconds, configuration.limits.fetchWaitMilliseconds)
        if attempt.mustAnswer || attempt.bytes >= Int(request.minBytes) || wait <= 0 {
            return finishRead(reply, request, attempt)
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

    private func read(_ request: FetchRequest, version: Int16) -> Attempt {
        var attempt = Attempt()
        let isolation: IsolationLevel = request.isolationLevel == 0 ? .readUncommitted : .readCommitted
        var budget = min(Int(max(0, request.maxBytes)), configuration.limits.fetchBytes)
        for topic in request.topics {
            let name = topicName(topic.name, topic.topicID, usesID: version >= 13)
            var topicResponse = FetchResponse.Topic {
                $0.name = topic.name
                $0.topicID = topic.topicID
            }
            for wanted in topic.partitions {
                var answer = FetchResponse.Topic.Partition {
                    $0.index = wanted.index
                    $0.records = .file([])
                    if isolation == .readCommitted { $0.abortedTransactions = [] } else { $0.abortedTransactions = nil }
                }
                do throws(RequestFailure) {
                    guard let name else { throw RequestFailure(.unknownTopicID, "there is no topic with the id of the request") }
                    let state = try partition(TopicPartition(name, wanted.index), leaderEpoch: wanted.currentLeaderEpoch)
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
                        attempt.topicBytes.append((name, region.length))
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
        finishRead(parked.reply.resumed(at: attempt.startedAt, after: parked.parkedAt), parked.request, attempt)
    }

    private func finishRead(_ reply: Reply<FetchRequest>, _ request: FetchRequest, _ attempt: Attempt) {
        for ((topic, bytes), records) in zip(attempt.topicBytes, attempt.topicRecords) {
            counters.count(recordsOut: UInt64(records), bytes: UInt64(bytes), topic: topic)
        }
        var response = attempt.response
        convertRecords(of: &response, for: request, version: reply.version)
        answer(reply, response)
    }

    /// Answers a parked Fetch with what there is.
    func finishFetch(_ parked: ParkedFetch) {
        guard parked.isParked else { return }
        forget(parked)
        finishRead(parked, read(parked.request, version: parked.reply.version))
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
            let attempt = read(parked.request, version: parked.reply.version)
            guard attempt.mustAnswer || attempt.bytes >= Int(parked.request.minBytes) else { continue }
            forget(parked)
            finishRead(parked, attempt)
        }
    }
}
