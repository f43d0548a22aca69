import Glibc
import KafkaLogProtocol
import KafkaLogStorage

/// Descriptions of topics for administrators.
extension Broker {
    /// The one log directory, with the sizes of partitions. Those that do not exist are left out, as in Kafka.
    func describeLogDirs(_ request: DescribeLogDirsRequest, _ reply: Reply<DescribeLogDirsRequest>) {
        var result = DescribeLogDirsResponse.Result { $0.logDirectory = absoluteDirectory }
        if storageFailure != nil {
            result.errorCode = .kafkaStorageError
        } else {
            if let topics = request.topics {
                var seen: Set<String> = []
                result.topics = topics.filter { seen.insert($0.name).inserted }.map { describeSizes($0.name, $0.partitions) }
            } else {
                result.topics = directory.topics.values.sorted { $0.name < $1.name }.map { describeSizes($0.name, Array(0..<$0.partitionCount)) }
            }
            result.topics.removeAll { $0.partitions.isEmpty }
            var volume = statvfs()
            if statvfs(configuration.directory, &volume) == 0 {
                result.totalBytes = Int64(clamping: volume.f_blocks * volume.f_frsize)
                result.usableBytes = Int64(clamping: volume.f_bavail * volume.f_frsize)
            }
        }
        answer(reply) { $0.results = [result] }
    }

    private var absoluteDirectory: String {
        guard let path = realpath(configuration.directory, nil) else { return configuration.directory }
        defer { free(path) }
        return String(cString: path)
    }

    private func describeSizes(_ topic: String, _ partitions: [Int32]) -> DescribeLogDirsResponse.Result.Topic {
        .init {
            $0.name = topic
            $0.partitions = partitions.unique.compactMap { describeSize(TopicPartition(topic, $0)) }
        }
    }

    private func describeSize(_ name: TopicPartition) -> DescribeLogDirsResponse.Result.Topic.Partition? {
        guard let byteCount = try? directory.byteCount(of: name) else { return nil }
        return .init {
            $0.index = name.partition
            $0.byteCount = byteCount
            if let log = partitions[name]?.log { $0.offsetLag = log.logEndOffset - log.highWatermark }
        }
    }

    /// Topics in the order of their names, as many partitions as the page has room for.
    func describeTopicPartitions(_ request: DescribeTopicPartitionsRequest, _ reply: Reply<DescribeTopicPartitionsRequest>) {
        let start = request.cursor
        let names = request.topics.isEmpty ? Set(directory.topics.keys) : Set(request.topics.map(\.name))
        var room = min(max(1, request.partitionLimit), Broker.partitionsOfPage)
        answer(reply) { response in
            for name in names.sorted() where name >= start?.topicName ?? "" {
                let first = name == start?.topicName ? max(0, start?.partitionIndex ?? 0) : 0
                guard room > 0 else {
                    response.nextCursor = .init {
                        $0.topicName = name
                        $0.partitionIndex = first
                    }
                    return
                }
                guard let topic = directory.topics[name] else {
                    response.topics.append(
                        .init {
                            $0.name = name
                            $0.errorCode = .unknownTopicOrPartition
                        })
                    continue
                }
                let end = min(topic.partitionCount, first.addingReportingOverflow(room).overflow ? .max : first + room)
                response.topics.append(describePartitions(of: topic, first..<max(first, end)))
                room -= max(0, end - first)
                if end < topic.partitionCount {
                    response.nextCursor = .init {
                        $0.topicName = name
                        $0.partitionIndex = end
                    }
                    return
                }
            }
        }
    }

    /// `max.request.partition.size.limit` of Kafka.
    private static var partitionsOfPage: Int32 { 2000 }

    private func describePartitions(of topic: Topic, _ range: Range<Int32>) -> DescribeTopicPartitionsResponse.Topic {
        .init {
            $0.name = topic.name
            $0.topicID = WireUUID(high: topic.id.high, low: topic.id.low)
            $0.partitions = range.map { index in
                .init {
                    $0.index = index
                    $0.leaderID = configuration.nodeID
                    $0.leaderEpoch = Broker.leaderEpoch
                    $0.replicas = [configuration.nodeID]
                    $0.inSyncReplicas = [configuration.nodeID]
                    $0.eligibleLeaderReplicas = []
                    $0.lastKnownEligibleLeaderReplicas = []
                }
            }
        }
    }
}
