import KafkaLogCoordination
import KafkaLogProtocol
import KafkaLogStorage
import KafkaLogTransactions

/// A WriteTxnMarkers request that waits until its markers are durable.
final class MarkerWrite {
    let token: RequestToken
    var response: WriteTransactionMarkersResponse
    /// Ends of transactions that are not durable yet, and one for the request while it is being read.
    var remaining = 1

    init(token: RequestToken, response: WriteTransactionMarkersResponse) {
        self.token = token
        self.response = response
    }
}

extension Broker {
    /// How an administrator aborts a transaction that nobody else will end (KIP-664). Kafka writes what it is told to into the
    /// partitions that are named, whatever the coordinator thinks. Here a transaction keeps one outcome in all its partitions and
    /// groups: to abort it in one of them is to abort it, with its producer fenced, and to commit it is for its producer alone.
    func writeTransactionMarkers(_ request: WriteTransactionMarkersRequest, _ reply: Reply<WriteTransactionMarkersRequest>) {
        let write = MarkerWrite(token: token(for: .writeTransactionMarkers(reply)), response: .init())
        for marker in request.markers {
            let producer = ProducerIDAndEpoch(producerID: marker.producerID, epoch: marker.producerEpoch)
            write.response.markers.append(
                .init {
                    $0.producerID = marker.producerID
                    $0.topics = marker.topics.map { topic in
                        .init {
                            $0.name = topic.name
                            $0.partitions = topic.partitions.map { index in
                                .init {
                                    $0.index = index
                                    do throws(RequestFailure) {
                                        guard !marker.committed else {
                                            throw RequestFailure(.invalidTransactionState, "a transaction is committed by its producer alone")
                                        }
                                        try abort(producer, in: TopicPartition(topic.name, index), write)
                                    } catch {
                                        $0.errorCode = error.code
                                    }
                                }
                            }
                        }
                    }
                })
        }
        didWriteMarkers(write)
    }

    /// Aborts a producer's transaction in a partition; when that has to be waited for, `write` does.
    private func abort(_ producer: ProducerIDAndEpoch, in name: TopicPartition, _ write: MarkerWrite) throws(RequestFailure) {
        let state = try partition(name)
        guard transactions.knows(producerID: producer.producerID, .init(name.topic, name.partition)) else {
            // One that is open all the same could not be ended when the partition was opened, for want of room.
            return endUnknownTransactions(state)
        }
        let isAskedFor = markerWrites[producer.producerID]?.contains { $0 === write } ?? false
        guard !isAskedFor else { return }
        do throws(TransactionError) {
            let actions = try transactions.abort(producer, coordinatorTime)
            write.remaining += 1
            markerWrites[producer.producerID, default: []].append(write)
            perform(actions)
        } catch {
            throw RequestFailure(
                ErrorCode(rawValue: error.rawValue), "\(name): the transaction of producer \(producer.producerID) cannot be aborted: \(error)")
        }
    }

    /// One of the transactions has ended, or the request is read to its end.
    func didWriteMarkers(_ write: MarkerWrite) {
        write.remaining -= 1
        guard write.remaining == 0, case .writeTransactionMarkers(let reply)? = coordinatorReplies.removeValue(forKey: write.token) else {
            return
        }
        answer(reply, write.response)
    }
}
