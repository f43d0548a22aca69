import Batch
import Dataflow
import JobFile
import KafkaClient

/// The upper end of a shuffle in one task: collects what goes to other tasks in an epoch, as blocks for the partitions of the internal
/// topic. Every partition hears of the task's watermark in every epoch in which it moved, so that none waits for a task that
/// had nothing to say.
struct ShuffleOutput {
    enum Content {
        case rows(RowBlocks)
        /// The operator folds; this takes what it has.
        case partialWindows(WindowOperator)
    }

    let name: String
    let topic: String
    private let windows: [(kind: WindowKind, allowedLateness: Int64)]
    private let fingerprint: UInt64
    private let partitions: Int
    private let upstream: Int32
    private let upstreams: Int32
    private var content: Content
    private var watermark = EventTimeRange.noWatermark
    private var sentWatermark = EventTimeRange.noWatermark

    /// - Parameters:
    ///   - fingerprint: `JobPlan.blockFingerprint`.
    ///   - partitions: of the internal topic.
    ///   - upstream: the partition of this task.
    ///   - upstreams: of the topic that this task and its siblings read.
    init(_ plan: ShufflePlan, _ content: Content, fingerprint: UInt64, partitions: Int, upstream: Int32, upstreams: Int32) {
        name = plan.name
        topic = plan.topic
        windows = plan.windows
        self.fingerprint = fingerprint
        self.partitions = partitions
        self.upstream = upstream
        self.upstreams = upstreams
        self.content = content
    }

    /// Bytes that wait for the epoch's end.
    var size: Int {
        switch content {
        case .rows(let blocks): blocks.size
        case .partialWindows(let window): window.memory
        }
    }

    /// Takes the selected rows, but for those that are late for a window below: nobody down there could say so of them, with the
    /// record at hand and by their own partition's watermark.
    mutating func append(_ batch: Batch, fates: inout RowFates) {
        guard case .rows(var blocks) = content else { preconditionFailure("rows go into the window, which gives its partial ones") }
        // Given up while it grows: two owners would copy it.
        content = .rows(RowBlocks(schema: Schema([]), by: [], salt: 1, partitions: 1))
        defer { content = .rows(blocks) }
        var kept = batch
        kept.selection.removeAll(keepingCapacity: true)
        for row in batch.selection {
            let (time, watermark) = (batch.eventTimes[Int(row)], batch.watermarks[Int(row)])
            if let end = lateEnd(time, watermark) {
                fates.raise(Int(row), to: .late)
                fates.late.append(LateRow(row: row, transform: name, windowEnd: end, watermark: watermark))
            } else {
                fates.raise(Int(row), to: .aggregated)
                kept.selection.append(row)
            }
        }
        blocks.append(kept)
    }

    /// Where the first window ends for which a row is late; nil when it is late for none.
    private func lateEnd(_ time: Int64, _ watermark: Int64) -> Int64? {
        for (kind, allowedLateness) in windows {
            let end =
                switch kind {
                case .session(let gap, _): time + gap
                case .tumbling(let size): time - Self.remainder(time, size) + size
                }
            if end + allowedLateness <= watermark { return end }
        }
        return nil
    }

    private static func remainder(_ time: Int64, _ size: Int64) -> Int64 {
        let remainder = time % size
        return remainder < 0 ? remainder + size : remainder
    }

    /// The rows to come are all beyond `watermark`, as far as the stage above knows.
    mutating func advance(to watermark: Int64) { self.watermark = max(self.watermark, watermark) }

    /// Ends the epoch: everything since the last call, for the internal topic.
    mutating func take() -> OutgoingRecords {
        var records = OutgoingRecords()
        let all: [[(rows: Int, bytes: [UInt8])]]
        let kind: ShuffleBlock.Content
        switch content {
        case .rows(var blocks):
            all = (0..<partitions).map { blocks.take(partition: $0) }
            content = .rows(blocks)
            kind = .rows
        case .partialWindows(let window):
            all = window.takePartials(partitions: partitions)
            kind = .partialWindows
        }
        for (partition, blocks) in all.enumerated() {
            for (number, block) in blocks.enumerated() {
                // Only the last may say how far the task is: windows would be closed before the rest has come.
                let isLast = number == blocks.count - 1
                append(kind, block, isLast ? watermark : sentWatermark, to: partition, &records)
            }
            if blocks.isEmpty, watermark > sentWatermark { append(.none, (0, []), watermark, to: partition, &records) }
        }
        sentWatermark = watermark
        return records
    }

    private func append(
        _ content: ShuffleBlock.Content, _ block: (rows: Int, bytes: [UInt8]), _ watermark: Int64, to partition: Int,
        _ records: inout OutgoingRecords
    ) {
        let start = records.bytes.count
        ShuffleBlock(upstream: upstream, upstreams: upstreams, content: content, rows: block.rows, watermark: watermark, fingerprint: fingerprint)
            .append(to: &records.bytes)
        records.bytes.append(contentsOf: block.bytes)
        records.entries.append(
            .init(
                keyStart: 0, keyCount: -1, valueStart: Int32(start), valueCount: Int32(records.bytes.count - start),
                partition: Int32(partition)))
    }
}
