import Batch
import Formats
import Foundation

/// `millrace produce`: the lines of a file as records, keyed by one of their fields.
struct ProduceCommand {
    private static let linesAtOnce = 1_000

    private let topic: String
    private let brokers: BrokerAccess
    private let file: String
    private let key: String?

    init(_ arguments: inout Arguments) throws(UsageError) {
        guard let file = try arguments.value("--file") else { throw UsageError("produce needs --file F.jsonl (or - for standard input)") }
        self.file = file
        key = try arguments.value("--key")
        brokers = try arguments.brokers()
        topic = try arguments.operand("topic")
    }

    func run() -> ExitCode {
        let input = file == "-" ? stdinFile() : fopen(file, "r")
        guard let input else { Program.finish(.failed, "millrace: \(file): \(String(cString: strerror(errno)))\n") }
        defer { fclose(input) }
        var progress = Progress("produced")
        do {
            var session = try ProducingSession(brokers: brokers, topic: topic)
            var keys = KeyReader(key)
            var lines: [[UInt8]] = []
            var count = 0
            var buffer: UnsafeMutablePointer<CChar>?
            var capacity = 0
            defer { free(buffer) }
            while true {
                let length = getline(&buffer, &capacity, input)
                if length > 0, let buffer {
                    var line = [UInt8](UnsafeRawBufferPointer(start: buffer, count: length))
                    if line.last == UInt8(ascii: "\n") { line.removeLast() }
                    lines.append(line)
                }
                if lines.count == Self.linesAtOnce || (length < 0 && !lines.isEmpty) {
                    for (line, key) in zip(lines, keys.keys(of: lines)) { try session.send(key: key, value: line) }
                    count += lines.count
                    lines.removeAll(keepingCapacity: true)
                    progress.show(count, of: 0)
                }
                if length < 0 { break }
            }
            try session.finish()
            progress.show(count, of: count, force: true)
            progress.end()
            return .done
        } catch {
            progress.end()
            Program.finish(.failed, "millrace: produce: \(error)\n")
        }
    }

    private func stdinFile() -> UnsafeMutablePointer<FILE>? { fdopen(STDIN_FILENO, "r") }
}

/// The value of one string field of each line. A line without it, or that is no JSON, is a record without a key.
private struct KeyReader {
    private let decoder: Formats.JSONDecoder?
    private var batch: Batch
    private var failures: [DecodeFailure] = []

    init(_ field: String?) {
        decoder = field.map { Formats.JSONDecoder(fields: [DecodedField($0, .string)]) }
        batch = Batch(schema: decoder?.schema ?? Schema([]))
    }

    mutating func keys(of lines: [[UInt8]]) -> [[UInt8]?] {
        var keys = [[UInt8]?](repeating: nil, count: lines.count)
        guard let decoder else { return keys }
        var all: [UInt8] = []
        for line in lines { all += line }
        failures.removeAll()
        all.withUnsafeBytes { bytes in
            var start = 0
            let payloads = lines.map { line in
                defer { start += line.count }
                return UnsafeRawBufferPointer(rebasing: bytes[start..<start + line.count])
            }
            payloads.withUnsafeBufferPointer { decoder.decode($0, into: &batch, failures: &failures) }
        }
        for row in batch.selection { keys[Int(row)] = Array(batch.columns[0].string(at: Int(row)).utf8) }
        return keys
    }
}
