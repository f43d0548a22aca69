import Foundation
import KafkaLog
import KafkaLogProtocol
import Testing

private let password = "open sesame"

private func securedLog(_ configure: @escaping @Sendable (inout LogServerConfiguration) -> Void = { _ in }) throws -> TestLog {
    try TestLog {
        $0.security.users = [
            LogUser(name: "alice", secret: .password(password)),
            LogUser(name: "bob", secret: .credentials([ScramCredential(.sha512, password: "bob's")])),
        ]
        configure(&$0)
    }
}

extension TestClient {
    fileprivate func handshake(_ mechanism: String, version: Int16 = 1) throws -> SaslHandshakeResponse {
        try ask(SaslHandshakeRequest { $0.mechanism = mechanism }, version: version)
    }

    fileprivate func token(_ text: String, version: Int16 = 2) throws -> SaslAuthenticateResponse {
        try ask(SaslAuthenticateRequest { $0.token = Bytes(Array(text.utf8)) }, version: version)
    }

    fileprivate func logIn(_ user: String, _ password: String) throws -> ErrorCode {
        _ = try handshake("PLAIN")
        return try token("\0\(user)\0\(password)").errorCode
    }

    /// Sends a token without a request around it and reads the answer.
    fileprivate func bareToken(_ bytes: [UInt8]) throws -> [UInt8] {
        try send(withUnsafeBytes(of: Int32(bytes.count).bigEndian) { [UInt8]($0) } + bytes)
        return try receiveFrame()
    }
}

@Test(arguments: [0, 1, 2] as [Int16])
func aPasswordLetsItsUserIn(version: Int16) throws {
    let log = try securedLog()
    let client = try log.client()
    #expect(try client.ask(ApiVersionsRequest()).errorCode == .none)
    let offered = try client.handshake("PLAIN")
    #expect(offered.errorCode == .none)
    #expect(offered.mechanisms == ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"])
    let answer = try client.token("\0alice\0\(password)", version: version)
    #expect(answer.errorCode == .none)
    try client.createTopic("t")
    #expect(try client.produce(TestClient.batch(["a"]), "t").errorCode == .none)
    // A second login is not asked for.
    #expect(try client.handshake("PLAIN").errorCode == .illegalSaslState)
    #expect(try client.token("\0bob\0bob's").errorCode == .illegalSaslState)
}

@Test func tokensMayComeBareAfterAHandshakeOfVersion0() throws {
    let log = try securedLog()
    let client = try log.client()
    #expect(try client.handshake("PLAIN", version: 0).errorCode == .none)
    #expect(try client.bareToken(Array("\0alice\0\(password)".utf8)) == [])
    try client.createTopic("t")

    let wrong = try log.client()
    #expect(try wrong.handshake("PLAIN", version: 0).errorCode == .none)
    #expect(throws: ConnectionClosed.self) { try wrong.bareToken(Array("\0alice\0wrong".utf8)) }
}

@Test(arguments: [("alice", "wrong"), ("bob", password), ("carol", password), ("alice", "")])
func aWrongPasswordIsRefusedAfterAWhileAndTheConnectionEnds(_ user: String, _ wrong: String) throws {
    let log = try securedLog()
    let client = try log.client()
    _ = try client.handshake("PLAIN")
    let began = ContinuousClock.now
    let answer = try client.token("\0\(user)\0\(wrong)")
    #expect(answer.errorCode == .saslAuthenticationFailed)
    // It is not said whether there is such a user.
    #expect(answer.errorMessage == "Authentication failed: unknown user or wrong password")
    #expect(ContinuousClock.now - began >= .milliseconds(200))
    #expect(client.isClosedByServer)
    #expect(log.server.statistics().failedAuthentications == 1)
    #expect(!log.messages.contains { $0.contains(password) || $0.contains("wrong\"") })
}

@Test func aKnownPasswordIsCheckedAgainEachTime() throws {
    let log = try securedLog()
    #expect(try log.client().logIn("alice", password) == .none)
    #expect(try log.client().logIn("alice", password) == .none)
    #expect(try log.client().logIn("alice", password + "!") == .saslAuthenticationFailed)
    #expect(try log.client().logIn("bob", password) == .saslAuthenticationFailed)
    #expect(try log.client().logIn("bob", "bob's") == .none)
}

@Test func nothingButTheLoginIsAnsweredBeforeIt() throws {
    let log = try securedLog()
    for api in ApiKey.allCases where ![.apiVersions, .saslHandshake, .saslAuthenticate].contains(api) {
        func send<Request: RequestMessage>(_ type: Request.Type) throws -> Bool {
            let client = try log.client()
            try client.send(Request())
            return client.isClosedByServer
        }
        #expect(try send(api.request), "\(api)")
    }
    // Nor while a password is being checked, or after it was wrong.
    let hasty = try log.client()
    _ = try hasty.handshake("PLAIN")
    try hasty.send(SaslAuthenticateRequest { $0.token = Bytes(Array("\0alice\0wrong".utf8)) })
    try hasty.send(CreateTopicsRequest { $0.topics = [.init { $0.name = "hasty"; $0.numPartitions = 1; $0.replicationFactor = 1 }] })
    #expect(try hasty.receive(SaslAuthenticateRequest.self).response.errorCode == .saslAuthenticationFailed)
    #expect(hasty.isClosedByServer)
    #expect(log.server.statistics().topics.isEmpty)
    #expect(log.messages.contains { $0.contains("a produce request before it has logged in") })
}

@Test func aLoginOutOfOrderIsRefused() throws {
    let log = try securedLog()
    let tokenFirst = try log.client()
    #expect(try tokenFirst.token("\0alice\0\(password)").errorCode == .illegalSaslState)
    #expect(tokenFirst.isClosedByServer)

    let unknown = try log.client()
    let answer = try unknown.handshake("GSSAPI")
    #expect(answer.errorCode == .unsupportedSaslMechanism)
    #expect(answer.mechanisms == ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"])
    #expect(unknown.isClosedByServer)

    let twice = try log.client()
    _ = try twice.handshake("SCRAM-SHA-256")
    #expect(try twice.handshake("PLAIN").errorCode == .illegalSaslState)

    let withoutSecurity = try TestLog()
    #expect(try withoutSecurity.client().handshake("PLAIN").errorCode == .illegalSaslState)
}

@Test func aReplayedScramLoginIsRefused() throws {
    let log = try securedLog()
    var nonces: Set<String> = []
    for _ in 0..<3 {
        let client = try log.client()
        _ = try client.handshake("SCRAM-SHA-256")
        let challenge = try client.token("n,,n=alice,r=clientnonce")
        #expect(challenge.errorCode == .none)
        let text = String(decoding: challenge.token.array, as: UTF8.self)
        #expect(text.hasPrefix("r=clientnonce"))
        nonces.insert(String(text.prefix { $0 != "," }))
        // The final message of an earlier login: its nonce is not this one's.
        let final = try client.token("c=biws,r=clientnonceearlier,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
        #expect(final.errorCode == .saslAuthenticationFailed)
        #expect(client.isClosedByServer)
    }
    #expect(nonces.count == 3)
    #expect(log.messages.contains { $0.contains("the nonce is not the one of this login") })
}

@Test func aStrangerMaySendLittleAndHasLittleTime() throws {
    let log = try securedLog { $0.limits.authenticationMilliseconds = 200 }
    let large = try log.client()
    try large.send([0, 1, 0, 1])
    #expect(large.isClosedByServer)
    #expect(log.messages.contains { $0.contains("a request of 65537 bytes; expected 1 to 65536") })
    let silent = try log.client()
    #expect(silent.isClosedByServer)
    let chosen = try log.client()
    _ = try chosen.handshake("SCRAM-SHA-256")
    #expect(chosen.isClosedByServer)
    #expect(log.messages.filter { $0.contains("not authenticated within 200 ms") }.count == 2)
    // Whoever is in has all the time that there is.
    let client = try log.client()
    #expect(try client.logIn("alice", password) == .none)
    #expect(log.server.statistics().connections == 1)
}

@Test func anAddressHasOnlySoManyConnections() throws {
    let log = try TestLog { $0.limits.connectionsPerAddress = 2 }
    let first = try log.client()
    _ = try first.ask(ApiVersionsRequest())
    do {
        let second = try log.client()
        _ = try second.ask(ApiVersionsRequest())
        #expect(try log.client().isClosedByServer)
    }
    // The second is gone: there is room again, as soon as the log has seen it go.
    while true {
        if (try? log.client().ask(ApiVersionsRequest())) != nil { break }
    }
    #expect(log.messages.contains { $0.contains("its address has 2 connections already") })
}

@Test func theInternalListenerHasAPasswordOfItsOwn() throws {
    let log = try securedLog {
        $0.hasInternalListener = true
        $0.security.allow = []
    }
    let access = try #require(log.server.internalAccess)
    #expect(InternalAccess(directory: log.directory) == access)
    let attributes = try FileManager.default.attributesOfItem(atPath: "\(log.directory)/\(InternalAccess.fileName)")
    #expect(attributes[.posixPermissions] as? Int == 0o600)
    let stranger = try TestClient(port: access.port)
    // Nobody else's password, and not in the clear.
    #expect(try stranger.handshake("PLAIN").errorCode == .unsupportedSaslMechanism)
    let nobody = try TestClient(port: access.port)
    try nobody.send(MetadataRequest())
    #expect(nobody.isClosedByServer)
    try log.restart()
    #expect(log.server.internalAccess != access)
    log.server.stop()
    #expect(InternalAccess(directory: log.directory) == nil)
}

@Test(arguments: [false, true])
func aListenerBeyondLoopbackIsRefusedUnlessAskedFor(isInsecure: Bool) throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "millrace-log-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: directory) }
    var configuration = LogServerConfiguration(host: "0.0.0.0", port: 0, directory: directory)
    // Passwords alone do not keep what is said from those who listen.
    configuration.security.users = [LogUser(name: "alice", secret: .password(password))]
    configuration.isInsecure = isInsecure
    if isInsecure {
        let server = try LogServer(configuration: configuration)
        try server.start()
        // PLAIN is not offered where others may read it.
        #expect(try TestClient(port: server.port).handshake("PLAIN").mechanisms == ["SCRAM-SHA-256", "SCRAM-SHA-512"])
        server.stop()
    } else {
        #expect(throws: LogServerError.listenerNotLoopback(host: "0.0.0.0")) { try LogServer(configuration: configuration) }
    }
}
