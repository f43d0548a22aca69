extension LogDirectory {
    package func validateTopic(_ name: String, partitions: Int32, overrides: [String: String]) throws(StorageError) {}
    package func alterTopic(_ name: String, overrides: [String: String], validateOnly: Bool) throws(StorageError) {}
    package func configuration(of topic: Topic) -> LogConfiguration { LogConfiguration() }
    package var syncStatistics: (count: UInt64, seconds: Double) { (0, 0) }
}
