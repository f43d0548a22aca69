import KafkaLogCoordination
import KafkaLogGroups
import KafkaLogProtocol
import KafkaLogTransactions

/// A request that a coordinator will answer, with what is needed to put the answer into the request's form.
enum CoordinatorReply {
    case joinGroup(Reply<JoinGroupRequest>)
    case syncGroup(Reply<SyncGroupRequest>)
    case heartbeat(Reply<HeartbeatRequest>)
    case leaveGroup(Reply<LeaveGroupRequest>)
    /// The partitions of the request that were refused before the coordinator saw them, with the order of its topics.
    case offsetCommit(Reply<OffsetCommitRequest>, OffsetCommitOutline)
    case transactionOffsetCommit(Reply<TransactionOffsetCommitRequest>, OffsetCommitOutline)
    case offsetDelete(Reply<OffsetDeleteRequest>)
    case deleteGroups(Reply<DeleteGroupsRequest>)
    case initProducerID(Reply<InitProducerIDRequest>)
    case addPartitions(Reply<AddPartitionsToTransactionRequest>, AddPartitionsToTransactionRequest)
    case addOffsets(Reply<AddOffsetsToTransactionRequest>)
    case endTransaction(Reply<EndTransactionRequest>)
    case writeTransactionMarkers(Reply<WriteTransactionMarkersRequest>)

    var connection: Connection {
        switch self {
        case .joinGroup(let reply): reply.connection
        case .syncGroup(let reply): reply.connection
        case .heartbeat(let reply): reply.connection
        case .leaveGroup(let reply): reply.connection
        case .offsetCommit(let reply, _): reply.connection
        case .transactionOffsetCommit(let reply, _): reply.connection
        case .offsetDelete(let reply): reply.connection
        case .deleteGroups(let reply): reply.connection
        case .initProducerID(let reply): reply.connection
        case .addPartitions(let reply, _): reply.connection
        case .addOffsets(let reply): reply.connection
        case .endTransaction(let reply): reply.connection
        case .writeTransactionMarkers(let reply): reply.connection
        }
    }
}

/// The topics and partitions of a commit in the order of the request, each with the error that is known already.
struct OffsetCommitOutline {
    /// The name is empty for a topic that is not known.
    var topics: [(name: String, id: WireUUID, partitions: [(index: Int32, errorCode: ErrorCode)])] = []

    /// Puts in what the coordinator says of the others.
    mutating func merge(_ results: [PartitionResult]) {
        var codes: [TopicPartition: ErrorCode] = [:]
        for result in results {
            codes[TopicPartition(result.partition.topic, result.partition.partition)] = ErrorCode(rawValue: result.error.rawValue)
        }
        for topic in topics.indices {
            for index in topics[topic].partitions.indices where topics[topic].partitions[index].errorCode == .none {
                let name = TopicPartition(topics[topic].name, topics[topic].partitions[index].index)
                topics[topic].partitions[index].errorCode = codes[name] ?? .unknownServerError
            }
        }
    }
}

extension Broker {
    /// A token under which a coordinator will answer `reply`.
    func token(for reply: CoordinatorReply) -> RequestToken {
        nextToken += 1
        let token = RequestToken(nextToken)
        coordinatorReplies[token] = reply
        return token
    }
}
