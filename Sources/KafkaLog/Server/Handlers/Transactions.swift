import KafkaLogCoordination
import KafkaLogProtocol
import KafkaLogStorage
import KafkaLogTransactions

extension Broker {
    func initProducerID(_ request: InitProducerIDRequest, _ reply: Reply<InitProducerIDRequest>) {
        let current: ProducerIDAndEpoch? =
            request.producerID == -1 ? nil : ProducerIDAndEpoch(producerID: request.producerID, epoch: request.producerEpoch)
        perform(
            transactions.initProducerID(
                .init(
                    transactionalID: request.transactionalID, timeoutMilliseconds: request.transactionTimeoutMilliseconds,
                    current: current),
                token(for: .initProducerID(reply)), coordinatorTime))
    }

    /// When one of the partitions does not exist, none is added, and the others are told that they were not tried.
    ///
    /// Partition -1 of a topic that exists is agreed to and not added. librdkafka up to 2.0 asks for it when a transaction's
    /// first record came while it was learning of the topic, and with Kafka's refusal it would ask for ever and never send the record.
    func addPartitionsToTransaction(_ request: AddPartitionsToTransactionRequest, _ reply: Reply<AddPartitionsToTransactionRequest>) {
        let partitions = request.topics.flatMap { topic in topic.partitions.map { TopicPartition(topic.name, $0) } }
        let unknown = Set(partitions.filter { !exists($0) && !isPlaceholder($0) })
        guard unknown.isEmpty else {
            return answer(reply, addPartitionsResponse(request) { unknown.contains($0) ? .unknownTopicOrPartition : .operationNotAttempted })
        }
        perform(
            transactions.addPartitions(
                transactionalID: request.transactionalID,
                producer: ProducerIDAndEpoch(producerID: request.producerID, epoch: request.producerEpoch),
                partitions: partitions.filter { !isPlaceholder($0) }.map { .init($0.topic, $0.partition) },
                token(for: .addPartitions(reply, request)), coordinatorTime))
    }

    private func addPartitionsResponse(
        _ request: AddPartitionsToTransactionRequest, _ code: (TopicPartition) -> ErrorCode
    ) -> AddPartitionsToTransactionResponse {
        AddPartitionsToTransactionResponse { response in
            response.topics = request.topics.map { topic in
                .init {
                    $0.name = topic.name
                    $0.partitions = topic.partitions.map { index in
                        .init {
                            $0.index = index
                            $0.errorCode = code(TopicPartition(topic.name, index))
                        }
                    }
                }
            }
        }
    }

    func addOffsetsToTransaction(_ request: AddOffsetsToTransactionRequest, _ reply: Reply<AddOffsetsToTransactionRequest>) {
        perform(
            transactions.addOffsets(
                transactionalID: request.transactionalID,
                producer: ProducerIDAndEpoch(producerID: request.producerID, epoch: request.producerEpoch), groupID: request.groupID,
                token(for: .addOffsets(reply)), coordinatorTime))
    }

    func endTransaction(_ request: EndTransactionRequest, _ reply: Reply<EndTransactionRequest>) {
        perform(
            transactions.endTransaction(
                transactionalID: request.transactionalID,
                producer: ProducerIDAndEpoch(producerID: request.producerID, epoch: request.producerEpoch), commit: request.committed,
                token(for: .endTransaction(reply)), coordinatorTime))
    }

    /// Keeps batches that do not belong to the ongoing transaction of their producer out of a partition.
    func verifyTransaction(_ header: RecordBatchHeader, _ name: TopicPartition) throws(RequestFailure) {
        do throws(TransactionError) {
            try transactions.verify(
                ProducerIDAndEpoch(producerID: header.producerID, epoch: header.producerEpoch), .init(name.topic, name.partition))
        } catch {
            throw RequestFailure(
                ErrorCode(rawValue: error.rawValue),
                "\(name): the batch of producer \(header.producerID) and epoch \(header.producerEpoch) is not part of an ongoing transaction: \(error)")
        }
    }

    /// Answers a request of the transaction coordinator in the form that its version has.
    func answer(_ token: RequestToken, _ result: TransactionReply) {
        switch (coordinatorReplies.removeValue(forKey: token), result) {
        case (.initProducerID(let reply), .initProducerID(let result)):
            answer(reply) {
                $0.errorCode = code(result.error, knowsProducerFenced: reply.version >= 4)
                $0.producerID = result.producer.producerID
                $0.producerEpoch = result.producer.epoch
            }
        case (.addPartitions(let reply, let request), .addPartitions(let error)):
            let code = code(error, knowsProducerFenced: reply.version >= 2)
            answer(reply, addPartitionsResponse(request) { _ in code })
        case (.addOffsets(let reply), .addOffsets(let error)):
            answer(reply) { $0.errorCode = code(error, knowsProducerFenced: reply.version >= 2) }
        case (.endTransaction(let reply), .endTransaction(let error)):
            answer(reply) { $0.errorCode = code(error, knowsProducerFenced: reply.version >= 2) }
        case (nil, _): break
        case (_?, _): preconditionFailure("the transaction coordinator gave a request the answer of another")
        }
    }

    private func code(_ error: TransactionError, knowsProducerFenced: Bool) -> ErrorCode {
        ErrorCode(rawValue: error.forClient(knowsProducerFenced: knowsProducerFenced).rawValue)
    }

    func describeTransactions(_ request: DescribeTransactionsRequest, _ reply: Reply<DescribeTransactionsRequest>) {
        answer(reply) { response in
            response.transactions = request.transactionalIDs.unique.map { id in
                let found = transactions.describe(transactionalID: id)
                return .init {
                    $0.errorCode = ErrorCode(rawValue: found.error.rawValue)
                    $0.transactionalID = id
                    guard found.error == .none else { return }
                    $0.transactionState = found.state.rawValue
                    $0.transactionTimeoutMilliseconds = found.timeoutMilliseconds
                    $0.transactionStartTimeMilliseconds = found.startTimestamp
                    $0.producerID = found.producer.producerID
                    $0.producerEpoch = found.producer.epoch
                    $0.topics = Dictionary(grouping: found.partitions, by: \.topic).sorted { $0.key < $1.key }.map { topic, partitions in
                        .init {
                            $0.name = topic
                            $0.partitions = partitions.map(\.partition)
                        }
                    }
                }
            }
        }
    }

    func listTransactions(_ request: ListTransactionsRequest, _ reply: Reply<ListTransactionsRequest>) {
        let known = Set(TransactionState.allCases.map(\.rawValue))
        let now = coordinatorTime.wallMilliseconds
        answer(reply) { response in
            response.unknownStateFilters = request.stateFilters.filter { !known.contains($0) }
            response.transactions = transactions.list()
                .filter { request.stateFilters.isEmpty || request.stateFilters.contains($0.state.rawValue) }
                .filter { request.producerIDFilters.isEmpty || request.producerIDFilters.contains($0.producerID) }
                .filter { transaction in
                    request.durationFilterMilliseconds < 0
                        || transaction.startTimestamp >= 0 && now - transaction.startTimestamp > request.durationFilterMilliseconds
                }
                .map { transaction in
                    .init {
                        $0.transactionalID = transaction.transactionalID
                        $0.producerID = transaction.producerID
                        $0.transactionState = transaction.state.rawValue
                    }
                }
        }
    }

    private func isPlaceholder(_ name: TopicPartition) -> Bool { name.partition == -1 && directory.topics[name.topic] != nil }

    func exists(_ name: TopicPartition) -> Bool {
        directory.topics[name.topic].map { (0..<$0.partitionCount).contains(name.partition) } ?? false
    }
}
