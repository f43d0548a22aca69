extension LogDirectory {
    /// Most partitions that a topic may have.
    package static let partitionLimit: Int32 = 10_000

    /// Makes a topic. Durable when it returns.
    /// - Throws: `invalidTopic`, `topicAlreadyExists`, `invalidPartitions`, `invalidConfiguration`, `storageError`.
    @discardableResult
    package func createTopic(
        _ name: String, partitions count: Int32, overrides: [String: String] = [:]
    ) throws(StorageError) -> Topic {
        try validateNewTopic(name, partitions: count, overrides: overrides)
        try environment.checkOnline()
        let topic = Topic(id: .random(), name: name, partitionCount: count, overrides: overrides)
        try createDirectories(topic, from: 0)
        topics[name] = topic
        do throws(StorageError) {
            try writeTopics()
        } catch {
            topics[name] = nil
            throw error
        }
        return topic
    }

    /// Whether `createTopic` would take this; nothing is made.
    package func validateNewTopic(_ name: String, partitions count: Int32, overrides: [String: String] = [:]) throws(StorageError) {
        try Topic.validate(name: name)
        guard topics[name] == nil else { throw StorageError(.topicAlreadyExists, "topic \(name) exists") }
        try validate(partitions: count)
        var configuration = defaults
        for (name, value) in overrides.sorted(by: { $0.key < $1.key }) {
            guard !value.contains(where: { $0.isWhitespace }) else {
                throw StorageError(.invalidConfiguration, "\(name) cannot be '\(value)': it has white space")
            }
            try configuration.set(name, to: value)
        }
    }

    private func validate(partitions count: Int32) throws(StorageError) {
        guard (1...Self.partitionLimit).contains(count) else {
            throw StorageError(.invalidPartitions, "a topic has 1 to \(Self.partitionLimit) partitions, not \(count)")
        }
    }

    private func createDirectories(_ topic: Topic, from first: Int32) throws(StorageError) {
        for partition in first..<topic.partitionCount {
            let directory = directory(TopicPartition(topic.name, partition))
            if Directories.exists(directory) {
                // Of a topic that was not made to the end.
                try Directories.rename(directory, to: "\(path)/deleted/\(TopicID.random())")
            }
            try Directories.create(directory)
        }
        try Directories.synchronize("\(path)/topics")
    }

    /// Gives a topic more partitions: `count` in all. Durable when it returns.
    /// - Throws: `unknownTopicOrPartition`, `invalidPartitions` when it has as many already, `storageError`.
    package func addPartitions(_ name: String, count: Int32) throws(StorageError) {
        guard let old = topics[name] else { throw StorageError(.unknownTopicOrPartition, "there is no topic \(name)") }
        try validate(partitions: count)
        guard count > old.partitionCount else {
            throw StorageError(.invalidPartitions, "topic \(name) has \(old.partitionCount) partitions already, \(count) is not more")
        }
        try environment.checkOnline()
        var topic = old
        topic.partitionCount = count
        try createDirectories(topic, from: old.partitionCount)
        topics[name] = topic
        do throws(StorageError) {
            try writeTopics()
        } catch {
            topics[name] = old
            throw error
        }
    }

    /// Changes a topic's settings to exactly these. Durable when it returns; it counts at once.
    /// - Throws: `unknownTopicOrPartition`, `invalidConfiguration`, `storageError`.
    package func setOverrides(_ overrides: [String: String], of name: String) throws(StorageError) {
        guard let old = topics[name] else { throw StorageError(.unknownTopicOrPartition, "there is no topic \(name)") }
        var topic = old
        topic.overrides = overrides
        let configuration = try configuration(of: topic)
        topics[name] = topic
        do throws(StorageError) {
            try writeTopics()
        } catch {
            topics[name] = old
            throw error
        }
        for log in partitions.values where log.name.topic == name {
            log.configuration = configuration
            log.uncleanable = nil
        }
        for partition in 0..<topic.partitionCount { closedDue[TopicPartition(name, partition)] = nil }
        try applyRetention(toTopic: name)
    }

    /// Deletes a topic with its records. It is gone when this returns; its files are removed in the background. What is being sent from them
    /// stays readable.
    /// - Throws: `unknownTopicOrPartition`, `storageError`.
    package func deleteTopic(_ name: String) throws(StorageError) {
        guard let topic = topics[name] else { throw StorageError(.unknownTopicOrPartition, "there is no topic \(name)") }
        try environment.checkOnline()
        topics[name] = nil
        do throws(StorageError) {
            try writeTopics()
        } catch {
            topics[name] = topic
            throw error
        }
        for partition in 0..<topic.partitionCount {
            let name = TopicPartition(topic.name, partition)
            if let log = partitions[name] { forget(log) }
            checkpoints[CheckpointFile.Key(topic: topic.id, partition: partition)] = nil
            closedDue[name] = nil
            // What cannot be moved now is at the next start: no topic has it.
            try? Directories.rename(directory(name), to: "\(path)/deleted/\(topic.id)-\(partition)")
        }
        removeDeleted()
    }
}
