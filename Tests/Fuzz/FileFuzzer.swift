import CShims
import Foundation
import KafkaLogCoordination
import KafkaLogGroups
import KafkaLogStorage
import KafkaLogTransactions

/// An input is a byte that names a file of a log directory, and what that file holds. A start may refuse it with an error;
/// what it accepts has to be readable.
final class FileFuzzer {
    private enum File: UInt8, CaseIterable {
        case journal, journalEntries, segment, offsetIndex, timeIndex, snapshot, transactionIndex, coordinatorEntry
    }

    private let template = scratchDirectory("template")
    private let root = scratchDirectory("files")
    private static let name = KafkaLogStorage.TopicPartition("t", 0)
    private static let closedSegment = "topics/t-0/00000000000000000000"

    init() {
        do {
            try FileFuzzer.makeTemplate(template)
        } catch {
            finding("no template: \(error)")
        }
    }

    static func open(_ root: String) throws(StorageError) -> LogDirectory {
        var configuration = LogConfiguration()
        configuration.segmentBytes = 2048
        configuration.indexIntervalBytes = 128
        return try LogDirectory(path: root, nodeID: 1, durability: .never, defaults: configuration, clock: { 1_700_000_000_000 })
    }

    /// Two segments, transactions that were aborted, and a journal.
    static func makeTemplate(_ path: String) throws {
        let directory = try open(path)
        try directory.createTopic("t", partitions: 1)
        let log = try directory.partition(name)
        for number in 0..<40 {
            var batch = RecordBatchBuilder(producerID: 7, producerEpoch: 0, baseSequence: Int32(number), isTransactional: true)
                .build([Record(timestamp: 1_700_000_000_000 + Int64(number), key: nil, value: [UInt8(number)])])
            _ = try batch.withUnsafeMutableBytes { bytes throws(StorageError) in try log.append(bytes) }
            if number % 5 == 4 {
                _ = try log.appendMarker(producerID: 7, producerEpoch: 0, commit: number % 2 == 0, coordinatorEpoch: 0)
            }
        }
        let journal = try directory.journal("coordinators") { _ in }
        _ = try journal.append([JournalEntry(key: [1, 2], value: [3])])
        try directory.close()
    }

    func run(_ input: [UInt8]) {
        guard let first = input.first else { return }
        let file = File.allCases[Int(first) % File.allCases.count]
        let contents = Array(input.dropFirst())
        if file == .coordinatorEntry { return restore(contents) }
        try? FileManager.default.removeItem(atPath: root)
        do {
            try FileManager.default.copyItem(atPath: template, toPath: root)
            // A clean stop would let the start trust what is damaged here.
            if first & 0x80 != 0 { try FileManager.default.removeItem(atPath: root + "/checkpoints") }
            try write(contents, as: file)
        } catch {
            finding("\(error)")
        }
        do throws(StorageError) {
            try use()
        } catch {
            // Refused with a reason: good.
        }
    }

    private func write(_ contents: [UInt8], as file: File) throws {
        func put(_ path: String, _ bytes: [UInt8]) throws {
            try Data(bytes).write(to: URL(fileURLWithPath: root + "/" + path))
        }
        switch file {
        case .journal: try put("journals/coordinators.journal", contents)
        case .journalEntries: try put("journals/coordinators.journal", Array("MRJL".utf8) + [0, 0, 0, 1] + frame(contents))
        case .segment: try put(FileFuzzer.closedSegment + ".log", contents)
        case .offsetIndex: try put(FileFuzzer.closedSegment + ".index", contents)
        case .timeIndex: try put(FileFuzzer.closedSegment + ".timeindex", contents)
        case .snapshot:
            for name in try FileManager.default.contentsOfDirectory(atPath: root + "/topics/t-0") where name.hasSuffix(".snapshot") {
                let old = [UInt8](try Data(contentsOf: URL(fileURLWithPath: root + "/topics/t-0/" + name)))
                guard old.count >= 18 else { continue }
                // The offset is in its name as well; the rest is the input's.
                let body = old[10..<18] + contents
                try put("topics/t-0/" + name, old[..<6] + bigEndian(checksum(Array(body))) + body)
            }
        case .transactionIndex: try put(FileFuzzer.closedSegment + ".txnindex", contents)
        case .coordinatorEntry: break
        }
    }

    private func frame(_ payload: [UInt8]) -> [UInt8] {
        let checked = bigEndian(UInt32(payload.count)) + payload
        return Array("MRJF".utf8) + checked[..<4] + bigEndian(checksum(checked)) + payload
    }

    private func bigEndian(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { [UInt8]($0) } }

    private func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { millrace_crc32c(0, $0.baseAddress, $0.count) } }

    private func use() throws(StorageError) {
        let directory = try FileFuzzer.open(root)
        let journal = try directory.journal("coordinators") { restore(key: $0.key, value: $0.value) }
        let log = try directory.partition(FileFuzzer.name)
        var offset = log.logStartOffset
        while offset < log.logEndOffset {
            let result = try log.read(from: offset, maxBytes: 1_000, minimumOneBatch: true, isolation: .readCommitted)
            guard result.region != nil else { break }
            offset += 1
        }
        for timestamp in [0, 1_700_000_000_010, Int64.max] { _ = try log.offset(atOrAfter: timestamp, isolation: .readUncommitted) }
        _ = try log.offsetOfMaximumTimestamp()
        _ = try journal.append([JournalEntry(key: [9], value: nil)])
        try directory.applyRetention()
        try directory.close()
    }

    /// A length of the key, the key, and the value.
    private func restore(_ contents: [UInt8]) {
        guard let length = contents.first, contents.count > Int(length) else { return }
        restore(key: Array(contents[1..<1 + Int(length)]), value: Array(contents.dropFirst(1 + Int(length))))
    }

    private func restore(key: [UInt8], value: [UInt8]?) {
        let record = CoordinatorRecord(key: key, value: value)
        let now = CoordinatorTime(monotonicMilliseconds: 0, wallMilliseconds: 1_700_000_000_000)
        if TransactionCoordinator.owns(record) {
            let coordinator = TransactionCoordinator(configuration: .init())
            guard (try? coordinator.restore(record)) != nil else { return }
            _ = coordinator.start(now)
        } else {
            let coordinator = GroupCoordinator(configuration: .init())
            guard (try? coordinator.restore(record)) != nil else { return }
            _ = coordinator.start(now)
            for deadline in [coordinator.nextDeadline].compactMap(\.self) {
                _ = coordinator.tick(CoordinatorTime(monotonicMilliseconds: deadline, wallMilliseconds: now.wallMilliseconds))
            }
        }
    }
}
