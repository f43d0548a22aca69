import CShims
import Foundation
import KafkaLogStorage

/// An input is a byte of options and a record batch. Its length and checksum are put right unless the options say no, as any
/// client can do that; it is appended, and everything is asked that a client can ask of a partition.
final class BatchFuzzer {
    private let root = scratchDirectory("batches")
    private var directory: LogDirectory
    private var appended = 0
    private static let name = KafkaLogStorage.TopicPartition("t", 0)

    init() { directory = BatchFuzzer.open(root) }

    private static func open(_ root: String) -> LogDirectory {
        var configuration = LogConfiguration()
        configuration.segmentBytes = 16 << 10
        configuration.indexIntervalBytes = 256
        configuration.retentionBytes = 256 << 10
        do {
            let directory = try LogDirectory(
                path: root, nodeID: 1, durability: .never, defaults: configuration, clock: { 1_700_000_000_000 })
            if directory.topics["t"] == nil { try directory.createTopic("t", partitions: 1) }
            return directory
        } catch {
            finding("a log that was closed does not open: \(error.message)")
        }
    }

    func run(_ input: [UInt8]) {
        guard let options = input.first, input.count > 1 else { return }
        var batch = Array(input.dropFirst())
        if options & 1 == 0 { BatchFuzzer.putRight(&batch) }
        _ = try? EndTransactionMarker(batch: batch)
        if var records = try? RecordIterator(batch: batch) { while (try? records.next()) != nil {} }
        do throws(StorageError) {
            try use(&batch, options)
        } catch {
            if error.code == .storageError { finding("what was appended cannot be read: \(error.message)") }
        }
        appended += 1
        if appended % 2_000 == 0 { reopen() }
    }

    private func use(_ batch: inout [UInt8], _ options: UInt8) throws(StorageError) {
        let log = try directory.partition(BatchFuzzer.name)
        let before = log.logEndOffset
        var failure: StorageError?
        var result: AppendResult?
        batch.withUnsafeMutableBytes { bytes in
            do throws(StorageError) { result = try log.append(bytes) } catch { failure = error }
        }
        if let failure {
            if log.logEndOffset != before { finding("a refused batch moved the end of the log: \(failure.message)") }
            throw failure
        }
        guard let result else { return }
        if !result.isDuplicate && log.logEndOffset != result.lastOffset + 1 { finding("the log ends elsewhere than its last batch") }
        if options & 2 != 0 {
            for producer in log.ongoingTransactions.prefix(4) {
                guard let epoch = log.epoch(ofProducer: producer.producerID) else { continue }
                _ = try log.appendMarker(producerID: producer.producerID, producerEpoch: epoch, commit: options & 4 != 0, coordinatorEpoch: 0)
            }
        }
        for isolation in [IsolationLevel.readUncommitted, .readCommitted] {
            for offset in [log.logStartOffset, result.baseOffset, result.lastOffset] where offset >= log.logStartOffset && offset <= log.logEndOffset {
                _ = try log.read(from: offset, maxBytes: 1_000, minimumOneBatch: true, isolation: isolation)
            }
            for timestamp in [0, 1_700_000_000_000, Int64.max] { _ = try log.offset(atOrAfter: timestamp, isolation: isolation) }
        }
        _ = try log.offsetOfMaximumTimestamp()
        if options & 8 != 0 {
            directory.producerExpiration = options & 16 != 0 ? 0 : 86_400_000
            try directory.applyRetention()
        }
    }

    /// What was there is there again, after a close or, as it seems to the new one, after a crash.
    private func reopen() {
        do throws(StorageError) {
            let end = try directory.partition(BatchFuzzer.name).logEndOffset
            try directory.close()
            if appended % 20_000 == 0 {
                try? FileManager.default.removeItem(atPath: root)
                directory = BatchFuzzer.open(root)
                return
            }
            if appended % 4_000 == 0 { try? FileManager.default.removeItem(atPath: root + "/checkpoints") }
            directory = BatchFuzzer.open(root)
            let again = try directory.partition(BatchFuzzer.name).logEndOffset
            if again != end { finding("the log ended at \(end), and opened again at \(again)") }
        } catch {
            finding("closing or opening: \(error.message)")
        }
    }

    /// Sets length and checksum as a client would.
    static func putRight(_ batch: inout [UInt8]) {
        guard batch.count >= RecordBatchHeader.size else { return }
        batch.withUnsafeMutableBytes { putRight($0) }
    }

    static func putRight(_ batch: UnsafeMutableRawBufferPointer) {
        guard batch.count >= RecordBatchHeader.size else { return }
        batch.storeBytes(of: Int32(batch.count - RecordBatchHeader.lengthPrefix).bigEndian, toByteOffset: 8, as: Int32.self)
        batch[16] = 2
        batch.storeBytes(of: millrace_crc32c(0, batch.baseAddress! + 21, batch.count - 21).bigEndian, toByteOffset: 17, as: UInt32.self)
    }
}
