import KafkaLogProtocol
import KafkaLogStorage

extension Broker {
    /// The producers that partitions remember.
    func describeProducers(_ request: DescribeProducersRequest, _ reply: Reply<DescribeProducersRequest>) {
        answer(reply) { response in
            response.topics = request.topics.map { topic in
                .init {
                    $0.name = topic.name
                    $0.partitions = topic.partitions.map { describeProducers(TopicPartition(topic.name, $0)) }
                }
            }
        }
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
