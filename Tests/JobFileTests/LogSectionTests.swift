import JobFile
import Testing

private let verifier256 = "SCRAM-SHA-256$4096:c2FsdHNhbHQ=$c3RvcmVk:c2VydmVy"
private let verifier512 = "SCRAM-SHA-512$4096:c2FsdHNhbHQ=$c3RvcmVk:c2VydmVy"

@Test func everySettingOfASecuredLogIsRead() throws {
    let file = try DaemonFile.parse(
        """
        log:
          listen: 0.0.0.0:9093
          advertised: log.example.org:9093
          tls: {certificate: chain.pem, key: key.pem, client_ca: ca.pem, client_certificates: wanted}
          users:
            - {name: alice, password: "${ALICE}"}
            - {name: bob, scram_sha_256: "\(verifier256)", scram_sha_512: "\(verifier512)"}
          users_file: users.txt
          allow:
            - {principal: alice, operations: all, topic: "*", group: ["a", "b*"]}
            - {principal: [bob, "CN=carol"], operations: [read, describe_configs], transactional_id: t, cluster: true}
          limits:
            connections: 50
            connections_per_address: 10
            request_size: 1MiB
            request_memory: 16MiB
            response_memory: 32MiB
            idle_timeout: 1m
            authentication_timeout: 5s
            slow_reader_timeout: 30s
        """, file: "millrace.yaml", environment: ["ALICE": "it's a secret"])
    var expected = LogSettings()
    expected.listen = ListenAddress(host: "0.0.0.0", port: 9093)
    expected.advertised = ListenAddress(host: "log.example.org", port: 9093)
    var tls = LogTLSSettings(certificate: "chain.pem", key: "key.pem")
    tls.clientCA = "ca.pem"
    tls.clientCertificates = .wanted
    expected.tls = tls
    expected.users = [
        LogUserSettings(name: "alice", password: "it's a secret"), LogUserSettings(name: "bob", verifiers: [verifier256, verifier512]),
    ]
    expected.usersFile = "users.txt"
    var ofAlice = AllowSettings(principals: ["alice"], operations: Set(AllowSettings.operations))
    ofAlice.topics = ["*"]
    ofAlice.groups = ["a", "b*"]
    var ofBob = AllowSettings(principals: ["bob", "CN=carol"], operations: ["read", "describe_configs"])
    ofBob.transactionalIDs = ["t"]
    ofBob.cluster = true
    expected.allow = [ofAlice, ofBob]
    expected.limits.connections = 50
    expected.limits.connectionsPerAddress = 10
    expected.limits.requestSize = 1 << 20
    expected.limits.requestMemory = 16 << 20
    expected.limits.responseMemory = 32 << 20
    expected.limits.idleTimeout = 60_000_000
    expected.limits.authenticationTimeout = 5_000_000
    expected.limits.slowReaderTimeout = 30_000_000
    #expect(file.log == expected)
    #expect(!expected.isOpenToThisMachine)
    #expect(LogSettings().isOpenToThisMachine)
}

@Test(arguments: [
    "log: {listen: \"10.0.0.1:9092\", tls: {certificate: c, key: k}, users: [{name: a, password: p}]}",
    "log: {listen: \"10.0.0.1:9092\", tls: {certificate: c, key: k}, users_file: f}",
    "log: {listen: \"10.0.0.1:9092\", tls: {certificate: c, key: k, client_ca: a, client_certificates: required}}",
    "log: {listen: \"10.0.0.1:9092\", insecure: true}",
    "log: {listen: \"127.0.0.1:9092\", users: [{name: a, password: p}]}",
])
func aLogThatIsSafeOrSaysThatItNeedNotBeIsAccepted(_ text: String) {
    #expect(refusals(daemon: text) == [])
}

private let unreachable = "or `insecure: true` if something else keeps them out"

@Test(arguments: [
    (
        "log: {listen: \"10.0.0.1:9092\"}",
        [
            "1:15: others than this machine can reach 10.0.0.1: add `tls` and `users` (or `tls.client_certificates: required`), \(unreachable)"
        ]
    ),
    (
        "log: {listen: \"10.0.0.1:9092\", users: [{name: a, password: p}]}",
        ["1:15: others than this machine can reach 10.0.0.1: add `tls`, \(unreachable)"]
    ),
    (
        "log: {listen: \"10.0.0.1:9092\", tls: {certificate: c, key: k, client_ca: a, client_certificates: wanted}}",
        ["1:15: others than this machine can reach 10.0.0.1: add `users` (or `tls.client_certificates: required`), \(unreachable)"]
    ),
    (
        "log: {listen: \"0.0.0.0:9092\", insecure: true}",
        ["1:15: clients cannot connect to 0.0.0.0: add `advertised` with the host and port that they find this log at"]
    ),
    ("log: {insecure: maybe}", ["1:17: expected `insecure`: true or false, found `maybe`"]),
    ("log: {tls: {certificate: c}}", ["1:12: `tls` has no `key`"]),
    (
        "log: {tls: {certificate: c, key: k, client_certificates: required}}",
        ["1:58: clients' certificates are checked with the authority that issued them: add `client_ca`"]
    ),
    (
        "log: {tls: {certificate: c, key: k, client_ca: a}}",
        ["1:37: `client_ca` does nothing without `client_certificates: wanted` or `required`"]
    ),
    (
        "log: {tls: {certificate: c, key: k, client_ca: a, client_certificates: requird}}",
        ["1:72: expected `client_certificates`: none, wanted or required, found `requird`; did you mean `required`?"]
    ),
    (
        "log: {users: {alice: secret}}",
        ["1:14: expected `users` as a list such as [{name: alice, password: \"${ALICE_PASSWORD}\"}], found a mapping"]
    ),
    ("log: {users: [{name: a}]}", ["1:15: the user has neither `password` nor `scram_sha_256` or `scram_sha_512`"]),
    ("log: {users: [{password: secret}]}", ["1:15: a user has no `name`"]),
    (
        "log: {users: [{name: a, password: p}, {name: a, password: q}]}",
        ["1:46: the user `a` is there twice"]
    ),
    ("log: {users: [{name: a b, password: p}]}", ["1:22: a user's name has 1 to 128 visible ASCII characters without spaces"]),
    ("log: {users: [{name: a, password: gëheim}]}", ["1:35: a password has 1 to 1024 printable ASCII characters"]),
    (
        "log: {users: [{name: a, scram_sha_256: secret}]}",
        [
            "1:40: expected `scram_sha_256` as SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>: `millrace log user` makes one"
        ]
    ),
    (
        "log: {users: [{name: a, password: p}], allow: [{principal: a, operations: [raed], topic: t}]}",
        [
            "1:76: expected an operation: read, write, create, delete, alter, describe, describe_configs, alter_configs or all, found `raed`; did you mean `read`?"
        ]
    ),
    (
        "log: {users: [{name: a, password: p}], allow: [{principal: a, operations: all}]}",
        ["1:48: the entry allows nothing: it has no `topic`, `group`, `transactional_id` or `cluster`"]
    ),
    (
        "log: {users: [{name: a, password: p}], allow: [{principal: a, operations: all, topic: \"*x\"}]}",
        ["1:87: a `*` stands at the end of a name, as in `clicks*`, or alone"]
    ),
    (
        "log: {allow: []}",
        ["1:14: `allow` goes by who asks, and nobody has to say so: add `users` or `tls.client_certificates`"]
    ),
    ("log: {limits: {connections: 0}}", ["1:29: expected `connections` as a number from 1 to 1000000, found `0`"]),
    ("log: {limits: {request_size: 1KiB}}", ["1:30: `request_size` has to be at least 64KiB, found `1KiB`"]),
    ("log: {limits: {idle_timeout: 1ms}}", ["1:30: `idle_timeout` has to be at least 100ms, found `1ms`"]),
    (
        "log: {limits: {idle_time: 1s}}",
        [
            "1:16: unknown key `idle_time`; did you mean `idle_timeout`?"
        ]
    ),
] as [(String, [String])])
func aMistakeInTheLogSectionIsRefusedAtItsPlace(_ text: String, _ messages: [String]) {
    #expect(refusals(daemon: text) == messages)
}

@Test func noMistakeInAUserShowsASecret() {
    let text = """
        log:
          users:
            - {name: a, password: "hünter2", scram_sha_256: "hunter2$x"}
            - {name: b, password: [hunter2]}
            - {name: c, scram_sha_512: "hunter2"}
        """
    let messages = refusals(daemon: text)
    #expect(messages.count >= 4)
    #expect(!messages.contains { $0.contains("unter2") })
}
