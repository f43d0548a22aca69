import Foundation
import KafkaClient
import KafkaLog
import Testing

/// Runs kcat (a small program around librdkafka) and returns what it printed, by line.
func kcat(_ arguments: [String], input: String = "") throws -> [String] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["kcat"] + arguments
    let output = Pipe(), standardInput = Pipe()
    process.standardOutput = output
    process.standardInput = standardInput
    process.standardError = FileHandle.nullDevice
    try process.run()
    try standardInput.fileHandleForWriting.write(contentsOf: Data(input.utf8))
    try standardInput.fileHandleForWriting.close()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw ConnectionClosed() }
    return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
}

@Test(arguments: ["none", "gzip", "snappy", "lz4", "zstd"])
func librdkafkaWritesAndReadsWithEveryCodec(codec: String) throws {
    let log = try TestLog()
    let values = (0..<3000).map { "value \($0) " + String(repeating: "x", count: $0 % 50) }
    let producer = ["-b", log.brokers, "-P", "-t", "t", "-p", "0", "-z", codec, "-X", "enable.idempotence=true"]
    _ = try kcat(producer, input: values.joined(separator: "\n"))
    #expect(try kcat(["-b", log.brokers, "-C", "-t", "t", "-p", "0", "-e", "-q"]) == values)
    try log.restart()
    #expect(try kcat(["-b", log.brokers, "-C", "-t", "t", "-p", "0", "-e", "-q", "-o", "2000"]) == Array(values[2000...]))
}

@Test func librdkafkaCommitsAndAbortsTransactionsWithOffsets() throws {
    let log = try TestLog()
    try log.client().createTopic("t")
    let client = ClientConfiguration(brokers: log.brokers)
    let producer = try TransactionalProducer(
        TransactionalProducerConfiguration(producer: ProducerConfiguration(client: client), transactionalID: "tx"))
    let timeout = Duration.seconds(20)
    try producer.initTransactions(timeout: timeout)
    let group = try #require(GroupMetadata.unfenced(groupID: "g"))
    for round in 0..<6 {
        try producer.begin()
        var records = OutgoingRecords()
        records.append(key: [], value: "round \(round)".utf8, partition: 0)
        try producer.produce(records, topic: "t")
        try producer.sendOffsets(
            [OffsetToCommit(partition: TopicPartition("t", 0), offset: Int64(round), metadata: "m1:\(round)")], group: group, timeout: timeout)
        if round % 2 == 0 { try producer.commit(timeout: timeout) } else { try producer.abort(timeout: timeout) }
    }
    let committed = try kcat(["-b", log.brokers, "-C", "-t", "t", "-p", "0", "-e", "-q", "-X", "isolation.level=read_committed"])
    #expect(committed == ["round 0", "round 2", "round 4"])
    let consumer = try Consumer(ConsumerConfiguration(client: client, groupID: "g"))
    let offsets = try consumer.committed([TopicPartition("t", 0)], timeout: timeout)
    #expect(offsets == [CommittedOffset(partition: TopicPartition("t", 0), offset: 4, metadata: "m1:4")])
}

@Test func aGroupOfKcatsReadsEverythingOnce() throws {
    let log = try TestLog { $0.defaultPartitions = 3 }
    let values = (0..<999).map { "v\($0)" }
    for partition in 0..<3 {
        let part = values.enumerated().filter { $0.offset % 3 == partition }.map(\.element)
        _ = try kcat(["-b", log.brokers, "-P", "-t", "t", "-p", "\(partition)"], input: part.joined(separator: "\n"))
    }
    let reader = ["-b", log.brokers, "-X", "auto.offset.reset=earliest", "-e", "-q", "-G", "g", "t"]
    #expect(try kcat(reader).sorted() == values.sorted())
    // Its offsets were committed: a second run has nothing left to read.
    #expect(try kcat(reader) == [])
}
