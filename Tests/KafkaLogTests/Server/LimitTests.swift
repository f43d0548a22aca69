import KafkaLog
import KafkaLogProtocol
import Testing

/// A committed offset with much metadata in each of 25 partitions: an answer of 100 KB for a request of 30 bytes.
private func prepareLargeAnswers(_ client: TestClient) throws {
    try client.createTopic("t", partitions: 25)
    _ = try client.ask(
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
}

private func join(as member: String = "") -> JoinGroupRequest {
    JoinGroupRequest {
        $0.groupID = "waiting"
        $0.sessionTimeoutMilliseconds = 60_000
        $0.rebalanceTimeoutMilliseconds = 60_000
        $0.memberID = member
        $0.protocolType = "consumer"
        $0.protocols = [.init { $0.name = "range"; $0.metadata = Bytes([1]) }]
    }
}

private let largeAnswer = OffsetFetchRequest { $0.groups = [.init { $0.groupID = "g"; $0.topics = nil }] }

@Test func answersThatWaitForAnEarlierOneCountAsThoseThatAreBeingSent() throws {
    let log = try TestLog { $0.limits.outputBytes = 300 << 10 }
    let client = try log.client(), other = try log.client()
    try prepareLargeAnswers(client)
    let before = log.server.statistics().requests["offsetFetch"] ?? 0
    // The second member waits for the first to join again, and behind it what is answered at once has to wait for it.
    let first = try other.ask(join(as: other.ask(join()).memberID))
    let second = try client.ask(join()).memberID
    try client.send(join(as: second))
    #expect(first.errorCode == .none)
    for _ in 0..<50 { try client.send(largeAnswer) }
    for _ in 0..<50 { #expect(try other.ask(ApiVersionsRequest()).errorCode == .none) }
    #expect((log.server.statistics().requests["offsetFetch"] ?? 0) - before <= 4)
    _ = try other.ask(join(as: first.memberID))
    #expect(try client.receive(JoinGroupRequest.self).response.errorCode == .none)
    for _ in 0..<50 { #expect(try client.receiveFrame().count > 100_000) }
}

@Test func whoDoesNotReadItsAnswersIsClosedWhenTheyTakeTooMuchMemoryOfAll() throws {
    let log = try TestLog {
        $0.limits.outputBytes = 256 << 20
        $0.limits.answerBytes = 2 << 20
    }
    let greedy = try log.client(), other = try log.client()
    try prepareLargeAnswers(greedy)
    #expect(throws: ConnectionClosed.self) {
        // Each has 100 KB; what the sockets take is a few megabytes.
        for _ in 0..<500 {
            try greedy.send(largeAnswer)
            _ = try other.ask(ApiVersionsRequest())
        }
    }
    #expect(log.messages.contains { $0.contains("answers that are not read exceed 2097152 bytes of memory") })
    #expect(try other.ask(largeAnswer).groups.count == 1)
}

@Test func whoTakesNothingOfItsAnswersForTooLongIsClosed() throws {
    let log = try TestLog {
        $0.limits.outputBytes = 256 << 10
        $0.limits.stalledMilliseconds = 200
    }
    let slow = try log.client(), other = try log.client()
    try prepareLargeAnswers(slow)
    for _ in 0..<500 {
        // The sockets take some; then nothing more is taken from it, and it is closed.
        do { try slow.send(largeAnswer) } catch { break }
        _ = try other.ask(ApiVersionsRequest())
        if log.messages.contains(where: { $0.contains("taken nothing of its answers for 200 ms") }) { break }
    }
    while log.server.statistics().connections > 1 { _ = try other.ask(ApiVersionsRequest()) }
    #expect(log.messages.contains { $0.contains("taken nothing of its answers for 200 ms") })
}
