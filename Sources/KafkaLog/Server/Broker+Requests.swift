import KafkaLogProtocol
import KafkaLogStorage

extension Broker {
    /// Reads one request and hands it to its handler. What cannot be read, or is not spoken, ends the connection.
    func handle(_ bytes: Bytes, of connection: Connection) throws(RequestError) {
        connection.requestArrival = DurationHistogram.now
        let frame: RequestFrame
        do {
            frame = try RequestFrame(bytes)
        } catch {
            throw .malformedHeader(error)
        }
        let header = frame.header
        if let clientID = header.clientID, clientID != connection.clientID { connection.clientID = clientID }
        guard let api = frame.api else { throw .unknownApi(header.key) }
        counters.requests[api, default: 0] &+= 1
        guard frame.isSupported else {
            guard api == .apiVersions else { throw .unsupportedVersion(api, header.version) }
            return answerUnsupportedApiVersions(header, connection)
        }
        do {
            try dispatch(frame, api, connection)
        } catch {
            throw .malformedBody(api, header.version, error)
        }
    }

    private func dispatch(_ frame: RequestFrame, _ api: ApiKey, _ connection: Connection) throws(CodecError) {
        switch api {
        case .produce: produce(try frame.decode(ProduceRequest.self), frame.header, connection)
        case .fetch: try take(frame, connection, fetch)
        case .listOffsets: try take(frame, connection, listOffsets)
        case .metadata: try take(frame, connection, metadata)
        case .offsetCommit: try take(frame, connection, offsetCommit)
        case .offsetFetch: try take(frame, connection, offsetFetch)
        case .findCoordinator: try take(frame, connection, findCoordinator)
        case .joinGroup: try take(frame, connection, joinGroup)
        case .heartbeat: try take(frame, connection, heartbeat)
        case .leaveGroup: try take(frame, connection, leaveGroup)
        case .syncGroup: try take(frame, connection, syncGroup)
        case .describeGroups: try take(frame, connection, describeGroups)
        case .listGroups: try take(frame, connection, listGroups)
        case .apiVersions:
            try take(frame, connection) { (_: ApiVersionsRequest, reply) in answer(reply, apiVersions()) }
        case .createTopics: try take(frame, connection, createTopics)
        case .deleteTopics: try take(frame, connection, deleteTopics)
        case .deleteRecords: try take(frame, connection, deleteRecords)
        case .initProducerID: try take(frame, connection, initProducerID)
        case .offsetForLeaderEpoch: try take(frame, connection, offsetForLeaderEpoch)
        case .addPartitionsToTransaction: try take(frame, connection, addPartitionsToTransaction)
        case .addOffsetsToTransaction: try take(frame, connection, addOffsetsToTransaction)
        case .endTransaction: try take(frame, connection, endTransaction)
        case .transactionOffsetCommit: try take(frame, connection, transactionOffsetCommit)
        case .describeConfigs: try take(frame, connection, describeConfigs)
        case .createPartitions: try take(frame, connection, createPartitions)
        case .deleteGroups: try take(frame, connection, deleteGroups)
        case .incrementalAlterConfigs: try take(frame, connection, incrementalAlterConfigs)
        case .offsetDelete: try take(frame, connection, offsetDelete)
        case .describeCluster: try take(frame, connection, describeCluster)
        case .describeTransactions: try take(frame, connection, describeTransactions)
        case .listTransactions: try take(frame, connection, listTransactions)
        }
    }

    private func take<Request: RequestMessage>(
        _ frame: RequestFrame, _ connection: Connection, _ handler: (Request, Reply<Request>) -> Void
    ) throws(CodecError) {
        let request = try frame.decode(Request.self)
        handler(request, Reply(to: frame.header, on: connection))
    }
}

/// Why a request ends its connection.
enum RequestError: Error, CustomStringConvertible {
    case malformedHeader(CodecError)
    case malformedBody(ApiKey, Int16, CodecError)
    case unknownApi(Int16)
    case unsupportedVersion(ApiKey, Int16)

    var description: String {
        switch self {
        case .malformedHeader(let error): "a request with a malformed header: \(error)"
        case .malformedBody(let api, let version, let error): "a malformed \(api) request of version \(version): \(error)"
        case .unknownApi(let key): "a request of the unknown kind \(key)"
        case .unsupportedVersion(let api, let version):
            "\(api) of version \(version); expected \(api.versions.lowerBound) to \(api.versions.upperBound)"
        }
    }
}
