import KafkaLogProtocol
import KafkaLogStorage

extension Broker {
    private enum SpecialTimestamp {
        static let latest: Int64 = -1
        static let earliest: Int64 = -2
        static let maximum: Int64 = -3
        static let earliestLocal: Int64 = -4
        static let latestTiered: Int64 = -5

        /// The first version of ListOffsets that has it; nil for what stands for nothing.
        static func firstVersion(_ timestamp: Int64) -> Int16? {
            switch timestamp {
            case latest, earliest: 0
            case maximum: 7
            case earliestLocal: 8
            case latestTiered: 9
            default: nil
            }
        }
    }

    func listOffsets(_ request: ListOffsetsRequest, _ reply: Reply<ListOffsetsRequest>) {
        let isolation: IsolationLevel = request.isolationLevel == 0 ? .readUncommitted : .readCommitted
        var seen: Set<TopicPartition> = []
        answer(reply) { response in
            response.topics = request.topics.map { topic in
                .init {
                    $0.name = topic.name
                    $0.partitions = topic.partitions.map { wanted in
                        var answer = ListOffsetsResponse.Topic.Partition { $0.index = wanted.index }
                        do throws(RequestFailure) {
                            // As in Kafka; a look-up by time reads the disk.
                            guard seen.insert(TopicPartition(topic.name, wanted.index)).inserted else {
                                throw RequestFailure(.invalidRequest, "\(topic.name)-\(wanted.index) is in the request more than once")
                            }
                            let state = try partition(TopicPartition(topic.name, wanted.index), leaderEpoch: wanted.currentLeaderEpoch)
                            if let found = try offset(state.log, wanted.timestamp, isolation, reply.version) {
                                answer.offset = found.offset
                                answer.timestamp = found.timestamp
                                answer.leaderEpoch = Broker.leaderEpoch
                            }
                        } catch {
                            answer.errorCode = error.code
                        }
                        return answer
                    }
                }
            }
        }
    }

    private func offset(
        _ log: PartitionLog, _ timestamp: Int64, _ isolation: IsolationLevel, _ version: Int16
    ) throws(RequestFailure) -> TimestampOffset? {
        if timestamp < 0, SpecialTimestamp.firstVersion(timestamp) ?? .max > version {
            throw RequestFailure(
                .unsupportedVersion, "\(log.name): the timestamp \(timestamp) stands for nothing in version \(version) of the request")
        }
        switch timestamp {
        case SpecialTimestamp.latest:
            return TimestampOffset(offset: isolation == .readCommitted ? log.lastStableOffset : log.highWatermark, timestamp: -1)
        // All of the log is local.
        case SpecialTimestamp.earliest, SpecialTimestamp.earliestLocal:
            return TimestampOffset(offset: log.logStartOffset, timestamp: -1)
        case SpecialTimestamp.latestTiered: return nil
        case SpecialTimestamp.maximum:
            return try RequestFailure.fromStorage { () throws(StorageError) in try log.offsetOfMaximumTimestamp() }
        default:
            return try RequestFailure.fromStorage { () throws(StorageError) in
                try log.offset(atOrAfter: timestamp, isolation: isolation)
            }
        }
    }

    /// There is one leader epoch for all time: nothing is ever truncated by another leader.
    func offsetForLeaderEpoch(_ request: OffsetForLeaderEpochRequest, _ reply: Reply<OffsetForLeaderEpochRequest>) {
        answer(reply) { response in
            response.topics = request.topics.map { topic in
                .init {
                    $0.name = topic.name
                    $0.partitions = topic.partitions.map { wanted in
                        var answer = OffsetForLeaderEpochResponse.Topic.Partition { $0.index = wanted.index }
                        do throws(RequestFailure) {
                            let state = try partition(TopicPartition(topic.name, wanted.index), leaderEpoch: wanted.currentLeaderEpoch)
                            if wanted.leaderEpoch == Broker.leaderEpoch {
                                answer.leaderEpoch = Broker.leaderEpoch
                                answer.endOffset = state.log.highWatermark
                            } else {
                                answer.endOffset = -1
                            }
                        } catch {
                            answer.errorCode = error.code
                        }
                        return answer
                    }
                }
            }
        }
    }

    func deleteRecords(_ request: DeleteRecordsRequest, _ reply: Reply<DeleteRecordsRequest>) {
        answer(reply) { response in
            response.topics = request.topics.map { topic in
                .init {
                    $0.name = topic.name
                    $0.partitions = topic.partitions.map { wanted in
                        var answer = DeleteRecordsResponse.Topic.Partition {
                            $0.index = wanted.index
                            $0.lowWatermark = -1
                        }
                        do throws(RequestFailure) {
                            answer.lowWatermark = try deleteRecords(TopicPartition(topic.name, wanted.index), before: wanted.offset)
                        } catch {
                            answer.errorCode = error.code
                        }
                        return answer
                    }
                }
            }
        }
    }

    private func deleteRecords(_ name: TopicPartition, before offset: Int64) throws(RequestFailure) -> Int64 {
        let state = try partition(name)
        let target = offset == -1 ? state.log.highWatermark : offset
        guard target >= 0, target <= state.log.highWatermark else {
            throw RequestFailure(.offsetOutOfRange, "\(name): cannot delete up to \(offset), the high watermark is \(state.log.highWatermark)")
        }
        let start = try RequestFailure.fromStorage { () throws(StorageError) in
            try directory.deleteRecords(name, before: target)
        }
        markAdvanced(state)
        return start
    }
}
