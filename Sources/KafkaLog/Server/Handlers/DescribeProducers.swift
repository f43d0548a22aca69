import KafkaLogProtocol
import KafkaLogStorage

extension Broker {
    /// The producers that partitions remember.
    func describeProducers(_ request: DescribeProducersRequest, _ reply: Reply<DescribeProducersRequest>) {
        answer(reply) { response in
            response.topics = once(request.topics).map { topic in
                .init {
                    $0.name = topic.name
                    $0.partitions = topic.partitions.unique.map { describeProducers(TopicPartition(topic.name, $0)) }
                }
            }
        }
    }

    /// Each topic once: an answer can be much larger than its question.
    private func once(_ topics: [DescribeProducersRequest.Topic]) -> [DescribeProducersRequest.Topic] {
        var seen: Set<String> = []
        return topics.filter { seen.insert($0.name).inserted }
    }

    private func describeProducers(_ name: TopicPartition) -> DescribeProducersResponse.Topic.Partition {
        var described = DescribeProducersResponse.Topic.Partition { $0.index = name.partition }
        do throws(RequestFailure) {
            described.producers = try partition(name).log.activeProducers.map { producer in
                .init {
                    $0.producerID = producer.producerID
                    $0.producerEpoch = Int32(producer.epoch)
                    $0.lastSequence = producer.lastSequence
                    $0.lastTimestamp = producer.lastAppend
                    $0.coordinatorEpoch = producer.coordinatorEpoch
                    $0.transactionStartOffset = producer.transactionStart
                }
            }
        } catch {
            described.errorCode = error.code
            described.errorMessage = error.message
        }
        return described
    }
}
