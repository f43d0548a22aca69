import Glibc
import KafkaLog
import KafkaLogProtocol
import Testing

/// A request of the given kind and version with client id "h", its body as it is.
private func frame(_ key: Int16, _ version: Int16, flexible: Bool, _ body: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = [UInt8(key >> 8), UInt8(key & 0xff), 0, UInt8(version), 0, 0, 0, 1, 0, 1, 0x68]
    if flexible { bytes.append(0) }
    bytes += body
    return withUnsafeBytes(of: Int32(bytes.count).bigEndian) { [UInt8]($0) } + bytes
}

private struct Lie: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let frame: [UInt8]

    init(_ description: String, _ key: Int16, _ version: Int16, flexible: Bool, _ body: [UInt8]) {
        testDescription = description
        frame = KafkaLogServerTests.frame(key, version, flexible: flexible, body)
    }

    static let all = [
        Lie("an array of two billion", 3, 1, flexible: false, [0x7f, 0xff, 0xff, 0xff, 0, 1, 0x74]),
        Lie("a compact array of four billion", 3, 9, flexible: true, [0xff, 0xff, 0xff, 0xff, 0x0f, 2, 0x74, 0]),
        Lie("an array of minus two", 3, 1, flexible: false, [0xff, 0xff, 0xff, 0xfe]),
        Lie("a null array where none may be", 42, 0, flexible: false, [0xff, 0xff, 0xff, 0xff]),
        Lie("a text of minus two", 12, 0, flexible: false, [0xff, 0xfe, 0, 0, 0, 0, 0, 0]),
        Lie("a text longer than the request", 12, 0, flexible: false, [0x7f, 0xff, 0x67]),
        Lie("an unsigned varint of ten bytes", 3, 9, flexible: true, [UInt8](repeating: 0xff, count: 9) + [1]),
        Lie("a varint that does not end", 3, 9, flexible: true, [0x80, 0x80]),
        Lie("four billion tagged fields", 18, 3, flexible: true, [2, 0x61, 2, 0x62, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        Lie("a tagged field longer than the request", 18, 3, flexible: true, [2, 0x61, 2, 0x62, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x07]),
        Lie("a tagged field that reaches into the next", 1, 12, flexible: true, Lie.emptyFetch + [2, 0, 9, 2, 0x63, 1, 0]),
        Lie("a known tagged field with bytes to spare", 1, 12, flexible: true, Lie.emptyFetch + [1, 0, 4, 2, 0x63, 0, 0]),
        Lie("records longer than the request", 0, 3, flexible: false, [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0x74, 0, 0, 0, 1, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff]),
    ]

    /// Replica -1, no waiting, 1 byte, 1 MiB, uncommitted, no session, no topics, none forgotten, no rack; then come the tagged fields.
    static let emptyFetch: [UInt8] =
        [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 1, 1]
}

@Test func everyLieOfARequestEndsItsConnectionAloneWithAReason() throws {
    let log = try TestLog()
    let healthy = try log.client()
    for (number, lie) in Lie.all.enumerated() {
        let client = try log.client()
        try client.send(lie.frame)
        #expect(client.isClosedByServer, "\(lie.testDescription)")
        #expect(log.server.statistics().malformedRequests == UInt64(number) + 1, "\(lie.testDescription)")
        #expect(log.messages.last { $0.hasPrefix("connection closed") }?.contains("malformed") == true, "\(lie.testDescription)")
        #expect(try healthy.ask(ApiVersionsRequest()).errorCode == .none, "\(lie.testDescription)")
    }
}

@Test func taggedFieldsMayBeUnknownAndComeTwice() throws {
    let log = try TestLog()
    let client = try log.client()
    // Cluster id (tag 0) twice, then an unknown one with another within it that lies: nobody looks into it.
    let tags: [UInt8] = [3, 0, 2, 2, 0x61, 0, 2, 2, 0x62, 9, 3, 1, 0, 0xff]
    try client.send(frame(1, 12, flexible: true, Lie.emptyFetch + tags))
    let answer = try client.receive(FetchRequest.self, version: 12)
    #expect(answer.response.errorCode == .none)
}

@Test func halfARequestAndSilenceIsClosed() throws {
    let log = try TestLog { $0.limits.idleMilliseconds = 200 }
    let client = try log.client()
    try client.send([0, 0, 0, 100, 0, 18, 0, 0])
    #expect(client.isClosedByServer)
    #expect(log.messages.contains { $0.contains("reason=idle") })
}

@Test func aRequestThatComesAByteAtATimeIsClosed() throws {
    let log = try TestLog {
        $0.limits.idleMilliseconds = 60_000
        $0.limits.requestMilliseconds = 200
    }
    let slow = try log.client(), healthy = try log.client()
    try slow.send([0, 0, 0x10, 0])
    var sent = 0
    // The pace is what is tested: every byte is a sign of life.
    while sent < 4_000, (try? slow.send([0])) != nil {
        sent += 1
        #expect(try healthy.ask(ApiVersionsRequest()).errorCode == .none)
        usleep(1_000)
    }
    #expect(sent < 4_000)
    #expect(log.messages.contains { $0.contains("a request was not here in whole after 200 ms") })
    #expect(try healthy.ask(ApiVersionsRequest()).errorCode == .none)
}

@Test func theLargestOfTooManyBytesUnderWayGoesAndNotTheNextOne() throws {
    let log = try TestLog { $0.limits.receivedBytes = 4 << 20 }
    let hog = try log.client(), other = try log.client()
    try hog.send([0, 0x40, 0, 0] + [UInt8](repeating: 0, count: 3 << 20))
    // Two megabytes of another client push it over the limit: a record that is refused for its size, but received.
    let response = try other.ask(TestClient.produceRequest(TestClient.batch([String(repeating: "x", count: 2 << 20)]), "t"))
    #expect(response.topics[0].partitions[0].errorCode == .unknownTopicOrPartition)
    #expect(hog.isClosedByServer)
    #expect(log.messages.contains { $0.contains("requests under way exceed 4194304 bytes of memory") })
}
