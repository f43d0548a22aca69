import Foundation
import KafkaLogStorage

/// Shows one partition's segments, then its producers and transactions.
struct PartitionDump {
    private let partition: OfflineLog.Partition
    private let output: Output
    /// Batches that end before it are not shown; they count for producers and transactions.
    private let from: Int64
    /// How much of a key or value is shown; nil: records are not shown.
    private let recordBytes: Int?
    private var ledger = ProducerLedger()
    private var isSound = true

    init(_ partition: OfflineLog.Partition, _ output: Output, from: Int64, recordBytes: Int?) {
        self.partition = partition
        self.output = output
        self.from = from
        self.recordBytes = recordBytes
    }

    /// Whether everything that was acknowledged can be read: what is left of an append at the very end is no damage.
    mutating func run() throws -> Bool {
        if !output.isJSON { output.line(partition.name.map { "partition \($0.topic)/\($0.partition)" } ?? partition.directory) }
        var expected: Int64?
        for (index, segment) in partition.segments.enumerated() {
            if let expected, segment.baseOffset != expected { gap(expected, segment.baseOffset) }
            expected = try dump(segment, isLast: index == partition.segments.count - 1)
        }
        showProducers()
        return isSound
    }

    private func object(_ type: String, _ fields: [(key: String, value: Cell)]) {
        var all: [(key: String, value: Cell)] = [("type", .text(type))]
        if let name = partition.name { all += [("topic", .text(name.topic)), ("partition", .number(Int64(name.partition)))] }
        output.object(all + fields)
    }

    // MARK: Segments

    /// Returns the offset behind it.
    private mutating func dump(_ segment: OfflineLog.Segment, isLast: Bool) throws -> Int64 {
        if output.isJSON {
            object("segment", [("path", .text(segment.path)), ("base_offset", .number(segment.baseOffset)), ("bytes", .number(segment.bytes))])
        } else {
            output.line("segment \(segment.path), \(segment.bytes) bytes")
        }
        var reader = try SegmentReader(segment)
        var indexes = try IndexCheck(segment)
        while let finding = try reader.next() {
            switch finding {
            case .batch(let header, let position, let isChecksumRight):
                try take(header, at: position, isChecksumRight, &reader, &indexes)
            case .gap(let start, let end): gap(start, end)
            case .damage(let damage): show(damage, isTail: damage.isAtEnd && isLast)
            }
        }
        for report in try indexes.reports() { show(report) }
        return reader.nextOffset
    }

    private mutating func take(
        _ header: RecordBatchHeader, at position: Int64, _ isChecksumRight: Bool, _ reader: inout SegmentReader, _ indexes: inout IndexCheck
    ) throws {
        indexes.take(header, at: position)
        let isWanted = header.nextOffset > from
        let needsBytes = isChecksumRight && (header.isControl || (isWanted && recordBytes != nil))
        let bytes = needsBytes ? try reader.bytes(of: header, at: position) : []
        let marker = header.isControl && isChecksumRight ? (try? EndTransactionMarker(batch: bytes)) ?? nil : nil
        if isChecksumRight { ledger.take(header, marker: marker) }
        guard isWanted else { return }
        show(header, at: position, isChecksumRight, marker)
        if let recordBytes, isChecksumRight, !header.isControl { showRecords(bytes, header, recordBytes) }
    }

    private func show(_ header: RecordBatchHeader, at position: Int64, _ isChecksumRight: Bool, _ marker: EndTransactionMarker?) {
        let compression = header.compression.map { "\($0)" } ?? "codec \(header.attributes & 7)"
        let control = header.isControl ? marker.map { $0.isCommit ? "commit" : "abort" } ?? "unknown" : nil
        if output.isJSON {
            let hasSequence = header.hasProducer && header.baseSequence >= 0
            return object(
                "batch",
                [
                    ("base_offset", .number(header.baseOffset)), ("last_offset", .number(header.lastOffset)), ("position", .number(position)),
                    ("bytes", .number(Int64(header.totalSize))), ("records", .number(Int64(header.recordCount))),
                    ("compression", .text(compression)), ("timestamp_type", .text(header.usesLogAppendTime ? "LogAppendTime" : "CreateTime")),
                    ("base_timestamp", .number(header.baseTimestamp)), ("max_timestamp", .number(header.maxTimestamp)),
                    ("producer_id", header.hasProducer ? .number(header.producerID) : .none),
                    ("producer_epoch", header.hasProducer ? .number(Int64(header.producerEpoch)) : .none),
                    ("base_sequence", hasSequence ? .number(Int64(header.baseSequence)) : .none),
                    ("last_sequence", hasSequence ? .number(Int64(header.lastSequence)) : .none),
                    ("transactional", .flag(header.isTransactional)), ("control", control.map { .text($0) } ?? .none),
                    ("crc_ok", .flag(isChecksumRight)),
                ])
        }
        var words = [
            Output.pad("\(header.baseOffset)-\(header.lastOffset)", 17, right: false), Output.pad("@\(position)", 11, right: true),
            Output.pad("\(header.totalSize) B", 10, right: true), Output.pad("\(header.recordCount) records", 14, right: true),
            Output.pad(compression, 6, right: false), Self.time(header.maxTimestamp),
        ]
        if header.hasProducer {
            words.append("producer \(header.producerID)/\(header.producerEpoch)")
            if header.baseSequence >= 0 { words.append("sequence \(header.baseSequence)-\(header.lastSequence)") }
        }
        if let control { words.append("control: \(control)") } else if header.isTransactional { words.append("transactional") }
        if !isChecksumRight { words.append("CRC WRONG") }
        output.line("  " + words.joined(separator: "  "))
    }

    private static func time(_ milliseconds: Int64) -> String {
        guard milliseconds >= 0 else { return "no timestamp" }
        return Date(timeIntervalSince1970: Double(milliseconds) / 1000).formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    private mutating func gap(_ start: Int64, _ end: Int64) {
        if output.isJSON { return object("gap", [("from", .number(start)), ("to", .number(end - 1))]) }
        output.line("  no offsets \(start)-\(end - 1): removed by a compaction, or a file is missing")
    }

    private mutating func show(_ damage: SegmentReader.Damage, isTail: Bool) {
        if !isTail { isSound = false }
        if output.isJSON {
            return object(
                isTail ? "tail" : "damage",
                [
                    ("position", .number(damage.position)), ("bytes", .number(damage.bytes)), ("offset", .number(damage.offset)),
                    ("reason", .text(damage.reason)),
                ])
        }
        output.line(
            isTail
                ? "  the last \(damage.bytes) bytes, at \(damage.position), are an append under way or one cut short: \(damage.reason)"
                : "  DAMAGED: \(damage.bytes) bytes at \(damage.position), where offset \(damage.offset) belongs: \(damage.reason)")
    }

    private mutating func show(_ report: IndexCheck.Report) {
        guard output.isJSON else {
            if let problem = report.problem { output.line("  index \(report.path): \(problem); a broker makes it again") }
            return
        }
        object(
            "index",
            [
                ("path", .text(report.path)), ("entries", report.entries.map { .number(Int64($0)) } ?? .none),
                ("problem", report.problem.map { .text($0) } ?? .none),
            ])
    }

    // MARK: Records

    private func showRecords(_ batch: [UInt8], _ header: RecordBatchHeader, _ limit: Int) {
        do throws(StorageError) {
            var records = try RecordIterator(batch: batch)
            while let record = try records.next() {
                if record.offset >= from { show(record, limit) }
            }
        } catch {
            if output.isJSON {
                object("unread", [("base_offset", .number(header.baseOffset)), ("reason", .text(error.message))])
            } else {
                output.line("    records not shown: \(error.message)")
            }
        }
    }

    private func show(_ record: Record, _ limit: Int) {
        if output.isJSON {
            var fields: [(key: String, value: Cell)] = [("offset", .number(record.offset)), ("timestamp", .number(record.timestamp))]
            fields += Payload.fields("key", record.key, limit: limit)
            fields += Payload.fields("value", record.value, limit: limit)
            let headers = record.headers.map { header in
                Output.json([("name", .text(header.name))] + Payload.fields("value", header.value, limit: limit))
            }
            fields.append(("headers", .json("[" + headers.joined(separator: ",") + "]")))
            return object("record", fields)
        }
        func line(_ bytes: [UInt8]?) -> String { bytes.map { Payload($0, limit: limit).line } ?? "null" }
        var text = "    \(record.offset)  \(Self.time(record.timestamp))  \(line(record.key)) = \(line(record.value))"
        if !record.headers.isEmpty { text += "  {" + record.headers.map { "\($0.name): \(line($0.value))" }.joined(separator: ", ") + "}" }
        output.line(text)
    }

    // MARK: Producers

    private func showProducers() {
        let open = ledger.producers.compactMap { producer in producer.transactionStart.map { (producer, $0) } }
        if output.isJSON {
            for producer in ledger.producers {
                object(
                    "producer",
                    [
                        ("producer_id", .number(producer.id)), ("epoch", .number(Int64(producer.epoch))),
                        ("last_sequence", producer.lastSequence.map { .number(Int64($0)) } ?? .none),
                        ("last_offset", producer.lastOffset.map { .number($0) } ?? .none),
                        ("transaction_start", producer.transactionStart.map { .number($0) } ?? .none),
                    ])
            }
            for transaction in ledger.aborted {
                object(
                    "transaction",
                    [
                        ("state", .text("aborted")), ("producer_id", .number(transaction.producerID)),
                        ("first_offset", .number(transaction.firstOffset)), ("last_offset", .number(transaction.lastOffset)),
                    ])
            }
            for (producer, start) in open {
                object(
                    "transaction",
                    [
                        ("state", .text("open")), ("producer_id", .number(producer.id)), ("first_offset", .number(start)), ("last_offset", .none),
                    ])
            }
            return
        }
        if !ledger.producers.isEmpty {
            output.line("producers")
            output.table(
                "producer",
                ledger.producers.map { producer in
                    [
                        "": .text(""), "producer": .number(producer.id), "epoch": .number(Int64(producer.epoch)),
                        "last_sequence": producer.lastSequence.map { .number(Int64($0)) } ?? .none,
                        "last_offset": producer.lastOffset.map { .number($0) } ?? .none,
                    ]
                })
        }
        guard !ledger.aborted.isEmpty || !open.isEmpty || ledger.committed > 0 else { return }
        output.line("transactions: \(ledger.committed) committed, \(ledger.aborted.count) aborted, \(open.count) open")
        for aborted in ledger.aborted {
            output.line("  aborted  producer \(aborted.producerID)  offsets \(aborted.firstOffset)-\(aborted.lastOffset)")
        }
        for (producer, start) in open { output.line("  open     producer \(producer.id)  from offset \(start)") }
    }
}
