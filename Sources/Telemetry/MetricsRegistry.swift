import Synchronization

/// A metric's labels, in the order they are written.
package typealias MetricLabels = KeyValuePairs<String, String>

/// All metrics of a process, by family and labels, and their Prometheus text.
///
/// Asking twice for the same family and labels gives the same metric, so that a task that comes back goes on counting.
package final class MetricsRegistry: Sendable {
    private enum Metric: Sendable {
        case counter(Counter)
        case gauge(Gauge)
        /// A counter kept elsewhere, of which the value is set.
        case reading(Gauge)
        case histogram(Histogram)

        var type: String {
            switch self {
            case .counter, .reading: "counter"
            case .gauge: "gauge"
            case .histogram: "histogram"
            }
        }
    }

    private struct Family {
        var help: String
        var type: String
        var series: [(labels: String, metric: Metric)] = []
    }

    private struct State {
        var families: [String: Family] = [:]
        var collectors: [Int: @Sendable () -> Void] = [:]
        var nextCollector = 0
    }

    private let state = Mutex(State())

    package init() {}

    package func counter(_ name: String, help: String, _ labels: MetricLabels = [:]) -> Counter {
        let metric = metric(name, help, labels) { .counter(Counter()) }
        guard case .counter(let counter) = metric else { preconditionFailure("\(name) is a \(metric.type)") }
        return counter
    }

    package func gauge(_ name: String, help: String, _ labels: MetricLabels = [:]) -> Gauge {
        let metric = metric(name, help, labels) { .gauge(Gauge()) }
        guard case .gauge(let gauge) = metric else { preconditionFailure("\(name) is a \(metric.type)") }
        return gauge
    }

    /// A value that somebody else counts and that is set from there, shown as a counter or as a gauge.
    package func level(_ name: String, help: String, isCounter: Bool, _ labels: MetricLabels = [:]) -> Gauge {
        let metric = metric(name, help, labels) { isCounter ? .reading(Gauge()) : .gauge(Gauge()) }
        switch metric {
        case .gauge(let gauge), .reading(let gauge): return gauge
        case .counter, .histogram: preconditionFailure("\(name) is a \(metric.type)")
        }
    }

    /// Shows values that somebody else counts in place of all that the family had: a series that is not among them is gone.
    package func replace(_ name: String, help: String, isCounter: Bool, _ readings: [(labels: MetricLabels, value: Double)]) {
        let series = readings.map { reading in
            let gauge = Gauge()
            gauge.set(reading.value)
            return (labels: Self.text(reading.labels), metric: isCounter ? Metric.reading(gauge) : .gauge(gauge))
        }
        state.withLock { $0.families[name] = Family(help: help, type: isCounter ? "counter" : "gauge", series: series) }
    }

    package func histogram(
        _ name: String, help: String, _ labels: MetricLabels = [:], bounds: [Double] = Histogram.seconds
    ) -> Histogram {
        let metric = metric(name, help, labels) { .histogram(Histogram(bounds: bounds)) }
        guard case .histogram(let histogram) = metric else { preconditionFailure("\(name) is a \(metric.type)") }
        return histogram
    }

    /// Calls `collect` before each rendering, to set gauges that are read from elsewhere. Returns what ends it.
    package func onCollect(_ collect: @escaping @Sendable () -> Void) -> Int {
        state.withLock {
            $0.nextCollector += 1
            $0.collectors[$0.nextCollector] = collect
            return $0.nextCollector
        }
    }

    package func endCollect(_ token: Int) {
        state.withLock { _ = $0.collectors.removeValue(forKey: token) }
    }

    /// Forgets every series that carries all of `labels`: a partition that moved away must not be reported from here.
    package func remove(_ labels: MetricLabels) {
        let wanted = labels.map { Self.text([$0.key: $0.value]) }
        state.withLock { state in
            for name in state.families.keys {
                state.families[name]?.series.removeAll { series in wanted.allSatisfy { series.labels.contains($0) } }
            }
        }
    }

    private func metric(_ name: String, _ help: String, _ labels: MetricLabels, make: () -> Metric) -> Metric {
        let text = Self.text(labels)
        return state.withLock { state in
            if let found = state.families[name]?.series.first(where: { $0.labels == text }) { return found.metric }
            let metric = make()
            state.families[name, default: Family(help: help, type: metric.type)].series.append((text, metric))
            return metric
        }
    }

    private static func text(_ labels: MetricLabels) -> String {
        labels.map { key, value in
            var escaped = ""
            for character in value {
                switch character {
                case "\\": escaped += "\\\\"
                case "\"": escaped += "\\\""
                case "\n": escaped += "\\n"
                default: escaped.append(character)
                }
            }
            return "\(key)=\"\(escaped)\""
        }.joined(separator: ",")
    }

    /// All metrics in Prometheus' text format 0.0.4, families and series in a stable order.
    package func render() -> String {
        for collect in state.withLock({ Array($0.collectors.values) }) { collect() }
        let families = state.withLock { $0.families }
        var text = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) where !family.series.isEmpty {
            text += "# HELP \(name) \(family.help)\n# TYPE \(name) \(family.type)\n"
            for (labels, metric) in family.series.sorted(by: { $0.labels < $1.labels }) {
                let braces = labels.isEmpty ? "" : "{\(labels)}"
                switch metric {
                case .counter(let counter): text += "\(name)\(braces) \(counter.current)\n"
                case .gauge(let gauge), .reading(let gauge): text += "\(name)\(braces) \(Self.number(gauge.current))\n"
                case .histogram(let histogram): text += Self.render(name, labels, histogram)
                }
            }
        }
        return text
    }

    private static func render(_ name: String, _ labels: String, _ histogram: Histogram) -> String {
        let (ranges, sum) = histogram.current
        let prefix = labels.isEmpty ? "" : labels + ","
        let braces = labels.isEmpty ? "" : "{\(labels)}"
        var text = ""
        var cumulated = 0
        for (range, count) in ranges.enumerated() {
            cumulated += count
            let bound = range < histogram.bounds.count ? number(histogram.bounds[range]) : "+Inf"
            text += "\(name)_bucket{\(prefix)le=\"\(bound)\"} \(cumulated)\n"
        }
        return text + "\(name)_sum\(braces) \(number(sum))\n\(name)_count\(braces) \(cumulated)\n"
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int(exactly: value) { return String(whole) }
        return String(value)
    }
}
