import Batch
import Dataflow

/// What windows must answer, the slow and obvious way: row by row, every window a list of its rows in the order in which
/// they were folded, aggregates computed from the list when it closes.
struct WindowModel {
    struct Window {
        var start: Int64
        var end: Int64
        var rows: Sum
    }

    /// The rows of a window in the order and grouping in which floats are added: a merge adds the later window's sum.
    struct Sum {
        var rows: [(row: TestRow, offset: Int)] = []
        /// Of each float sum (one an aggregate): what the order of additions made it.
        var doubles: [Double]
    }

    let definition: WindowDefinition
    var open: [String: [Window]] = [:]
    var offset = 0
    /// Windows closed since the last `take`.
    var closed: [(key: String, window: Window)] = []
    var late: [(offset: Int, windowEnd: Int64)] = []

    init(_ definition: WindowDefinition) { self.definition = definition }

    mutating func process(_ row: TestRow, watermark: Int64) {
        let watermark = watermark - definition.allowedLateness
        defer { offset += 1 }
        var windows = open[row.key] ?? []
        for window in windows where window.end <= watermark { closed.append((row.key, window)) }
        windows.removeAll { $0.end <= watermark }
        switch definition.kind {
        case .tumbling(let size):
            let start = Int64((Double(row.time) / Double(size)).rounded(.down)) * size
            if start + size <= watermark {
                late.append((offset, start + size))
            } else if let index = windows.firstIndex(where: { $0.start == start }) {
                add(row, to: &windows[index])
            } else {
                windows.append(Window(start: start, end: start + size, rows: empty))
                add(row, to: &windows[windows.count - 1])
            }
        case .session(let gap, nil): session(row, gap, watermark, &windows)
        case .session(let gap, let max?): cappedSession(row, gap, max, watermark, &windows)
        }
        open[row.key] = windows.isEmpty ? nil : windows
    }

    private var empty: Sum { Sum(doubles: definition.aggregates.map { _ in 0 }) }

    private mutating func session(_ row: TestRow, _ gap: Int64, _ watermark: Int64, _ windows: inout [Window]) {
        var merged = Window(start: row.time, end: row.time + gap, rows: empty)
        let touching = windows.filter { $0.start <= row.time + gap && row.time <= $0.end }.sorted { $0.start < $1.start }
        if touching.isEmpty, merged.end <= watermark {
            late.append((offset, merged.end))
            return
        }
        windows.removeAll { window in touching.contains { $0.start == window.start } }
        for (index, window) in touching.enumerated() { join(window, to: &merged, isFirst: index == 0) }
        add(row, to: &merged)
        windows.append(merged)
    }

    /// No session is longer than `max`, none overlaps another, and the row belongs to the one that holds its time.
    private mutating func cappedSession(
        _ row: TestRow, _ gap: Int64, _ max: Int64, _ watermark: Int64, _ windows: inout [Window]
    ) {
        windows.sort { $0.start < $1.start }
        var merged = Window(start: row.time, end: row.time + min(gap, max), rows: empty)
        var joined = false
        if let own = windows.lastIndex(where: { $0.start <= row.time && row.time <= $0.end && row.time < $0.start + max }) {
            let window = windows.remove(at: own)
            merged.start = window.start
            merged.end = Swift.max(window.end, min(row.time + gap, window.start + max))
            merged.rows = window.rows
            joined = true
        }
        while let next = windows.first(where: { $0.start > merged.start && $0.start <= merged.end }) {
            guard Swift.max(merged.end, next.end) - merged.start <= max else {
                merged.end = next.start
                break
            }
            windows.removeAll { $0.start == next.start }
            join(next, to: &merged, isFirst: !joined)
            joined = true
        }
        if !joined, merged.end <= watermark {
            late.append((offset, merged.end))
            return
        }
        add(row, to: &merged)
        windows.append(merged)
    }

    private func join(_ window: Window, to merged: inout Window, isFirst: Bool) {
        merged.start = min(merged.start, window.start)
        merged.end = max(merged.end, window.end)
        merged.rows.rows += window.rows.rows
        for index in definition.aggregates.indices {
            merged.rows.doubles[index] = isFirst ? window.rows.doubles[index] : merged.rows.doubles[index] + window.rows.doubles[index]
        }
    }

    private func add(_ row: TestRow, to window: inout Window) {
        window.rows.rows.append((row, offset))
        for (index, aggregate) in definition.aggregates.enumerated() where takes(aggregate, row) {
            if aggregate.argument == TestColumn.ratio { window.rows.doubles[index] += row.ratio ?? 0 }
        }
    }

    private func takes(_ aggregate: Aggregate, _ row: TestRow) -> Bool {
        if aggregate.condition == TestColumn.condition, row.condition != true { return false }
        // `first` and `last` are about rows: their values may be null.
        if aggregate.function == .first || aggregate.function == .last { return true }
        return aggregate.argument == nil || value(row, aggregate.argument!) != .null
    }

    private func value(_ row: TestRow, _ column: Int) -> Value {
        switch column {
        case TestColumn.key: .string(row.key)
        case TestColumn.time: .integer(row.time)
        case TestColumn.number: row.number.map { .integer($0) } ?? .null
        case TestColumn.ratio: row.ratio.map { Value($0) } ?? .null
        case TestColumn.price: row.price.map { .decimal($0) } ?? .null
        case TestColumn.text: row.text.map { .string($0) } ?? .null
        case TestColumn.flag: row.flag.map { .bool($0) } ?? .null
        default: .null
        }
    }

    /// Closes what has ended by `watermark` and gives everything closed since the last time, in order.
    mutating func take(watermark: Int64) -> [[Value]] {
        for (key, windows) in open {
            for window in windows where window.end <= watermark - definition.allowedLateness { closed.append((key, window)) }
            let left = windows.filter { $0.end > watermark - definition.allowedLateness }
            open[key] = left.isEmpty ? nil : left
        }
        return drain()
    }

    mutating func flush() -> [[Value]] {
        for (key, windows) in open { for window in windows { closed.append((key, window)) } }
        open = [:]
        return drain()
    }

    private mutating func drain() -> [[Value]] {
        defer { closed = [] }
        return closed.sorted {
            $0.window.end != $1.window.end
                ? $0.window.end < $1.window.end : $0.key.utf8.lexicographicallyPrecedes($1.key.utf8)
        }.map { key, window in
            [.string(key), .integer(window.start), .integer(window.end)]
                + definition.aggregates.indices.map { result($0, window.rows) }
        }
    }

    private func result(_ index: Int, _ rows: Sum) -> Value {
        let aggregate = definition.aggregates[index]
        let taken = rows.rows.filter { takes(aggregate, $0.row) }
        guard let column = aggregate.argument else { return .integer(Int64(taken.count)) }
        let values = taken.map { value($0.row, column) }
        if aggregate.function == .countDistinct { return .integer(Int64(Set(values.map(normalised)).count)) }
        if values.isEmpty { return .null }
        let byTime = taken.sorted { ($0.row.time, $0.offset) < ($1.row.time, $1.offset) }
        switch aggregate.function {
        case .first: return value(byTime.first!.row, column)
        case .last: return value(byTime.last!.row, column)
        case .min: return values.min { isLess($0, $1) }!
        case .max: return values.max { isLess($0, $1) }!
        case .sum: return sum(values, rows.doubles[index])
        case .avg: return average(values, rows.doubles[index])
        case .count, .countDistinct: return .integer(Int64(values.count))
        }
    }

    private func normalised(_ value: Value) -> Value { value == Value(-0.0) ? Value(0.0) : value }

    private func isLess(_ one: Value, _ other: Value) -> Bool {
        switch (one, other) {
        case (.integer(let one), .integer(let other)): one < other
        case (.double(let one), .double(let other)): Double(bitPattern: one) < Double(bitPattern: other)
        case (.decimal(let one), .decimal(let other)): one < other
        case (.string(let one), .string(let other)): one.utf8.lexicographicallyPrecedes(other.utf8)
        case (.bool(let one), .bool(let other)): !one && other
        default: false
        }
    }

    private func exact(_ values: [Value]) -> Int128 {
        values.reduce(0) { sum, value in
            switch value {
            case .integer(let value): sum + Int128(value)
            case .decimal(let value): sum + value
            default: sum
            }
        }
    }

    private func sum(_ values: [Value], _ double: Double) -> Value {
        switch values[0] {
        case .integer: Int64(exactly: exact(values)).map { .integer($0) } ?? .null
        case .decimal: .decimal(exact(values))
        default: Value(double)
        }
    }

    private func average(_ values: [Value], _ double: Double) -> Value {
        switch values[0] {
        case .integer: return Value(Double(exact(values)) / Double(values.count))
        case .decimal:
            // Four more places, half away from zero.
            let scaled = exact(values) * 10_000
            let count = Int128(values.count)
            let half = (scaled.magnitude * 2 + UInt128(count)) / (2 * UInt128(count))
            return .decimal(scaled < 0 ? -Int128(half) : Int128(half))
        default: return Value(double / Double(values.count))
        }
    }
}
