import Glibc

extension LogDirectory {
    /// Bytes in all segments of a partition. One that has not been opened stays closed: its files are looked at.
    /// - Throws: `unknownTopicOrPartition`; `storageError` when its directory cannot be read.
    package func byteCount(of name: TopicPartition) throws(StorageError) -> Int64 {
        if let log = partitions[name] { return log.byteCount }
        guard let topic = topics[name.topic], (0..<topic.partitionCount).contains(name.partition) else {
            throw StorageError(.unknownTopicOrPartition, "there is no partition \(name)")
        }
        let path = directory(name)
        var count: Int64 = 0
        for file in try Directories.list(path) where file.hasSuffix(".log") {
            var status = stat()
            // One that went meanwhile has no bytes.
            if stat("\(path)/\(file)", &status) == 0 { count += Int64(status.st_size) }
        }
        return count
    }
}
