import Foundation
import KafkaLog
import KafkaLogProtocol
import KafkaLogStorage
import Testing

private func compactedTopic(_ log: TestLog) throws {
    let settings = [
        "cleanup.policy": "compact", "segment.bytes": "4096", "min.cleanable.dirty.ratio": "0.01", "max.message.bytes": "100000",
    ]
    let response = try log.client().ask(
        CreateTopicsRequest {
            $0.topics = [
                .init {
                    $0.name = "t"
                    $0.numPartitions = 1
                    $0.replicationFactor = 1
                    $0.configs = settings.sorted { $0.key < $1.key }.map { setting in .init { $0.name = setting.key; $0.value = setting.value } }
                }
            ]
        })
    #expect(response.topics[0].errorCode == .none)
}

@Test(arguments: ["none", "gzip", "snappy", "lz4", "zstd"])
func librdkafkaReadsWhatTheCleanerLeft(codec: String) throws {
    let log = try TestLog { $0.retentionCheckMilliseconds = 20 }
    try compactedTopic(log)
    var lines: [String] = []
    for round in 0..<40 {
        lines += (0..<25).map { "key \($0 % (round < 20 ? 25 : 10)):round \(round) \(String(repeating: "v", count: 40))" }
    }
    // Small batches, so that there are many segments.
    let producer = ["-P", "-t", "t", "-p", "0", "-K", ":", "-z", codec, "-X", "enable.idempotence=true", "-X", "batch.num.messages=30"]
    _ = try kcat(producer + ["-b", log.brokers], input: lines.joined(separator: "\n"))
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline,
        try kcat(["-b", log.brokers, "-C", "-t", "t", "-p", "0", "-e", "-q", "-f", "%o\\n"]).count >= lines.count / 2
    {}

    var newest: [String: String] = [:]
    for line in lines { newest[String(line.prefix { $0 != ":" })] = String(line.drop { $0 != ":" }.dropFirst()) }
    for isolation in ["read_uncommitted", "read_committed"] {
        let seen = try kcat(
            ["-b", log.brokers, "-C", "-t", "t", "-p", "0", "-e", "-q", "-f", "%k:%s\\n", "-X", "isolation.level=\(isolation)", "-X", "check.crcs=true"])
        var table: [String: String] = [:]
        for line in seen { table[String(line.prefix { $0 != ":" })] = String(line.drop { $0 != ":" }.dropFirst()) }
        #expect(table == newest && seen.count < lines.count / 2, "\(codec) \(isolation)")
    }
    // From an offset that is gone it goes on behind it, and after a restart all is as it was.
    let before = try kcat(["-b", log.brokers, "-C", "-t", "t", "-p", "0", "-e", "-q", "-o", "17", "-f", "%o %k:%s\\n"])
    #expect(Int64(before.first?.prefix { $0 != " " } ?? "0") ?? 0 >= 17)
    try log.restart()
    #expect(try kcat(["-b", log.brokers, "-C", "-t", "t", "-p", "0", "-e", "-q", "-o", "17", "-f", "%o %k:%s\\n"]).suffix(10) == before.suffix(10))
    // The producer's next life begins where this one ended.
    _ = try kcat(producer + ["-b", log.brokers], input: "key 0:last")
    #expect(try kcat(["-b", log.brokers, "-C", "-t", "t", "-p", "0", "-e", "-q", "-f", "%k:%s\\n"]).last == "key 0:last")
}

@Test func recordsWithoutAKeyGetKafkasErrorInACompactedTopic() throws {
    let log = try TestLog()
    try compactedTopic(log)
    let client = try log.client()
    #expect(try client.produce(TestClient.batch(["no key"]), "t").errorCode == .invalidRecord)
    #expect(try client.fetch("t").records.values == [])
}
