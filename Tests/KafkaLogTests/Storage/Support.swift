import Foundation
import Glibc
import KafkaLogStorage
import Synchronization

/// A directory that goes away with this object.
final class TemporaryDirectory {
    let path: String

    /// - Parameter inMemory: for tests that open a log hundreds of times, which a disk's fsync would make slow.
    init(inMemory: Bool = false) {
        let memory = "/dev/shm"
        let parent = inMemory && access(memory, W_OK) == 0 ? memory : FileManager.default.temporaryDirectory.path
        path = parent + "/millrace-storage-" + UUID().uuidString
        mkdir(path, 0o700)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }
}

/// A clock that tests set.
final class ManualClock: Sendable {
    private let now: Mutex<Int64>

    init(_ milliseconds: Int64 = 1_700_000_000_000) { now = Mutex(milliseconds) }

    func advance(_ milliseconds: Int64) { now.withLock { $0 += milliseconds } }
    var milliseconds: Int64 { now.withLock { $0 } }
}

/// A log directory with one topic `t` of one partition, as most tests want it.
final class TestLog {
    let root: String
    let clock: ManualClock
    let directory: LogDirectory

    static let name = TopicPartition("t", 0)

    init(
        _ root: String, clock: ManualClock = ManualClock(), durability: Durability = .commit, operations: FileOperations = .system,
        compactionMemory: Int = 1 << 20, configure: (inout LogConfiguration) -> Void = { _ in }
    ) throws {
        self.root = root
        self.clock = clock
        var configuration = LogConfiguration()
        configure(&configuration)
        directory = try LogDirectory(
            path: root + "/log", nodeID: 1, durability: durability, defaults: configuration, clock: { clock.milliseconds },
            operations: operations, compactionMemory: compactionMemory)
        if directory.topics["t"] == nil { try directory.createTopic("t", partitions: 1) }
    }

    var partition: PartitionLog {
        get throws { try directory.partition(Self.name) }
    }

    static func partitionPath(_ root: String) -> String { root + "/log/topics/t-0" }

    static func segmentPath(_ root: String, _ base: Int64, _ suffix: String = ".log") -> String {
        partitionPath(root) + "/" + String(format: "%020lld", base) + suffix
    }

    @discardableResult
    func append(_ batch: [UInt8]) throws -> AppendResult {
        var batch = batch
        return try batch.withUnsafeMutableBytes { try partition.append($0) }
    }

    /// Waits until all that was appended is durable, or syncing has failed.
    @discardableResult
    func settle() throws -> SyncProgress {
        let partition = try partition
        directory.requestSync()
        var progress = SyncProgress()
        while partition.highWatermark < partition.logEndOffset && progress.failure == nil {
            let more = try nextCompletions()
            progress.partitions += more.partitions
            progress.journals += more.journals
            progress.failure = more.failure
        }
        return progress
    }

    /// Waits for the sync thread.
    func nextCompletions() throws -> SyncProgress {
        var descriptor = pollfd(fd: directory.completionDescriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&descriptor, 1, 60_000) == 1 else { throw TimedOut() }
        return directory.completeSyncs()
    }

    /// Lets the cleaner do all that there is to do, or as much as it can.
    func clean() throws -> [CompactionReport] {
        var reports: [CompactionReport] = []
        repeat {
            guard try directory.startCompaction() else { return reports + directory.drainCompactionReports() }
            while directory.isCompacting { _ = try nextCompletions() }
            reports += directory.drainCompactionReports()
        } while reports.allSatisfy { $0.failure == nil } && directory.failure == nil
        return reports
    }

    /// All records that a reader gets from `offset` on: as Kafka's consumer does it, without markers and, for `readCommitted`, without the
    /// batches of aborted transactions.
    func records(
        of name: TopicPartition = TestLog.name, from offset: Int64 = 0, isolation: IsolationLevel, maxBytes: Int = 1 << 20
    ) throws -> [Record] {
        let partition = try directory.partition(name)
        var records: [Record] = []
        var next = max(offset, partition.logStartOffset)
        while true {
            let fetched = try partition.read(from: next, maxBytes: maxBytes, minimumOneBatch: true, isolation: isolation)
            guard let region = fetched.region else { return records }
            var pending = fetched.abortedTransactions
            var dropped: Set<Int64> = []
            let bytes = try region.bytes()
            var position = 0
            for header in try headers(bytes) {
                let batch = Array(bytes[position..<position + header.totalSize])
                position += header.totalSize
                guard batch.withUnsafeBytes({ header.checksumMatches($0) }) else { throw WrongChecksum(offset: header.baseOffset) }
                while let first = pending.first, first.firstOffset <= header.lastOffset {
                    dropped.insert(first.producerID)
                    pending.removeFirst()
                }
                next = header.nextOffset
                if header.isControl {
                    if try EndTransactionMarker(batch: batch)?.isCommit == false { dropped.remove(header.producerID) }
                } else if !(header.isTransactional && dropped.contains(header.producerID)) {
                    var iterator = try RecordIterator(batch: batch)
                    while let record = try iterator.next() { if record.offset >= offset { records.append(record) } }
                }
            }
        }
    }

    /// All bytes that a reader gets from `offset` on, region after region.
    func readAll(from offset: Int64 = 0, isolation: IsolationLevel = .readUncommitted, maxBytes: Int = 1 << 20) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var offset = offset
        while let region = try partition.read(from: offset, maxBytes: maxBytes, minimumOneBatch: true, isolation: isolation).region {
            let part = try region.bytes()
            bytes += part
            for header in try headers(part) { offset = header.nextOffset }
        }
        return bytes
    }
}

struct TimedOut: Error {}
struct WrongChecksum: Error { let offset: Int64 }

func headers(_ bytes: [UInt8]) throws -> [RecordBatchHeader] {
    try bytes.withUnsafeBytes { bytes in
        var iterator = RecordBatchIterator(bytes)
        var headers: [RecordBatchHeader] = []
        while let header = try iterator.next() { headers.append(header) }
        return headers
    }
}

/// A batch of records with these values.
func batch(
    _ values: [String], timestamp: Int64 = 1_700_000_000_000, producer: Int64 = -1, epoch: Int16 = -1, sequence: Int32 = -1,
    transactional: Bool = false
) -> [UInt8] {
    RecordBatchBuilder(producerID: producer, producerEpoch: epoch, baseSequence: sequence, isTransactional: transactional)
        .build(values.map { Record(timestamp: timestamp, key: nil, value: [UInt8]($0.utf8)) })
}

/// The batch as it is in the log: with its offset.
func placed(_ batch: [UInt8], at offset: Int64) -> [UInt8] {
    withUnsafeBytes(of: offset.bigEndian) { [UInt8]($0) } + batch[8...]
}

func code(_ body: () throws -> Void) -> StorageError.Code? {
    do {
        try body()
        return nil
    } catch {
        return (error as? StorageError)?.code
    }
}

func contents(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
}

func write(_ bytes: [UInt8], to path: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path))
}

func bytes(hex: String) -> [UInt8] {
    let digits = Array(hex.utf8)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(String(decoding: digits[$0...$0 + 1], as: UTF8.self), radix: 16) ?? 0 }
}

/// CRC-32C, bit by bit: another implementation than the one that is tested.
func crc32c(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var crc: UInt32 = 0xffff_ffff
    for byte in bytes {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = (crc >> 1) ^ (0x82f6_3b78 & (0 &- (crc & 1))) }
    }
    return ~crc
}

/// A batch whose fields were changed, with its checksum made right again.
func withRightChecksum(_ batch: [UInt8]) -> [UInt8] {
    var batch = batch
    withUnsafeBytes(of: crc32c(batch[21...]).bigEndian) { batch.replaceSubrange(17..<21, with: $0) }
    return batch
}

func names(_ path: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path)
}

func remove(_ path: String) throws {
    try FileManager.default.removeItem(atPath: path)
}

/// Copies what is in one directory into another.
func copy(_ source: String, to target: String) throws {
    for name in try names(source) {
        try? FileManager.default.removeItem(atPath: target + "/" + name)
        try FileManager.default.copyItem(atPath: source + "/" + name, toPath: target + "/" + name)
    }
}

func move(_ source: String, to target: String) throws {
    try FileManager.default.moveItem(atPath: source, toPath: target)
}
