import Foundation
import Glibc
import KafkaLogProtocol
import KafkaLogStorage

struct ConnectionClosed: Error {}

/// A client that says exactly what a test wants, byte for byte, and blocks for the answer.
final class TestClient {
    private let descriptor: Int32
    private var nextCorrelationID: Int32 = 0

    /// - Parameter receiveBuffer: bytes that the kernel keeps of what is not read; nil leaves that to the kernel (megabytes).
    init(port: UInt16, receiveBuffer: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var receiveBuffer { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout<Int32>.size)) }
        var limit = timeval(tv_sec: 40, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw ConnectionClosed() }
    }

    deinit { close(descriptor) }

    /// Sends bytes as they are.
    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw ConnectionClosed() }
            sent += count
        }
    }

    /// Sends a request and does not wait.
    @discardableResult
    func send<Request: RequestMessage>(_ request: Request, version: Int16? = nil) throws -> Int32 {
        nextCorrelationID += 1
        let version = version ?? TestClient.version(of: Request.self)
        try send(bytes(try request.frame(version: version, correlationID: nextCorrelationID, clientID: "test")))
        return nextCorrelationID
    }

    /// The newest version; of those in which topics go by id, the newest in which they go by name.
    static func version<Request: RequestMessage>(of type: Request.Type) -> Int16 {
        switch Request.api {
        case .fetch: 12
        case .offsetCommit, .offsetFetch: 9
        default: Request.versions.upperBound
        }
    }

    private func bytes(_ pieces: [OutputPiece]) -> [UInt8] {
        pieces.flatMap { piece -> [UInt8] in
            guard case .bytes(let bytes) = piece else { return [] }
            return bytes
        }
    }

    private func read(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var got = 0
        while got < count {
            let more = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + got, count - got, 0) }
            guard more > 0 else { throw ConnectionClosed() }
            got += more
        }
        return bytes
    }

    /// The next answer without its length.
    func receiveFrame() throws -> [UInt8] {
        let prefix = try read(4)
        return try read(prefix.reduce(0) { $0 << 8 | Int($1) })
    }

    func receive<Request: RequestMessage>(
        _ type: Request.Type, version: Int16? = nil
    ) throws -> (correlationID: Int32, response: Request.Response) {
        try Request.response(from: Bytes(try receiveFrame()), version: version ?? TestClient.version(of: Request.self))
    }

    /// Sends a request and waits for its answer.
    func ask<Request: RequestMessage>(_ request: Request, version: Int16? = nil) throws -> Request.Response {
        let correlationID = try send(request, version: version)
        let (answered, response) = try receive(Request.self, version: version)
        guard answered == correlationID else { throw ConnectionClosed() }
        return response
    }

    /// Whether the server has closed the connection, waiting for it to do so.
    var isClosedByServer: Bool {
        var byte: UInt8 = 0
        while true {
            let count = recv(descriptor, &byte, 1, 0)
            if count == 0 { return true }
            if count < 0 { return errno == ECONNRESET }
        }
    }
}

/// What tests ask for again and again.
extension TestClient {
    func createTopic(_ name: String, partitions: Int32 = 1) throws {
        let response = try ask(
            CreateTopicsRequest { $0.topics = [.init { $0.name = name; $0.numPartitions = partitions; $0.replicationFactor = 1 }] })
        guard response.topics[0].errorCode == .none else { throw ConnectionClosed() }
    }

    static func batch(
        _ values: [String], producer: (id: Int64, epoch: Int16, sequence: Int32) = (-1, -1, -1), isTransactional: Bool = false,
        timestamp: Int64 = 1_700_000_000_000
    ) -> [UInt8] {
        RecordBatchBuilder(
            producerID: producer.id, producerEpoch: producer.epoch, baseSequence: producer.sequence, isTransactional: isTransactional
        ).build(values.enumerated().map { Record(timestamp: timestamp + Int64($0.offset), key: nil, value: Array($0.element.utf8)) })
    }

    static func produceRequest(_ batch: [UInt8], _ topic: String, _ partition: Int32 = 0, acknowledgements: Int16 = -1) -> ProduceRequest {
        ProduceRequest {
            $0.acknowledgements = acknowledgements
            $0.timeoutMilliseconds = 15_000
            $0.topics = [.init { $0.name = topic; $0.partitions = [.init { $0.index = partition; $0.records = .bytes(Bytes(batch)) }] }]
        }
    }

    func produce(_ batch: [UInt8], _ topic: String, _ partition: Int32 = 0) throws -> ProduceResponse.Topic.Partition {
        try ask(TestClient.produceRequest(batch, topic, partition)).topics[0].partitions[0]
    }

    static func fetchRequest(
        _ topic: String, _ partition: Int32 = 0, from offset: Int64, wait: Int32 = 0, minimumBytes: Int32 = 1, readCommitted: Bool = false
    ) -> FetchRequest {
        FetchRequest {
            $0.maxWaitMilliseconds = wait
            $0.minBytes = minimumBytes
            $0.isolationLevel = readCommitted ? 1 : 0
            $0.topics = [
                .init {
                    $0.name = topic
                    $0.partitions = [.init { $0.index = partition; $0.fetchOffset = offset; $0.partitionMaxBytes = 1 << 20 }]
                }
            ]
        }
    }

    func fetch(
        _ topic: String, _ partition: Int32 = 0, from offset: Int64 = 0, readCommitted: Bool = false
    ) throws -> FetchResponse.Topic.Partition {
        try ask(TestClient.fetchRequest(topic, partition, from: offset, readCommitted: readCommitted)).topics[0].partitions[0]
    }
}

extension Records {
    /// The values of the data records in received batches, and the producer of each batch beside them.
    var values: [String] { batches.flatMap(\.values) }

    var batches: [(header: RecordBatchHeader, values: [String])] {
        guard case .bytes(let bytes) = self else { return [] }
        return bytes.withUnsafeBytes { raw in
            var result: [(RecordBatchHeader, [String])] = []
            var position = 0
            while let header = try? RecordBatchHeader(UnsafeRawBufferPointer(rebasing: raw[position...])),
                position + header.totalSize <= raw.count
            {
                var values: [String] = []
                if !header.isControl, var records = try? RecordIterator(batch: Array(raw[position..<position + header.totalSize])) {
                    while let record = try? records.next() { values.append(String(decoding: record.value ?? [], as: UTF8.self)) }
                }
                result.append((header, values))
                position += header.totalSize
                if position >= raw.count { break }
            }
            return result
        }
    }
}
