import Foundation
import KafkaLog
import KafkaLogProtocol
import Seeded
import Testing

/// One request of each kind, in its newest version, with its fields left empty or small.
private func sampleFrames() throws -> [[UInt8]] {
    func frame<Request: RequestMessage>(_ type: Request.Type) throws -> [UInt8] {
        try Request().frame(version: Request.versions.upperBound, correlationID: 1, clientID: "hostile").flatMap { piece -> [UInt8] in
            guard case .bytes(let bytes) = piece else { return [] }
            return bytes
        }
    }
    func bytes(_ pieces: [OutputPiece]) -> [UInt8] {
        pieces.flatMap { piece -> [UInt8] in
            guard case .bytes(let bytes) = piece else { return [] }
            return bytes
        }
    }
    return try ApiKey.allCases.map { try frame($0.request) } + [
        bytes(try TestClient.produceRequest(TestClient.batch(["a", "b"]), "t").frame(version: 9, correlationID: 1, clientID: "hostile")),
        bytes(try TestClient.fetchRequest("t", from: 0).frame(version: 12, correlationID: 1, clientID: "hostile")),
        bytes(
            try JoinGroupRequest {
                $0.groupID = "g"
                $0.sessionTimeoutMilliseconds = 10_000
                $0.protocolType = "consumer"
                $0.protocols = [.init { $0.name = "range"; $0.metadata = Bytes([1, 2, 3]) }]
            }.frame(version: 5, correlationID: 1, clientID: "hostile")),
    ]
}

/// What the fuzzer has found worth keeping (scripts/fuzz.sh): requests without their length.
private func corpus(_ file: String = #filePath) -> [[UInt8]] {
    let folder = URL(fileURLWithPath: file).deletingLastPathComponent().appending(path: "../../Fuzz/corpus/broker")
    let files = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
    return files.sorted { $0.path < $1.path }.compactMap { try? Data(contentsOf: $0) }.filter { !$0.isEmpty }.map { contents in
        withUnsafeBytes(of: Int32(contents.count).bigEndian) { [UInt8]($0) } + contents
    }
}

/// `MILLRACE_FUZZ_ROUNDS` and `MILLRACE_FUZZ_SEED` make it longer and other; the coverage-guided one is scripts/fuzz.sh.
@Test func mutatedRequestsHarmNobodyElse() throws {
    let environment = ProcessInfo.processInfo.environment
    let seed = environment["MILLRACE_FUZZ_SEED"].flatMap { UInt64($0) } ?? 0x05ca_1ab1e
    let rounds = environment["MILLRACE_FUZZ_ROUNDS"].flatMap { Int($0) } ?? 10_000
    var random = SplitMix64(seed: seed)
    let log = try TestLog {
        $0.limits.partitions = 200
        $0.groups.minimumSessionTimeoutMilliseconds = 1
        $0.retentionCheckMilliseconds = 50
    }
    let healthy = try log.client()
    try healthy.createTopic("t")
    let samples = try sampleFrames() + corpus()
    #expect(samples.count > 100, "the corpus is not where it was")
    for round in 0..<rounds {
        var frame = samples[Int(random.next() % UInt64(samples.count))]
        for _ in 0..<Int(random.next() % 5) {
            let index = Int(random.next() % UInt64(frame.count))
            switch random.next() % 6 {
            case 0: frame[index] = UInt8(truncatingIfNeeded: random.next())
            case 1: frame[index] = 0xff
            case 2: frame[index] = 0x7f
            case 3: frame.insert(UInt8(truncatingIfNeeded: random.next()), at: index)
            case 4: frame.insert(contentsOf: frame[index...].prefix(Int(random.next() % 32)), at: index)
            default: if frame.count > 1 { frame.remove(at: index) }
            }
        }
        // Mostly with a length that is right, or nothing but the length would be tried.
        if random.next() % 8 != 0, frame.count > 4 {
            frame.replaceSubrange(..<4, with: withUnsafeBytes(of: Int32(frame.count - 4).bigEndian) { [UInt8]($0) })
        }
        let client = try log.client()
        try? client.send(frame)
        if round % 50 == 0 {
            #expect(try healthy.ask(ApiVersionsRequest()).errorCode == .none, "seed \(seed), round \(round)")
        }
    }
    // What was stored meanwhile can be started on.
    try log.restart()
    #expect(log.server.status == .ready, "seed \(seed)")
    let other = try log.client()
    try other.createTopic("new")
    #expect(try other.produce(TestClient.batch(["still here"]), "new").errorCode == .none, "seed \(seed)")
}

@Test(arguments: [[0x7f, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0xff], [0, 0, 0, 0], [0, 0x10, 0, 1]] as [[UInt8]])
func aRequestWithAnImpossibleLengthEndsItsConnection(length: [UInt8]) throws {
    let log = try TestLog { $0.limits.requestBytes = 1 << 20 }
    let client = try log.client()
    try client.send(length + [0, 18, 0, 0])
    #expect(client.isClosedByServer)
    #expect(log.messages.contains { $0.contains("expected 1 to 1048576") })
    #expect(try log.client().ask(ApiVersionsRequest()).errorCode == .none)
}

@Test func aBodyThatEndsEarlyEndsItsConnectionWithAReason() throws {
    let log = try TestLog()
    let client = try log.client()
    // Metadata v1 that announces two billion topics.
    try client.send([0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff])
    #expect(client.isClosedByServer)
    #expect(log.messages.contains { $0.contains("malformed metadata request of version 1") })
    #expect(log.server.statistics().malformedRequests == 1)
}

@Test func connectionsBeyondTheLimitAreRefused() throws {
    let log = try TestLog { $0.limits.connections = 2 }
    let first = try log.client(), second = try log.client()
    _ = try first.ask(ApiVersionsRequest())
    _ = try second.ask(ApiVersionsRequest())
    #expect(try log.client().isClosedByServer)
    #expect(try first.ask(ApiVersionsRequest()).errorCode == .none)
}

@Test func anIdleConnectionIsClosed() throws {
    let log = try TestLog { $0.limits.idleMilliseconds = 100 }
    #expect(try log.client().isClosedByServer)
    #expect(log.messages.contains { $0.contains("reason=idle") })
}

@Test func aClientThatDoesNotReadIsNotServedFurther() throws {
    let log = try TestLog { $0.limits.outputBytes = 64 << 10 }
    let slow = try log.client(), other = try log.client()
    // Each answer has 100 KB; the sockets' buffers take a few megabytes, what is beyond them has to stay unasked.
    try slow.createTopic("t", partitions: 25)
    _ = try slow.ask(
        OffsetCommitRequest {
            $0.groupID = "g"
            $0.topics = [
                .init {
                    $0.name = "t"
                    $0.partitions = (Int32(0)..<25).map { index in
                        .init {
                            $0.index = index
                            $0.committedMetadata = String(repeating: "m", count: 4000)
                        }
                    }
                }
            ]
        })
    let count = 200
    let request = OffsetFetchRequest { $0.groups = [.init { $0.groupID = "g"; $0.topics = nil }] }
    for _ in 0..<count { try slow.send(request) }
    for _ in 0..<50 { #expect(try other.ask(ApiVersionsRequest()).errorCode == .none) }
    #expect(log.server.statistics().requests["offsetFetch"] ?? 0 < count)
    for _ in 0..<count { _ = try slow.receiveFrame() }
}
