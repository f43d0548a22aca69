import Batch
import Foundation
import KafkaLogStorage
import Parquet

/// A directory that goes away with this object, in memory where there is such a file system.
private final class Scratch {
    let path: String

    init() throws {
        let memory = "/dev/shm"
        let parent = access(memory, W_OK) == 0 ? memory : FileManager.default.temporaryDirectory.path
        path = "\(parent)/millrace-hot-paths-\(getpid())"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A partition with batches of a hundred records of 230 bytes.
private final class Partition {
    static let batchRecords = 100
    let partition: PartitionLog
    let batch: [UInt8]
    private let scratch: Scratch
    private let directory: LogDirectory

    init() throws {
        scratch = try Scratch()
        directory = try LogDirectory(
            path: scratch.path, nodeID: 1, durability: .never, defaults: LogConfiguration(), clock: { 1_767_225_600_000 })
        try directory.createTopic("clicks", partitions: 1)
        partition = try directory.partition(TopicPartition("clicks", 0))
        var clicks = Clicks(seed: 7)
        batch = RecordBatchBuilder(producerID: -1, producerEpoch: -1, baseSequence: -1, isTransactional: false)
            .build((0..<Self.batchRecords).map { _ in Record(timestamp: 1_767_225_600_000, key: nil, value: [UInt8](clicks.next().utf8)) })
    }

    func append() throws {
        var batch = batch
        _ = try batch.withUnsafeMutableBytes { bytes in try partition.append(bytes) }
    }
}

final class LogAppending: HotPath {
    let events = 40 * Partition.batchRecords
    private let log: Partition

    init() throws { log = try Partition() }

    func run() throws {
        for _ in 0..<events / Partition.batchRecords { try log.append() }
    }
}

/// Finding what a fetch request is answered with, 1 MiB at a time; the bytes themselves go from file to socket.
final class LogFetching: HotPath {
    let events = 200 * Partition.batchRecords
    private let log: Partition

    init() throws {
        log = try Partition()
        for _ in 0..<events / Partition.batchRecords { try log.append() }
    }

    func run() throws {
        var offset: Int64 = 0
        while offset < log.partition.logEndOffset {
            let found = try log.partition.read(from: offset, maxBytes: 1 << 20, minimumOneBatch: true, isolation: .readCommitted)
            guard let region = found.region else { return }
            offset += Int64(region.length / log.batch.count * Partition.batchRecords)
        }
    }
}

final class ParquetEncoding: HotPath {
    let events = 4_096
    private let scratch: Scratch
    private let batch: Batch

    init() throws {
        scratch = try Scratch()
        var clicks = Clicks(seed: 8)
        batch = clicks.batch(events)
    }

    func run() throws {
        var writer = try ParquetWriter(path: "\(scratch.path)/clicks.parquet", schema: batch.schema)
        try writer.write(batch.columns, rows: 0..<batch.rowCount)
        _ = try writer.finish()
    }
}
