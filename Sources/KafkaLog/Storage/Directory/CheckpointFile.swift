/// The file `checkpoints`: how far each partition was known to be on disk, and whether it was closed in order.
///
///     millrace-checkpoints 1
///     <topic id> <partition> <log start offset> <recovery point> open
///     <topic id> <partition> <log start offset> <recovery point> clean <bytes in all segments>
enum CheckpointFile {
    struct Key: Hashable {
        let topic: TopicID
        let partition: Int32
    }

    private static let title = "millrace-checkpoints 1"

    static func encode(_ checkpoints: [Key: PartitionCheckpoint]) -> [String] {
        [title]
            + checkpoints
            .sorted { ($0.key.topic.high, $0.key.topic.low, $0.key.partition) < ($1.key.topic.high, $1.key.topic.low, $1.key.partition) }
            .map { "\($0.key.topic) \($0.key.partition) \($0.value.logStart) \($0.value.recoveryPoint) \(state($0.value))" }
    }

    private static func state(_ checkpoint: PartitionCheckpoint) -> String {
        guard checkpoint.isClean else { return "open" }
        return checkpoint.byteCount.map { "clean \($0)" } ?? "clean"
    }

    static func decode(_ lines: [String], path: String) throws(StorageError) -> [Key: PartitionCheckpoint] {
        guard lines.first == title else {
            throw StorageError(.storageError, "\(path) begins with '\(lines.first ?? "")', expected '\(title)': was it written by a newer version?")
        }
        var checkpoints: [Key: PartitionCheckpoint] = [:]
        for line in lines.dropFirst() {
            let fields = line.split(separator: " ").map(String.init)
            guard fields.count == 5 || fields.count == 6, let id = TopicID(hex: fields[0]), let partition = Int32(fields[1]), let logStart = Int64(fields[2]),
                let recoveryPoint = Int64(fields[3]), logStart >= 0, recoveryPoint >= 0, fields[4] == "clean" || fields[4] == "open"
            else {
                throw StorageError(.storageError, "\(path) has a line that is no checkpoint: \(line)")
            }
            checkpoints[Key(topic: id, partition: partition)] = PartitionCheckpoint(
                logStart: logStart, recoveryPoint: recoveryPoint, isClean: fields[4] == "clean",
                byteCount: fields.count == 6 ? Int64(fields[5]) : nil)
        }
        return checkpoints
    }
}
