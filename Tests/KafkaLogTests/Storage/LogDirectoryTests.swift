import KafkaLogStorage
import Testing

@Test func aSecondBrokerIsRefused() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path)
    #expect(throws: StorageError.self) { _ = try TestLog(temporary.path) }
    do {
        _ = try TestLog(temporary.path)
    } catch let error as StorageError {
        #expect(error.message.contains("another process"))
    }
    try log.directory.close()
    _ = try TestLog(temporary.path)
}

@Test func identityAndTopicsSurviveARestart() throws {
    let temporary = TemporaryDirectory()
    let (cluster, topics): (String, [String: Topic])
    do {
        let log = try TestLog(temporary.path)
        try log.directory.createTopic("a.b_c-1", partitions: 3, overrides: ["retention.ms": "5000", "cleanup.policy": "compact,delete"])
        try log.directory.addPartitions("a.b_c-1", count: 5)
        (cluster, topics) = (log.directory.clusterID, log.directory.topics)
        #expect(cluster.utf8.count == 22)
    }
    let log = try TestLog(temporary.path)
    #expect(log.directory.clusterID == cluster && log.directory.topics == topics)
    let topic = try #require(topics["a.b_c-1"])
    #expect(topic.partitionCount == 5 && log.directory.topic(topic.id) == topic)
    let configuration = try log.directory.configuration(of: topic)
    #expect(configuration.retentionMilliseconds == 5000 && configuration.cleanupPolicy == .compactAndDelete)
    #expect(try log.directory.partition(TopicPartition("a.b_c-1", 4)).logEndOffset == 0)
    #expect(code { _ = try log.directory.partition(TopicPartition("a.b_c-1", 5)) } == .unknownTopicOrPartition)
    #expect(code { _ = try log.directory.partition(TopicPartition("a.b_c-1", -1)) } == .unknownTopicOrPartition)
}

@Test func topicsThatCannotBeAreRefused() throws {
    let temporary = TemporaryDirectory()
    let directory = try TestLog(temporary.path).directory
    for name in ["", ".", "..", "a/b", "../x", "ä", "a b", "a\n", "a\0", String(repeating: "x", count: 250)] {
        #expect(code { try directory.createTopic(name, partitions: 1) } == .invalidTopic, "\(name)")
    }
    try directory.createTopic(String(repeating: "x", count: 249), partitions: 1)
    #expect(code { try directory.createTopic("t", partitions: 1) } == .topicAlreadyExists)
    #expect(code { try directory.createTopic("u", partitions: 0) } == .invalidPartitions)
    #expect(code { try directory.createTopic("u", partitions: .max) } == .invalidPartitions)
    for (name, value) in [("no.such", "1"), ("retention.ms", "soon"), ("segment.bytes", "3"), ("cleanup.policy", "shred"), ("retention.ms", "5 5")] {
        #expect(code { try directory.createTopic("u", partitions: 1, overrides: [name: value]) } == .invalidConfiguration, "\(name)")
    }
    #expect(code { try directory.addPartitions("t", count: 1) } == .invalidPartitions)
    #expect(code { try directory.addPartitions("nope", count: 2) } == .unknownTopicOrPartition)
    #expect(code { try directory.deleteTopic("nope") } == .unknownTopicOrPartition)
}

@Test func aTopicThatIsMadeAgainIsEmptyAndAnother() throws {
    let temporary = TemporaryDirectory()
    do {
        let log = try TestLog(temporary.path)
        let old = try #require(log.directory.topics["t"])
        try log.append(batch(["old"]))
        try log.settle()
        try log.directory.checkpoint()
        let partition = try log.partition
        try log.directory.deleteTopic("t")
        #expect(code { var bytes = batch(["zombie"]); _ = try bytes.withUnsafeMutableBytes { try partition.append($0) } } == .unknownTopicOrPartition)
        #expect(try log.directory.createTopic("t", partitions: 1).id != old.id)
        #expect(try log.partition.logEndOffset == 0 && log.directory.topic(old.id) == nil)
        // No orderly end: the old topic's recovery point must not count for the new one.
    }
    let log = try TestLog(temporary.path)
    #expect(try log.partition.logEndOffset == 0 && log.partition.damage == nil)
    try log.directory.close()
    #expect(try names(temporary.path + "/log/deleted").isEmpty)
}

@Test func whatAnUnfinishedCreationOrDeletionLeftIsRemoved() throws {
    let temporary = TemporaryDirectory()
    do { try TestLog(temporary.path).directory.close() }
    let stray = temporary.path + "/log/topics/stray-0"
    try copy(temporary.path + "/log/topics", to: temporary.path)
    try move(temporary.path + "/t-0", to: stray)
    let log = try TestLog(temporary.path)
    #expect(try names(temporary.path + "/log/topics") == ["t-0"])
    try log.directory.createTopic("stray", partitions: 1)
    try log.directory.close()
    #expect(try names(temporary.path + "/log/deleted").isEmpty)
}

@Test func metadataThatIsDamagedOrMissingStopsTheStart() throws {
    for file in ["topics.meta", "cluster.meta", "checkpoints"] {
        let temporary = TemporaryDirectory()
        do { try TestLog(temporary.path).directory.close() }
        let path = temporary.path + "/log/" + file
        var bytes = try contents(path)
        bytes[3] ^= 1
        try write(bytes, to: path)
        #expect(code { _ = try TestLog(temporary.path) } == .storageError, "\(file)")
        guard file != "checkpoints" else { continue }
        try remove(path)
        #expect(code { _ = try TestLog(temporary.path) } == .storageError, "\(file)")
    }
}

@Test func theFilesOfADirectoryAreAsDocumented() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path)
    let topic = try #require(log.directory.topics["t"])
    try log.append(batch(["a"]))
    try log.settle()
    let bytes = try log.partition.byteCount
    try log.directory.close()
    func lines(_ name: String) throws -> [String] {
        String(decoding: try contents(temporary.path + "/log/" + name), as: UTF8.self).split(separator: "\n").map(String.init)
    }
    #expect(try lines("topics.meta").dropLast() == ["millrace-topics 1", "topic \(topic.id) t 1"])
    #expect(try lines("checkpoints").dropLast() == ["millrace-checkpoints 1", "\(topic.id) 0 0 1 clean \(bytes)"])
    let cluster = try lines("cluster.meta")
    #expect(cluster.dropLast() == ["millrace-log 1", "cluster.id=\(log.directory.clusterID)", "node.id=1"])
    let checked = cluster.dropLast().map { $0 + "\n" }.joined()
    let digits = String(crc32c(checked.utf8), radix: 16)
    #expect(cluster.last == "crc32c " + String(repeating: "0", count: 8 - digits.count) + digits)
}

@Test func settingsOfATopicCanBeChanged() throws {
    let temporary = TemporaryDirectory()
    let log = try TestLog(temporary.path)
    let partition = try log.partition
    try log.directory.setOverrides(["max.message.bytes": "1024"], of: "t")
    #expect(partition.configuration.maxMessageBytes == 1024)
    #expect(code { try log.append(batch([String(repeating: "x", count: 1024)])) } == .messageTooLarge)
    #expect(code { try log.directory.setOverrides(["max.message.bytes": "no"], of: "t") } == .invalidConfiguration)
    #expect(log.directory.topics["t"]?.overrides == ["max.message.bytes": "1024"])
}
