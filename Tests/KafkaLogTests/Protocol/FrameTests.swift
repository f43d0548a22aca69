import KafkaLogProtocol
import Testing

@Test func aRequestIsFramedAsKafkaDoes() throws {
    let request = MetadataRequest {
        $0.topics = [.init { $0.name = "t" }]
        $0.allowAutoTopicCreation = false
    }
    #expect(
        joined(try request.frame(version: 4, correlationID: 7, clientID: "me"))
            == [0, 0, 0, 20, 0, 3, 0, 4, 0, 0, 0, 7, 0, 2, 0x6d, 0x65, 0, 0, 0, 1, 0, 1, 0x74, 0])
    // Flexible: the client id keeps its two-byte length, tags end header, topic and body.
    #expect(
        joined(try request.frame(version: 9, correlationID: 7, clientID: nil))
            == [0, 0, 0, 19, 0, 3, 0, 9, 0, 0, 0, 7, 0xff, 0xff, 0, 2, 2, 0x74, 0, 0, 0, 0, 0])
}

@Test func aRequestComesBackFromItsFrame() throws {
    let request = HeartbeatRequest {
        $0.groupID = "group"
        $0.generation = 3
        $0.memberID = "member"
        $0.groupInstanceID = "instance"
    }
    for version in HeartbeatRequest.versions {
        let frame = try RequestFrame(Bytes(joined(try request.frame(version: version, correlationID: -5, clientID: "c")).dropFirst(4)))
        #expect(frame.header == RequestHeader(key: 12, version: version, correlationID: -5, clientID: "c"))
        #expect(frame.api == .heartbeat && frame.isSupported)
        var expected = request
        if version < 3 { expected.groupInstanceID = nil }
        #expect(try frame.decode(HeartbeatRequest.self) == expected)
    }
}

@Test func theAnswerToApiVersionsHasNoTagsInItsHeader() throws {
    let response = ApiVersionsResponse { $0.apiKeys = [.init { $0.apiKey = 18; $0.maxVersion = 3 }] }
    #expect(
        joined(try ApiVersionsRequest.frame(response, version: 3, correlationID: 1))
            == [0, 0, 0, 19, 0, 0, 0, 1, 0, 0, 2, 0, 18, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0])
    let heartbeat = joined(try HeartbeatRequest.frame(HeartbeatResponse(), version: 4, correlationID: 1))
    #expect(heartbeat == [0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])
}

@Test func theHeaderOfAnUnknownRequestIsReadAndItsBodyLeftAlone() throws {
    let unknown = try RequestFrame(Bytes([0x03, 0xe7, 0, 0, 0, 0, 0, 9, 0xff]))
    #expect(unknown.api == nil && unknown.header.key == 999 && !unknown.isSupported)
    let future = try RequestFrame(Bytes([0, 18, 0, 99, 0, 0, 0, 9, 0xff]))
    #expect(future.api == .apiVersions && !future.isSupported && future.header.correlationID == 9)
    #expect(throws: CodecError.self) { try RequestFrame(Bytes([0, 18, 0])) }
}

@Test func librdkafkasRequestForAllTopicsIsReadThoughBytesAreLeft() throws {
    let frame = try RequestFrame(Bytes(bytes(hexadecimal: "0003000c00000003000772646b61666b610000000000010000")))
    #expect(try frame.decode(MetadataRequest.self).topics == nil)
}

@Test func recordsAreAViewOfTheFrame() throws {
    let request = ProduceRequest { $0.topics = [.init { $0.name = "t"; $0.partitions = [.init { $0.records = .bytes(Bytes([1, 2, 3])) }] }] }
    let bytes = Bytes(joined(try request.frame(version: 9, correlationID: 1, clientID: nil)).dropFirst(4))
    let decoded = try RequestFrame(bytes).decode(ProduceRequest.self)
    guard case .bytes(let records) = decoded.topics[0].partitions[0].records else {
        Issue.record("no records")
        return
    }
    #expect(records.storage === bytes.storage)
    #expect(records.array == [1, 2, 3])
}

@Test func fileRegionsStayWhereTheyAreInTheAnswer() throws {
    final class Owner {}
    let region = FileSlice(owner: Owner(), descriptor: 5, position: 100, count: 50)
    let response = FetchResponse {
        $0.topics = [
            .init {
                $0.name = "t"
                $0.partitions = [
                    .init { $0.records = .file([region]) }, .init { $0.index = 1; $0.records = .file([]) },
                ]
            }
        ]
    }
    let pieces = try FetchRequest.frame(response, version: 4, correlationID: 1)
    #expect(pieces.count == 3)
    #expect(pieces[1] == .file(region))
    guard case .bytes(let head) = pieces[0], case .bytes(let tail) = pieces[2] else {
        Issue.record("bytes before and after the region")
        return
    }
    #expect(Array(head.prefix(4)) == [0, 0, 0, UInt8(head.count - 4 + 50 + tail.count)])
    #expect(Array(head.suffix(4)) == [0, 0, 0, 50])
    #expect(Array(tail.suffix(4)) == [0, 0, 0, 0])
}
