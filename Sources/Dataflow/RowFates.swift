/// What became of a record. When a source feeds several branches, the greatest of its fates counts.
package enum RowFate: UInt8, Comparable, Sendable {
    /// Nobody has said anything yet.
    case pending = 0
    case filtered = 1
    case duplicate = 2
    case aggregated = 3
    case late = 4

    package static func < (one: RowFate, other: RowFate) -> Bool { one.rawValue < other.rawValue }
}

/// A record that came too late for its window: a dead letter.
package struct LateRow: Hashable, Sendable {
    /// In the source's batch.
    package var row: Int32
    package var transform: String
    /// Where the window that the row belongs to would have ended, microseconds.
    package var windowEnd: Int64
    /// The transform's watermark (allowed lateness already taken off) at the row.
    package var watermark: Int64

    package init(row: Int32, transform: String, windowEnd: Int64, watermark: Int64) {
        self.row = row
        self.transform = transform
        self.windowEnd = windowEnd
        self.watermark = watermark
    }

    /// For the dead letter's `millrace.detail` header.
    package var detail: String {
        "\(transform): its window would end at \(windowEnd), which the watermark \(watermark) has reached"
    }
}

/// The fates of the rows of one batch of a source, set by the operators that the batch goes through, read by the
/// runtime to balance its ledger.
package struct RowFates: Sendable {
    /// Raw values of `RowFate`, one a row.
    package var fates: [UInt8] = []
    /// The late rows, by transform in row order. A row that is late in two branches stands here twice.
    package var late: [LateRow] = []

    package init(rowCount: Int = 0) {
        reset(rowCount: rowCount)
    }

    /// Everything pending again, for a batch of `rowCount` rows.
    package mutating func reset(rowCount: Int) {
        fates.removeAll(keepingCapacity: true)
        fates.append(contentsOf: repeatElement(RowFate.pending.rawValue, count: rowCount))
        late.removeAll(keepingCapacity: true)
    }

    package subscript(row: Int) -> RowFate { RowFate(rawValue: fates[row]) ?? .pending }

    /// Sets `row` to `fate`, unless a greater one is there.
    package mutating func raise(_ row: Int, to fate: RowFate) {
        fates[row] = max(fates[row], fate.rawValue)
    }

    /// The number of rows with `fate`.
    package func count(_ fate: RowFate) -> Int {
        fates.reduce(0) { $0 + ($1 == fate.rawValue ? 1 : 0) }
    }
}
