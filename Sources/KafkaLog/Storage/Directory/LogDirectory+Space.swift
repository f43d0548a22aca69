extension LogDirectory {
    /// Finds out whether `bytes` can be written, by writing and removing them: free space as the device counts it says nothing of quotas.
    /// - Throws: `storageError` when they cannot.
    package func checkSpace(bytes: Int) throws(StorageError) {
        let probe = "\(path)/space.probe"
        let result = Result { () throws(StorageError) in
            try CheckedFile.write(probe, [UInt8](repeating: 0, count: bytes), operations: environment.operations, synchronize: false)
        }
        try Directories.removeFile(probe)
        _ = try result.get()
    }
}

extension LogDirectory {
    /// Bytes of the segments of each partition as they are on disk, without opening their logs.
    package func segmentBytes(of topic: Topic) -> [Int64] {
        (0..<topic.partitionCount).map { number in
            let directory = directory(TopicPartition(topic.name, number))
            guard let names = try? Directories.list(directory) else { return 0 }
            return names.reduce(0) { bytes, name in
                guard Segment.offset(inName: name, suffix: ".log") != nil else { return bytes }
                return bytes + ((try? LogFile("\(directory)/\(name)", .read).size()) ?? 0)
            }
        }
    }
}
