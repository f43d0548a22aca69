import KafkaLogProtocol
import KafkaLogStorage

extension Broker {
    /// Reads one request and hands it to its handler. What cannot be read, or is not spoken, ends the connection.
    func handle(_ bytes: Bytes, of connection: Connection) throws(RequestError) {
        connection.requestArrival = DurationHistogram.now
        if let login = connection.login, login.sendsBareTokens { return take(token: bytes.array, .bare(connection.reserve()), connection) }
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
        guard connection.isAuthenticated || api.isForStrangers else { throw .notAuthenticated(api) }
        // Answers keep the order of the requests: this one would wait with a Fetch that has nothing to give. librdkafka leaves a partition out of
        // its one Fetch while the queue is full, and sends something else when there is room again.
        if api != .fetch { for parked in Array(connection.parkedFetches.values) { finishFetch(parked) } }
        do {
            try dispatch(frame, api, connection)
        } catch {
            throw .malformedBody(api, header.version, error)
        }
    }

    private func dispatch(_ frame: RequestFrame, _ api: ApiKey, _ connection: Connection) throws(CodecError) {
        switch api {
        case .produce: try takeProduce(frame, connection)
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
        case .writeTransactionMarkers: try take(frame, connection, writeTransactionMarkers)
        case .transactionOffsetCommit: try take(frame, connection, transactionOffsetCommit)
        case .describeConfigs: try take(frame, connection, describeConfigs)
        case .alterConfigs: try take(frame, connection, alterConfigs)
        case .describeLogDirs: try take(frame, connection, describeLogDirs)
        case .saslHandshake: try take(frame, connection, saslHandshake)
        case .saslAuthenticate: try take(frame, connection, saslAuthenticate)
        case .createPartitions: try take(frame, connection, createPartitions)
        case .deleteGroups: try take(frame, connection, deleteGroups)
        case .incrementalAlterConfigs: try take(frame, connection, incrementalAlterConfigs)
        case .offsetDelete: try take(frame, connection, offsetDelete)
        case .describeCluster: try take(frame, connection, describeCluster)
        case .describeProducers: try take(frame, connection, describeProducers)
        case .describeTransactions: try take(frame, connection, describeTransactions)
        case .listTransactions: try take(frame, connection, listTransactions)
        case .describeTopicPartitions: try take(frame, connection, describeTopicPartitions)
        }
    }

    private func take<Request: AuthorizedRequest>(
        _ frame: RequestFrame, _ connection: Connection, _ handler: (Request, Reply<Request>) -> Void
    ) throws(CodecError) {
        var request = try frame.decode(Request.self)
        let authorization = authorize(&request, frame.header, connection)
        var reply = Reply<Request>(to: frame.header, on: connection)
        switch authorization {
        case .granted: break
        case .filtered(let amend), .restricted(let amend): reply.amend = amend
        case .refused(let response): return answer(reply, response)
        }
        handler(request, reply)
    }

    /// A Produce request may be one that gets no answer: then a refusal can only be told by closing the connection.
    private func takeProduce(_ frame: RequestFrame, _ connection: Connection) throws(CodecError) {
        var request = try frame.decode(ProduceRequest.self)
        switch authorize(&request, frame.header, connection) {
        case .granted: produce(request, frame.header, connection)
        case .filtered(let amend), .restricted(let amend):
            produce(request, frame.header, connection, amend: amend)
            if request.acknowledgements == 0 { close(connection, reason: "a record without acknowledgement is not allowed") }
        case .refused(let response):
            if request.acknowledgements == 0 { return close(connection, reason: "a record without acknowledgement is not allowed") }
            answer(Reply<ProduceRequest>(to: frame.header, on: connection), response)
        }
    }
}

/// Why a request ends its connection.
enum RequestError: Error, CustomStringConvertible {
    case malformedHeader(CodecError)
    case malformedBody(ApiKey, Int16, CodecError)
    case unknownApi(Int16)
    case unsupportedVersion(ApiKey, Int16)
    case notAuthenticated(ApiKey)

    var description: String {
        switch self {
        case .malformedHeader(let error): "a request with a malformed header: \(error)"
        case .malformedBody(let api, let version, let error): "a malformed \(api) request of version \(version): \(error)"
        case .unknownApi(let key): "a request of the unknown kind \(key)"
        case .unsupportedVersion(let api, let version):
            "\(api) of version \(version); expected \(api.versions.lowerBound) to \(api.versions.upperBound)"
        case .notAuthenticated(let api): "a \(api) request before it has logged in; expected SASL (see log.users of the daemon file)"
        }
    }
}
