import JobFile
import Testing

private func daemon(_ text: String) throws -> DaemonFile {
    try DaemonFile.parse(text, file: "millrace.yaml", environment: ["TOKEN": "0123456789abcdef"])
}

@Test func theDaemonFileOfTheDesignLoads() throws {
    let file = try daemon(
        """
        http: {listen: 127.0.0.1:8080}          # tls, token: see docs
        log:                                    # leave out to use only an outside Kafka
          listen: 127.0.0.1:9092
          directory: ./data/log
          fsync: commit                         # commit = on disk before the acknowledgement (group commit) | 100ms | never
          default_partitions: 4
        state: {directory: ./data/state, memory: 1GiB}
        checkpoint: {interval: 1s, storage: ./data/checkpoints}   # or s3://bucket/prefix
        jobs: [config/jobs/clickstream-sessions.yaml]             # used when the command line names none
        """)
    var expected = DaemonFile.withoutFile
    expected.jobs = ["config/jobs/clickstream-sessions.yaml"]
    #expect(file == expected)
}

@Test func everySettingOfTheDaemonIsRead() throws {
    let file = try daemon(
        """
        http: {listen: "[::1]:0", token: "${TOKEN}", tls: {certificate: a.pem, key: b.pem}}
        log: {listen: localhost:19092, directory: /log, fsync: 100ms, default_partitions: "8"}
        state: {directory: /state, memory: 512MiB}
        checkpoint: {interval: 100ms, storage: s3://bucket/a//b/, s3: {endpoint: "http://127.0.0.1:9000", region: eu-central-1, path_style: false}}
        jobs: one.yaml
        workers: 3
        """)
    #expect(
        file.http
            == HTTPSettings(
                listen: ListenAddress(host: "::1", port: 0), tls: TLSSettings(certificate: "a.pem", key: "b.pem"), token: "0123456789abcdef"
            ))
    #expect(file.log?.listen == ListenAddress(host: "localhost", port: 19_092))
    #expect(file.log?.directory == "/log")
    #expect(file.log?.fsync == .every(100_000))
    #expect(file.log?.defaultPartitions == 8)
    #expect(file.state == StateSettings(directory: "/state", memory: 512 << 20))
    var checkpoint = CheckpointSettings(interval: 100_000, storage: .s3(bucket: "bucket", prefix: "a/b"))
    checkpoint.s3.endpoint = "http://127.0.0.1:9000"
    checkpoint.s3.region = "eu-central-1"
    checkpoint.s3.usesPathStyle = false
    #expect(file.checkpoint == checkpoint)
    #expect(file.jobs == ["one.yaml"])
    #expect(file.workers == 3)
}

@Test func aFileWithoutLogHasNone() throws {
    let file = try daemon("workers: 1")
    #expect(file.log == nil)
    #expect(file.state == StateSettings())
    #expect(DaemonFile.withoutFile.log == LogSettings())
}

@Test(arguments: [
    ("htp: {}", "1:1: unknown key `htp`; did you mean `http`?"),
    ("http: {listen: 8080}", "1:16: expected an address such as 127.0.0.1:8080, found `8080`"),
    ("http: {listen: \"host:70000\"}", "1:16: expected an address such as 127.0.0.1:8080, found `host:70000`"),
    (
        "http: {listen: \"0.0.0.0:8080\"}",
        "1:16: others than this machine can reach 0.0.0.0: add a `token`, or `insecure: true` if something else keeps them out"
    ),
    ("http: {token: short}", "1:15: `token` has to be 16 to 1024 visible ASCII characters without spaces"),
    ("http: {tls: {certificate: a}}", "1:13: `tls` has no `key`"),
    ("log: {fsync: always}", "1:14: expected `fsync`: commit, never or a duration such as 100ms, found `always`"),
    ("log: {fsync: 100}", "1:14: expected `fsync` as a duration such as 250ms, 30s, 5m, 24h or 7d, found `100`"),
    ("log: {fsync: 10us}", "1:14: `fsync` has to be at least 1ms, found `10us`"),
    ("log: {default_partitions: 0}", "1:27: expected `default_partitions` as a number from 1 to 10000, found `0`"),
    ("log: {default_partitions: many}", "1:27: expected `default_partitions` as a number from 1 to 10000, found `many`"),
    ("log: {listen: \"127.0.0.1:8080\"}", "1:6: `http` and `log` both listen on 127.0.0.1:8080"),
    ("state: {memory: 1MB}", "1:17: expected `memory` as a size such as 64KiB, 512MiB or 1GiB, found `1MB`; did you mean `1MiB`?"),
    ("state: {memory: 1MiB}", "1:17: `memory` has to be at least 16MiB, found `1MiB`"),
    ("state: {memory: 99999999999GiB}", "1:17: expected `memory` as a size such as 64KiB, 512MiB or 1GiB, found `99999999999GiB`"),
    ("checkpoint: {interval: 1ms}", "1:24: `interval` has to be at least 10ms, found `1ms`"),
    (
        "checkpoint: {storage: s3://b, s3: {endpoint: example.com}}",
        "1:46: expected http:// or https:// with a host and perhaps a port and nothing behind, found example.com"
    ),
    (
        "checkpoint: {s3: {region: r}}",
        "1:18: `s3` says how to reach a bucket, and `storage` is a directory: set `storage: s3://bucket/prefix`, or leave `s3` out"
    ),
    ("checkpoint: {storage: \"gs://b\"}", "1:23: expected a directory or s3://bucket/prefix, found `gs://b`"),
    ("jobs: [a.yaml, a.yaml]", "1:16: `a.yaml` is named twice"),
    ("workers: -1", "1:10: expected `workers` as a number from 1 to 1024, found `-1`"),
])
func aMistakeInTheDaemonFileIsRefusedAtItsPlace(_ text: String, _ message: String) {
    #expect(refusals(daemon: text) == [message])
}
