/// What a backfill has done since it began, over all its lives. Each delta of a task carries the task's totals in its header, so that
/// they are those of what is committed.
package struct ReplayTotals: Equatable, Sendable {
    package private(set) var ledger = Ledger()
    /// Rows by sink: the topic of a Kafka sink, the name of a Parquet sink.
    package private(set) var rows: [String: Int] = [:]
    /// Files by Parquet sink.
    package private(set) var files: [String: Int] = [:]

    private static let prefix = "replay."
    private static let rowsPrefix = "rows."
    private static let filesPrefix = "files."

    package init() {}

    /// Takes up what the header of a delta says.
    init(extras: [String: String]) {
        for (key, value) in extras where key.hasPrefix(Self.prefix) {
            guard let count = Int(value) else { continue }
            let name = String(key.dropFirst(Self.prefix.count))
            if name.hasPrefix(Self.rowsPrefix) {
                rows[String(name.dropFirst(Self.rowsPrefix.count))] = count
            } else if name.hasPrefix(Self.filesPrefix) {
                files[String(name.dropFirst(Self.filesPrefix.count))] = count
            } else if let reason = DeadLetterReason(rawValue: name) {
                ledger[reason] = count
            } else {
                switch name {
                case "consumed": ledger.consumed = count
                case "aggregated": ledger.aggregated = count
                case "filtered": ledger.filtered = count
                case "duplicate": ledger.duplicate = count
                default: break
                }
            }
        }
    }

    /// For the header of a delta.
    var extras: [String: String] {
        var extras: [String: String] = [:]
        func note(_ name: String, _ count: Int) { if count > 0 { extras[Self.prefix + name] = String(count) } }
        note("consumed", ledger.consumed)
        note("aggregated", ledger.aggregated)
        note("filtered", ledger.filtered)
        note("duplicate", ledger.duplicate)
        for reason in DeadLetterReason.allCases { note(reason.rawValue, ledger[reason]) }
        for (sink, count) in rows { note(Self.rowsPrefix + sink, count) }
        for (sink, count) in files { note(Self.filesPrefix + sink, count) }
        return extras
    }

    /// With what a task did in one epoch.
    func adding(_ epoch: FrozenTask) -> ReplayTotals {
        var totals = self
        totals.ledger += epoch.ledger
        for output in epoch.outputs { totals.rows[output.topic, default: 0] += output.records.count }
        for file in epoch.rolled {
            totals.rows[file.sink, default: 0] += file.rows
            totals.files[file.sink, default: 0] += 1
        }
        return totals
    }

    package static func += (left: inout ReplayTotals, right: ReplayTotals) {
        left.ledger += right.ledger
        left.rows.merge(right.rows, uniquingKeysWith: +)
        left.files.merge(right.files, uniquingKeysWith: +)
    }
}
