import Foundation
import KafkaLogProtocol
import KafkaLogStorage

/// Valid inputs to begin with: every request in every version with empty fields, as Kafka's definitions encode it with all fields
/// set, and the ones below, which mean something to a broker that has seen `preparation`.
enum Seeds {
    static let question = request(ApiVersionsRequest(), version: 0)

    static let preparation: [[UInt8]] = [
        request(
            CreateTopicsRequest { $0.topics = [.init { $0.name = "t"; $0.numPartitions = 2; $0.replicationFactor = 1 }] }, version: 5),
        request(initProducerID("x"), version: 4),
    ]

    static func request(_ message: some RequestMessage, version: Int16) -> [UInt8] {
        do {
            return try message.bytes(version: version)
        } catch {
            finding("a seed cannot be written: \(error)")
        }
    }

    static func batch(producer: Int64 = -1, isTransactional: Bool = false) -> [UInt8] {
        RecordBatchBuilder(
            producerID: producer, producerEpoch: producer < 0 ? -1 : 0, baseSequence: producer < 0 ? -1 : 0, isTransactional: isTransactional
        ).build([
            Record(timestamp: 1_700_000_000_000, key: [1], value: [2, 3], headers: [.init(name: "h", value: [4])]),
            Record(timestamp: 1_700_000_000_001, key: nil, value: nil),
        ])
    }

    private static func initProducerID(_ id: String?) -> InitProducerIDRequest {
        InitProducerIDRequest {
            $0.transactionalID = id
            $0.transactionTimeoutMilliseconds = 60_000
        }
    }

    private static func produce(_ batch: [UInt8]) -> ProduceRequest {
        ProduceRequest {
            $0.acknowledgements = -1
            $0.timeoutMilliseconds = 100
            $0.topics = [.init { $0.name = "t"; $0.partitions = [.init { $0.index = 0; $0.records = .bytes(Bytes(batch)) }] }]
        }
    }

    /// Requests by kind, each written in all its versions.
    private static var meaningful: [any RequestMessage] {
        [
            produce(batch()), produce(batch(producer: 5)), produce(batch(producer: 0, isTransactional: true)),
            FetchRequest {
                $0.maxBytes = 1 << 20
                $0.isolationLevel = 1
                $0.topics = [.init { $0.name = "t"; $0.partitions = [.init { $0.index = 0; $0.partitionMaxBytes = 1 << 20 }] }]
            },
            ListOffsetsRequest {
                $0.topics = [.init { $0.name = "t"; $0.partitions = [.init { $0.index = 0; $0.timestamp = 1_700_000_000_001 }] }]
            },
            MetadataRequest { $0.topics = [.init { $0.name = "t" }] },
            OffsetCommitRequest {
                $0.groupID = "g"
                $0.topics = [.init { $0.name = "t"; $0.partitions = [.init { $0.index = 1; $0.committedMetadata = "m" }] }]
            },
            OffsetFetchRequest {
                $0.groupID = "g"
                $0.topics = [.init { $0.name = "t"; $0.partitionIndexes = [0, 1] }]
                $0.groups = [.init { $0.groupID = "g"; $0.topics = nil }]
            },
            JoinGroupRequest {
                $0.groupID = "j"
                $0.groupInstanceID = "i"
                $0.sessionTimeoutMilliseconds = 6_000
                $0.protocolType = "consumer"
                $0.protocols = [.init { $0.name = "range"; $0.metadata = Bytes([0, 1, 0, 0, 0, 1, 0, 1, 0x74]) }]
            },
            DescribeGroupsRequest { $0.groups = ["g", "j"] },
            DeleteRecordsRequest { $0.topics = [.init { $0.name = "t"; $0.partitions = [.init { $0.index = 0; $0.offset = -1 }] }] },
            initProducerID(nil), initProducerID("x"),
            AddPartitionsToTransactionRequest {
                $0.transactionalID = "x"
                $0.producerID = 0
                $0.topics = [.init { $0.name = "t"; $0.partitions = [0, 1] }]
            },
            AddOffsetsToTransactionRequest { $0.transactionalID = "x"; $0.producerID = 0; $0.groupID = "g" },
            TransactionOffsetCommitRequest {
                $0.transactionalID = "x"
                $0.groupID = "g"
                $0.producerID = 0
                $0.topics = [.init { $0.name = "t"; $0.partitions = [.init { $0.index = 0 }] }]
            },
            EndTransactionRequest { $0.transactionalID = "x"; $0.producerID = 0; $0.committed = true },
            DescribeConfigsRequest { $0.resources = [.init { $0.resourceType = 2; $0.resourceName = "t" }] },
            IncrementalAlterConfigsRequest {
                $0.resources = [
                    .init { $0.resourceType = 2; $0.resourceName = "t"; $0.configs = [.init { $0.name = "segment.bytes"; $0.value = "1024" }] }
                ]
            },
            CreatePartitionsRequest { $0.topics = [.init { $0.name = "t"; $0.count = 3 }] },
            DescribeTransactionsRequest { $0.transactionalIDs = ["x"] },
        ]
    }

    static var requests: [[UInt8]] {
        var seeds: [[UInt8]] = []
        for message in meaningful {
            for version in type(of: message).versions { seeds.append(request(message, version: version)) }
        }
        for api in ApiKey.allCases {
            for version in api.versions { seeds.append(empty(api.request, version)) }
        }
        return seeds + golden
    }

    /// A transaction from its begin to its end, and half a request.
    static var conversations: [[UInt8]] {
        let transaction: [any RequestMessage] = [
            AddPartitionsToTransactionRequest {
                $0.transactionalID = "x"
                $0.producerID = 0
                $0.topics = [.init { $0.name = "t"; $0.partitions = [0] }]
            },
            produce(batch(producer: 0, isTransactional: true)),
            EndTransactionRequest { $0.transactionalID = "x"; $0.producerID = 0; $0.committed = true },
        ]
        return [
            Array(transaction.map { request($0, version: 3) }.joined(separator: BrokerFuzzer.separator)),
            [0xff, 0, 0, 0, 9, 0, 18, 0, 0],
        ]
    }

    private static func empty<Request: RequestMessage>(_ type: Request.Type, _ version: Int16) -> [UInt8] {
        request(Request(), version: version)
    }

    /// The requests among the golden messages of the tests, with a header before each.
    private static var golden: [[UInt8]] {
        guard let text = try? String(contentsOfFile: "Tests/KafkaLogTests/Protocol/GoldenMessages.swift", encoding: .utf8) else {
            finding("run it from the package's folder")
        }
        return text.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: " ")
            guard parts.count == 4, parts[1] == "q", let key = Int16(parts[0]), let version = Int16(parts[2]), let api = ApiKey(rawValue: key)
            else { return nil }
            let header = [UInt8(key >> 8), UInt8(key & 0xff), 0, UInt8(version), 0, 0, 0, 1, 0, 1, 0x66]
            return header + (api.isFlexible(version) ? [0] : []) + bytes(parts[3])
        }
    }

    private static func bytes(_ hexadecimal: Substring) -> [UInt8] {
        let digits = hexadecimal.utf8.map { UInt8($0 > 0x39 ? $0 - 0x57 : $0 - 0x30) }
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}

/// Writes the inputs that `target` begins with, a file each.
func writeSeeds(of target: FuzzTarget, to path: String) throws {
    var seeds: [[UInt8]]
    switch target {
    case .requests: seeds = Seeds.requests
    case .broker: seeds = Seeds.requests + Seeds.conversations
    case .batches:
        seeds = [Seeds.batch(), Seeds.batch(producer: 5), Seeds.batch(producer: 5, isTransactional: true)].flatMap { batch in
            [UInt8(0), 1, 2, 6, 8].map { [$0] + batch }
        }
    case .files: seeds = try fileSeeds()
    }
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    for (index, seed) in seeds.enumerated() { try Data(seed).write(to: URL(fileURLWithPath: "\(path)/seed-\(index)")) }
}

/// The files of a real directory, each under the byte that names its kind.
private func fileSeeds() throws -> [[UInt8]] {
    let root = scratchDirectory("seeds")
    defer { try? FileManager.default.removeItem(atPath: root) }
    try FileFuzzer.makeTemplate(root)
    func contents(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: root + "/" + path))) }
    let segment = "topics/t-0/00000000000000000000"
    let journal = try contents("journals/coordinators.journal")
    var seeds: [[UInt8]] = [
        [0] + journal, [1] + journal.dropFirst(20), [2] + (try contents(segment + ".log")), [3] + (try contents(segment + ".index")),
        [4] + (try contents(segment + ".timeindex")), [6] + (try contents(segment + ".txnindex")),
    ]
    for name in try FileManager.default.contentsOfDirectory(atPath: root + "/topics/t-0").sorted() where name.hasSuffix(".snapshot") {
        seeds.append([5] + (try contents("topics/t-0/" + name)).dropFirst(18))
    }
    return seeds + Seeds.coordinatorEntries.map { [7, UInt8($0.key.count)] + $0.key + $0.value }
}
