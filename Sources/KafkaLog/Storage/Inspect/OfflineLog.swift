import Glibc

/// The segment files below a path, to be looked at without the directory's lock: nothing is written, and a broker may be at work on them.
package struct OfflineLog: Sendable {
    package struct Partition: Sendable {
        /// From the name of its directory; nil when that is none of a partition.
        package let name: TopicPartition?
        package let directory: String
        /// By base offset.
        package let segments: [Segment]

        /// Bytes of all segments.
        package var bytes: Int64 { segments.reduce(0) { $0 + $1.bytes } }
    }

    package struct Segment: Sendable {
        package let baseOffset: Int64
        /// Of the file of batches.
        package let path: String
        /// Bytes that the file had when it was looked up.
        package let bytes: Int64

        func path(_ suffix: String) -> String { "\(path.dropLast(4))\(suffix)" }
    }

    /// By name.
    package let partitions: [Partition]

    /// - Parameter path: a log directory, the directory of a partition, or one segment file.
    /// - Throws: `storageError` when it is none of these, or cannot be read.
    package init(path given: String) throws(StorageError) {
        guard let resolved = realpath(given, nil) else { throw .system("find", given, .last) }
        let path = String(cString: resolved)
        free(resolved)
        let expected = "expected a log directory, the directory of a partition, or a segment file such as 00000000000000000000.log"
        var status = stat()
        guard stat(path, &status) == 0 else { throw .system("examine", path, .last) }
        if status.st_mode & S_IFMT != S_IFDIR {
            let (directory, name) = Self.split(path)
            guard let base = Self.baseOffset(name) else { throw StorageError(.storageError, "\(given) is no segment: \(expected)") }
            partitions = [Partition(name: Self.name(of: directory), directory: directory, segments: [try Self.segment(base, path)])]
            return
        }
        if let partition = try Self.partition(path) {
            partitions = [partition]
            return
        }
        let parent = Directories.exists("\(path)/topics") ? "\(path)/topics" : path
        var found: [Partition] = []
        for name in try Directories.list(parent) {
            var status = stat()
            guard stat("\(parent)/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { continue }
            if let partition = try Self.partition("\(parent)/\(name)"), partition.name != nil { found.append(partition) }
        }
        guard !found.isEmpty || Directories.exists("\(path)/topics") else {
            throw StorageError(.storageError, "\(given) holds no segments: \(expected)")
        }
        partitions = found.sorted { ($0.name ?? TopicPartition("", 0)) < ($1.name ?? TopicPartition("", 0)) }
    }

    /// nil when there are no segments in it.
    private static func partition(_ directory: String) throws(StorageError) -> Partition? {
        var segments: [Segment] = []
        for name in try Directories.list(directory) {
            guard let base = Self.baseOffset(name) else { continue }
            segments.append(try segment(base, "\(directory)/\(name)"))
        }
        if segments.isEmpty { return nil }
        return Partition(name: name(of: directory), directory: directory, segments: segments.sorted { $0.baseOffset < $1.baseOffset })
    }

    private static func segment(_ base: Int64, _ path: String) throws(StorageError) -> Segment {
        Segment(baseOffset: base, path: path, bytes: try LogFile(path, .read).size())
    }

    private static func baseOffset(_ name: String) -> Int64? { KafkaLogStorage.Segment.offset(inName: name, suffix: ".log") }

    private static func split(_ path: String) -> (directory: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        return (slash == path.startIndex ? "/" : String(path[..<slash]), String(path[path.index(after: slash)...]))
    }

    private static func name(of directory: String) -> TopicPartition? {
        let name = split(directory).name
        guard let dash = name.lastIndex(of: "-"), let number = Int32(name[name.index(after: dash)...]), number >= 0, dash > name.startIndex
        else { return nil }
        return TopicPartition(String(name[..<dash]), number)
    }
}
