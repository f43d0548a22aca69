import KafkaLogProtocol
import Seeded
import Testing

private struct Golden: CustomTestStringConvertible {
    let api: ApiKey
    let isRequest: Bool
    let version: Int16
    let body: [UInt8]

    var testDescription: String { "\(api) \(isRequest ? "request" : "answer") v\(version)" }

    static let all: [Golden] = goldenMessages.split(separator: "\n").map { line in
        let parts = line.split(separator: " ", omittingEmptySubsequences: true)
        return Golden(
            api: ApiKey(rawValue: Int16(parts[0])!)!, isRequest: parts[1] == "q", version: Int16(parts[2])!,
            body: parts.count > 3 ? bytes(hexadecimal: parts[3]) : [])
    }
}

func bytes(hexadecimal text: some StringProtocol) -> [UInt8] {
    let digits = Array(text.utf8).map { UInt8(String(UnicodeScalar($0)), radix: 16)! }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// The bytes of pieces that have no file regions.
func joined(_ pieces: [OutputPiece]) -> [UInt8] {
    pieces.flatMap { piece -> [UInt8] in
        guard case .bytes(let bytes) = piece else { return [] }
        return bytes
    }
}

private func decodeAndEncode<Message: WireStructure>(_ type: Message.Type, _ bytes: [UInt8], _ version: Int16, _ flexible: Bool) throws -> [UInt8] {
    var reader = WireReader(Bytes(bytes), version: version, flexible: flexible)
    let message = try reader.readToEnd(type)
    var writer = WireWriter(version: version, flexible: flexible)
    try writer.write(message)
    return Array(joined(try writer.frame()).dropFirst(4))
}

private func decodeAndEncode<Request: RequestMessage>(_ golden: Golden, _ type: Request.Type) throws -> [UInt8] {
    let flexible = Request.api.isFlexible(golden.version)
    return golden.isRequest
        ? try decodeAndEncode(Request.self, golden.body, golden.version, flexible)
        : try decodeAndEncode(Request.Response.self, golden.body, golden.version, flexible)
}

@Test func everyMessageInEveryVersionKeepsTheBytesOfKafkasDefinitions() throws {
    for golden in Golden.all {
        let again = try decodeAndEncode(golden, golden.api.request)
        #expect(again == golden.body, "\(golden.testDescription)")
    }
}

@Test func theGoldenMessagesCoverWhatIsSpoken() {
    let covered = Set(Golden.all.map { "\($0.api) \($0.version) \($0.isRequest)" })
    for api in ApiKey.allCases {
        for version in api.versions {
            #expect(covered.contains("\(api) \(version) true"))
            #expect(covered.contains("\(api) \(version) false"))
        }
    }
}

@Test func everyTruncationOfEveryMessageIsRefused() {
    for golden in Golden.all where !golden.body.isEmpty {
        for length in 0..<golden.body.count {
            var cut = golden
            cut = Golden(api: golden.api, isRequest: golden.isRequest, version: golden.version, body: Array(golden.body.prefix(length)))
            #expect(throws: CodecError.self, "\(golden.testDescription) of \(length) bytes") { try decodeAndEncode(cut, golden.api.request) }
        }
        let longer = Golden(api: golden.api, isRequest: golden.isRequest, version: golden.version, body: golden.body + [0])
        #expect(throws: CodecError.trailingBytes(1)) { try decodeAndEncode(longer, golden.api.request) }
    }
}

@Test func whatAMutatedMessageDecodesToIsWrittenAndReadAlike() throws {
    let seed: UInt64 = 0x5eed_0001
    var random = SplitMix64(seed: seed)
    for round in 0..<40 {
        for golden in Golden.all where !golden.body.isEmpty {
            var body = golden.body
            for _ in 0...Int(random.next() % 3) {
                let index = Int(random.next() % UInt64(body.count))
                switch random.next() % 4 {
                case 0: body[index] = UInt8(truncatingIfNeeded: random.next())
                case 1: body[index] = [0, 0x7f, 0x80, 0xff][Int(random.next() % 4)]
                case 2: body.insert(UInt8(truncatingIfNeeded: random.next()), at: index)
                default: if body.count > 1 { body.remove(at: index) }
                }
            }
            let mutated = Golden(api: golden.api, isRequest: golden.isRequest, version: golden.version, body: body)
            guard let once = try? decodeAndEncode(mutated, golden.api.request) else { continue }
            let first = Golden(api: golden.api, isRequest: golden.isRequest, version: golden.version, body: once)
            #expect(try decodeAndEncode(first, golden.api.request) == once, "seed \(seed), round \(round), \(golden.testDescription)")
        }
    }
}

@Test func anArrayOfTwoBillionIsRefusedBeforeMemoryIsSetAside() {
    // Metadata v1: an array of topics whose count lies.
    var reader = WireReader(Bytes([0x7f, 0xff, 0xff, 0xff, 0, 1, 0x61]), version: 1, flexible: false)
    #expect(throws: CodecError.truncated(offset: 0, needed: 0x7fff_ffff, remaining: 3)) { try reader.read(MetadataRequest.self) }
    // v9: the same as a varint.
    var compact = WireReader(Bytes([0xff, 0xff, 0xff, 0xff, 0x0f, 2, 0x61, 0]), version: 9, flexible: true)
    #expect(throws: CodecError.self) { try compact.read(MetadataRequest.self) }
}

@Test func manyTinyElementsAreRefusedByNumber() {
    let count = 1001
    let bytes: [UInt8] = withUnsafeBytes(of: Int32(count).bigEndian) { Array($0) } + [UInt8](repeating: 0, count: 2 * count + 16)
    var reader = WireReader(Bytes(bytes), version: 1, flexible: false, elementLimit: 1000)
    #expect(throws: CodecError.tooManyElements(limit: 1000)) { try reader.read(MetadataRequest.self) }
}

@Test func negativeLengthsAreRefused() {
    // Heartbeat v0: a group id of length -2, and of length -1 where null is not allowed.
    for length: UInt8 in [0xfe, 0xff] {
        var reader = WireReader(Bytes([0xff, length, 0, 0, 0, 1, 0, 0]), version: 0, flexible: false)
        #expect(throws: CodecError.self) { try reader.read(HeartbeatRequest.self) }
    }
}

@Test func textThatIsNotUTF8IsRefused() {
    var reader = WireReader(Bytes([0, 1, 0xff, 0, 0, 0, 1, 0, 0]), version: 0, flexible: false)
    #expect(throws: CodecError.invalidText(offset: 2)) { try reader.read(HeartbeatRequest.self) }
}

@Test func aVarintOfMoreThanFiveBytesIsRefused() {
    for bytes: [UInt8] in [[0xff, 0xff, 0xff, 0xff, 0x10], [0x80, 0x80, 0x80, 0x80, 0x80, 0x01]] {
        var reader = WireReader(Bytes(bytes + [0, 0, 0, 0]), version: 9, flexible: true)
        #expect(throws: CodecError.invalidVarint(offset: 0)) { try reader.read(MetadataRequest.self) }
    }
}

@Test func unknownTaggedFieldsArePassedOverAndKnownOnesRead() throws {
    var request = FetchRequest()
    request.clusterID = "cluster"
    var writer = WireWriter(version: 12, flexible: true)
    try writer.write(request)
    var body = Array(joined(try writer.frame()).dropFirst(4))
    var reader = WireReader(Bytes(body), version: 12, flexible: true)
    #expect(try reader.readToEnd(FetchRequest.self) == request)

    // One more tagged field, number 9 with three bytes.
    let tags = body.count - 11
    #expect(Array(body[tags...]) == [1, 0, 8, 8] + Array("cluster".utf8))
    body[tags] = 2
    body += [9, 3, 1, 2, 3]
    var second = WireReader(Bytes(body), version: 12, flexible: true)
    #expect(try second.readToEnd(FetchRequest.self) == request)

    // Its length lies.
    body[body.count - 4] = 4
    var third = WireReader(Bytes(body), version: 12, flexible: true)
    #expect(throws: CodecError.self) { try third.readToEnd(FetchRequest.self) }
}
