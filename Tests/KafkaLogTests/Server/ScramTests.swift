import KafkaLog
import Testing

/// RFC 7677, section 3.
private enum RFC7677 {
    static let serverNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    static let salt: [UInt8] = [0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81]
    static let credential = ScramCredential(.sha256, password: "pencil", salt: salt, iterations: 4096)
    static let clientFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    static let serverFirst = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    static let clientFinal =
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    static let serverFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
}

private func answers(_ messages: [String], nonce: String = RFC7677.serverNonce) -> [ScramExchange.Outcome] {
    var exchange = ScramExchange(.sha256, serverNonce: nonce)
    return messages.map { exchange.take(Array($0.utf8)) { _, _ in RFC7677.credential } }
}

private func isRefused(_ outcome: ScramExchange.Outcome?) -> Bool {
    if case .refused = outcome { true } else { false }
}

@Test func theExchangeOfTheStandardIsAnsweredAsTheStandardSays() {
    #expect(
        answers([RFC7677.clientFirst, RFC7677.clientFinal])
            == [.challenge(RFC7677.serverFirst), .done(user: "user", final: RFC7677.serverFinal)])
}

@Test func aRecordedLoginIsOfNoUseInTheNext() {
    let outcomes = answers([RFC7677.clientFirst, RFC7677.clientFinal], nonce: "another%nonce")
    #expect(outcomes.last == .refused(user: "user", reason: "the nonce is not the one of this login"))
}

@Test func librdkafkaBefore261MayRepeatItsNonce() {
    // It has the proof over what it sends, which is not the standard's: the nonce passes, the proof of the standard does not.
    let repeated = RFC7677.clientFinal.replacing("r=rOprNGfwEbeRWgbNEkqO", with: "r=rOprNGfwEbeRWgbNEkqOrOprNGfwEbeRWgbNEkqO")
    #expect(answers([RFC7677.clientFirst, repeated]).last == .refused(user: "user", reason: "unknown user or wrong password"))
}

@Test(arguments: [
    ("p=tls-unique,,n=user,r=abc", RFC7677.clientFinal),
    ("n,a=admin,n=user,r=abc", RFC7677.clientFinal),
    ("n,,n=us=er,r=abc", RFC7677.clientFinal),
    ("n,,n=,r=abc", RFC7677.clientFinal),
    ("n,,n=user,r=", RFC7677.clientFinal),
    ("n,,m=ext,n=user,r=abc", RFC7677.clientFinal),
    ("n,,n=user,r=abc,tokenauth=true", RFC7677.clientFinal),
    ("", RFC7677.clientFinal),
    ("n,,n=\u{e9},r=abc", RFC7677.clientFinal),
])
func aMalformedFirstMessageIsRefusedAndEndsTheExchange(_ first: String, _ final: String) {
    let outcomes = answers([first, final])
    #expect(outcomes.allSatisfy(isRefused))
}

@Test(arguments: [
    RFC7677.clientFinal.replacing("c=biws", with: "c=eSws"),
    RFC7677.clientFinal.replacing("p=dHzb", with: "p=dHzc"),
    RFC7677.clientFinal.replacing("dVQ=", with: "dVQ"),
    RFC7677.clientFinal.replacing("$k0,p", with: "$k1,p"),
    RFC7677.clientFinal.replacing(",p=", with: ",x=1,q="),
    "c=biws",
    "p=",
    "",
])
func aFinalMessageThatProvesNothingIsRefused(_ final: String) {
    let outcomes = answers([RFC7677.clientFirst, final, RFC7677.clientFinal])
    #expect(isRefused(outcomes[1]))
    // There is one try an exchange.
    #expect(isRefused(outcomes[2]))
}

@Test func aNameMayHoldACommaAndAnEqualsSign() {
    var exchange = ScramExchange(.sha256, serverNonce: "n")
    var asked: [String] = []
    _ = exchange.take(Array("n,,n=a=2Cb=3Dc,r=abc".utf8)) { name, _ in
        asked.append(name)
        return RFC7677.credential
    }
    #expect(asked == ["a,b=c"])
}

@Test func aVerifierIsReadAsItIsWritten() throws {
    for hash in ScramHash.allCases {
        let credential = ScramCredential(hash, password: "it's a secret")
        let read = try #require(ScramCredential(verifier: credential.verifier))
        #expect(read == credential)
        #expect(!credential.verifier.contains("secret"))
        #expect(ScramCredential(hash, password: "it's a secret").salt != credential.salt)
    }
    // PostgreSQL's form, made there for the password "pencil" with the salt of RFC 7677.
    #expect(RFC7677.credential.verifier == "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")
}

@Test(arguments: [
    "", "SCRAM-SHA-256", "SCRAM-SHA-1$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
    "SCRAM-SHA-256$4095:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
    "SCRAM-SHA-256$999999999:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ=$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
    "SCRAM-SHA-512$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
])
func aVerifierThatIsNoneIsNotRead(_ text: String) {
    #expect(ScramCredential(verifier: text) == nil)
}

@Test func anUnknownUserLooksLikeAKnownOne() {
    let configured = [
        LogUser(name: "alice", secret: .password("a")),
        LogUser(name: "bob", secret: .credentials([ScramCredential(.sha256, password: "b")])),
    ]
    let users = UserDirectory(configured), afterRestart = UserDirectory(configured)
    for hash in ScramHash.allCases {
        let salts = ["alice", "bob", "carol", "dave"].map { users.credential(of: $0, hash).salt }
        #expect(Set(salts).count == 4)
        #expect(salts.allSatisfy { $0.count == 16 })
        // The same each time, and after a restart.
        #expect(["alice", "bob", "carol", "dave"].map { afterRestart.credential(of: $0, hash).salt } == salts)
        #expect(users.credential(of: "carol", hash).iterations == users.credential(of: "alice", hash).iterations)
    }
    #expect(UserDirectory([configured[0]]).credential(of: "carol", .sha256).salt != users.credential(of: "carol", .sha256).salt)
    #expect(users.knows("alice", password: Array("a".utf8)))
    #expect(users.knows("bob", password: Array("b".utf8)))
    #expect(!users.knows("bob", password: Array("a".utf8)))
    #expect(!users.knows("carol", password: Array("a".utf8)))
    #expect(!users.knows("carol", password: []))
}

@Test func aPlainMessageHasThreeParts() throws {
    let message = try #require(PlainMessage(Array("\0alice\0pass word".utf8)))
    #expect(message.user == "alice")
    #expect(message.password == Array("pass word".utf8))
    #expect(PlainMessage(Array("alice\0alice\0p".utf8)) != nil)
    for wrong in ["", "alice", "alice\0p", "bob\0alice\0p", "\0alice\0", "\0\0p", "\0alice\0p\0", "\0al ice\0p"] {
        #expect(PlainMessage(Array(wrong.utf8)) == nil, "\(wrong)")
    }
}
