import Foundation
import KafkaLogStorage

/// `millrace log dump`: what is in segment files. Nothing is written, and no lock is taken.
struct LogDumpCommand {
    private let path: String
    private let showsRecords: Bool
    private let wanted: TopicPartition?
    private let from: Int64
    private let maxBytes: Int
    private let output: Output

    init(_ arguments: inout Arguments) throws(UsageError) {
        output = Output(isJSON: arguments.flag("--json"))
        showsRecords = arguments.flag("--records")
        from = Int64(try arguments.number("--from", in: 0...Int.max) ?? 0)
        maxBytes = try arguments.number("--max-bytes", in: 0...1 << 30) ?? 200
        wanted = try arguments.value("--partition").map { text throws(UsageError) in
            guard let slash = text.lastIndex(of: "/"), let number = Int32(text[text.index(after: slash)...]), number >= 0, slash > text.startIndex
            else { throw UsageError("--partition is TOPIC/NUMBER, not `\(text)`") }
            return TopicPartition(String(text[..<slash]), number)
        }
        path = try arguments.operand("log directory, partition directory or segment file")
    }

    func run() -> ExitCode {
        LogTarget.run(output) {
            let log = try OfflineLog(path: path)
            let partitions = log.partitions.filter { wanted == nil || $0.name == wanted }
            if let wanted, partitions.isEmpty {
                Program.finish(.failed, "millrace: \(path) has no partition \(wanted.topic)/\(wanted.partition)\n")
            }
            var isSound = true
            for partition in partitions {
                var dump = PartitionDump(partition, output, from: from, recordBytes: showsRecords ? maxBytes : nil)
                if try !dump.run() { isSound = false }
            }
            return isSound ? .done : .failed
        }
    }
}
