import Foundation
import KafkaLog
import KafkaLogProtocol
import KafkaLogStorage
import Testing

/// How long a start may take with this many partitions and bytes, after an orderly end. `MILLRACE_START_GIB` sets the size of the full measurement,
/// which needs as much room below the temporary directory.
@Test func aThousandPartitionsAreServedSoonAfterAStart() throws {
    let gibibytes = ProcessInfo.processInfo.environment["MILLRACE_START_GIB"].flatMap { Int($0) } ?? 0
    let partitions: Int32 = 1000
    let batchSize = gibibytes > 0 ? 1 << 20 : 1 << 10
    let batches = max(1, (gibibytes << 30) / Int(partitions) / batchSize)
    let directory = FileManager.default.temporaryDirectory.appending(path: "millrace-start-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: directory) }
    var defaults = LogConfiguration()
    defaults.segmentBytes = 16 << 20
    defaults.maxMessageBytes = 2 << 20
    do {
        let log = try LogDirectory(path: directory, nodeID: 1, durability: .never, defaults: defaults, clock: { 1_700_000_000_000 })
        try log.createTopic("t", partitions: partitions)
        for partition in 0..<partitions {
            let log = try log.partition(TopicPartition("t", partition))
            var batch = TestClient.batch([String(repeating: "x", count: batchSize - 100)])
            for _ in 0..<batches { _ = try batch.withUnsafeMutableBytes { try log.append($0) } }
        }
        try log.close()
    }
    var configuration = LogServerConfiguration(port: 0, directory: directory)
    configuration.topicDefaults = defaults
    let clock = ContinuousClock()
    let start = clock.now
    let server = try LogServer(configuration: configuration)
    try server.start()
    let client = try TestClient(port: server.port)
    #expect(try client.fetch("t", partitions - 1).records.values.count >= 1)
    let first = clock.now - start
    // Every one of them, not only the one that was asked for.
    for partition in 0..<partitions {
        let answer = try client.ask(
            ListOffsetsRequest { $0.topics = [.init { $0.name = "t"; $0.partitions = [.init { $0.index = partition; $0.timestamp = -1 }] }] })
        #expect(answer.topics[0].partitions[0].offset == Int64(batches))
    }
    let all = clock.now - start
    server.stop()
    if gibibytes > 0 { print("start with \(partitions) partitions, \(gibibytes) GiB: first byte \(first), all partitions \(all), then stopped \(clock.now - start - all)") }
    // Beside every other test a start has to share the machine.
    #expect(first < .seconds(gibibytes > 0 ? 2 : 20))
    #expect(all < .seconds(gibibytes > 0 ? 20 : 120))
}
