/// What the shuffled job gives: all rows that are not late by their own partition's watermark, cut into windows whoever brought them,
/// as far as the smallest watermark closes them.
struct ShuffleOracle {
    private struct Window: Hashable {
        var key: String
        var start: Int64
        var end: Int64
        var events = 0
        var total = 0

        func json(_ name: String) -> String {
            "{\"\(name)\":\(key),\"window_start\":\(start),\"window_end\":\(end),\"events\":\(events),\"total\":\(total)}"
        }
    }

    private var kinds: [Window] = []
    private var amounts: [Window] = []
    private(set) var letters: [String] = []
    private var lowestWatermark = Int64.max

    init(_ world: World) {
        var toKinds: [SourceRecord] = []
        var toAmounts: [SourceRecord] = []
        for (partition, log) in world.broker.log.enumerated() {
            var watermark = Int64.min
            var seen: Set<Int> = []
            for (offset, record) in log {
                let place = "clicks/\(partition)@\(offset)"
                if let reason = Oracle.flaw(of: record) {
                    letters.append("\(place) \(reason)")
                    continue
                }
                watermark = max(watermark, record.time - World.outOfOrderness)
                guard seen.insert(record.id).inserted else { continue }
                let isLateForKinds = record.time - record.time % 10_000 + 10_000 <= watermark
                let isLateForAmounts = !record.isSkipped && record.time + World.gap <= watermark
                if isLateForKinds || isLateForAmounts { letters.append("\(place) late") }
                if !isLateForKinds { toKinds.append(record) }
                if !isLateForAmounts, !record.isSkipped { toAmounts.append(record) }
            }
            lowestWatermark = min(lowestWatermark, watermark)
        }
        kinds = Self.windows(toKinds, key: { "\($0.isSkipped)" }, own: { ($0 - $0 % 10_000, $0 - $0 % 10_000 + 10_000) }, areSessions: false)
            .filter { $0.end <= lowestWatermark }
        amounts = Self.windows(toAmounts, key: { "\($0.amount)" }, own: { ($0, $0 + World.gap) }, areSessions: true)
            .filter { [lowestWatermark] in $0.end + World.gap <= lowestWatermark }
    }

    private static func windows(
        _ records: [SourceRecord], key: (SourceRecord) -> String, own: (Int64) -> (Int64, Int64), areSessions: Bool
    ) -> [Window] {
        var found: [Window] = []
        for (key, records) in Dictionary(grouping: records, by: key) {
            var mine: [Window] = []
            for record in records.sorted(by: { $0.time < $1.time }) {
                let (start, end) = own(record.time)
                if let last = mine.last, areSessions ? start <= last.end : start == last.start {
                    mine[mine.count - 1].end = max(last.end, end)
                } else {
                    mine.append(Window(key: key, start: start, end: end))
                }
                mine[mine.count - 1].events += 1
                mine[mine.count - 1].total += record.amount
            }
            found += mine
        }
        return found
    }

    /// Rows of all files together.
    var rows: [String] { amounts.map { "\($0.key) \($0.start * 1_000) \($0.end * 1_000) \($0.events) \($0.total)" } }

    /// Values by topic.
    var outputs: [String: [String]] { ["kinds": kinds.map { $0.json("skip") }, "amounts": amounts.map { $0.json("amount") }] }
}
