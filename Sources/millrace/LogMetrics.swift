import KafkaLog
import KafkaLogStorage
import Telemetry

/// The embedded log's counters as metrics, read when somebody asks: names and labels are made only then.
struct LogMetrics {
    private let registry: MetricsRegistry

    init(_ registry: MetricsRegistry) { self.registry = registry }

    /// Reports `server` for as long as it lives.
    func follow(_ server: LogServer) {
        let registry = registry
        _ = registry.onCollect { [weak server] in
            guard let server else { return }
            LogMetrics(registry).show(server.statistics())
        }
    }

    private func show(_ now: LogStatistics) {
        set("millrace_log_usable", "1 if the log takes and gives records, else 0.", now.isUsable ? 1 : 0)
        set("millrace_log_disk_full_failures_total", "Writes that found no room on the log's device.", Double(now.diskFullFailures))
        set("millrace_log_bytes_in_total", "Bytes of record batches appended.", Double(now.bytesIn))
        set("millrace_log_bytes_out_total", "Bytes of record batches sent.", Double(now.bytesOut))
        set("millrace_log_records_in_total", "Records appended.", Double(now.recordsIn))
        set("millrace_log_records_out_total", "Records in the batches sent.", Double(now.recordsOut))
        set("millrace_log_connections", "Open connections.", Double(now.connections))
        set("millrace_log_connections_accepted_total", "Connections made.", Double(now.connectionsAccepted))
        set("millrace_log_connections_refused_total", "Connections refused since too many were open.", Double(now.connectionsRefused))
        set("millrace_log_malformed_requests_total", "Requests that closed their connection.", Double(now.malformedRequests))
        set("millrace_log_denied_requests_total", "Requests that the allow list denied, whole or in part.", Double(now.deniedRequests))
        set("millrace_log_failed_authentications_total", "Logins and TLS handshakes that failed.", Double(now.failedAuthentications))
        set("millrace_log_open_transactions", "Transactions under way.", Double(now.openTransactions))
        set("millrace_log_requests_total", "Requests.", now.requests.map { (labels: ["api": $0.key], value: Double($0.value)) })
        set("millrace_log_groups", "Consumer groups.", now.groupsByState.map { (labels: ["state": $0.key], value: Double($0.value)) })
        set("millrace_log_produce_duration_seconds", "From a Produce request's arrival to its answer.", now.produceDurations)
        set("millrace_log_fetch_duration_seconds", "From a Fetch request's arrival to its answer, without its wait.", now.fetchDurations)
        set("millrace_log_fsync_duration_seconds", "Time that fsync took, for one file.", now.fsyncDurations)
        showTopics(now.topics.sorted { $0.key < $1.key })
    }

    private func showTopics(_ topics: [(key: String, value: LogStatistics.Topic)]) {
        func set(_ name: String, _ help: String, _ value: (LogStatistics.Topic) -> Double) {
            self.set(name, help, topics.map { (labels: ["topic": $0.key], value: value($0.value)) })
        }
        set("millrace_log_topic_bytes_in_total", "Bytes of record batches appended.") { Double($0.bytesIn) }
        set("millrace_log_topic_bytes_out_total", "Bytes of record batches sent.") { Double($0.bytesOut) }
        set("millrace_log_topic_records_in_total", "Records appended.") { Double($0.recordsIn) }
        set("millrace_log_topic_records_out_total", "Records in the batches sent.") { Double($0.recordsOut) }
        set("millrace_log_topic_partitions", "Partitions.") { Double($0.partitions) }
        set("millrace_log_topic_bytes", "Bytes on disk.") { Double($0.logBytes) }
    }

    private func set(_ name: String, _ help: String, _ value: Double) {
        let none: MetricLabels = [:]
        set(name, help, [(none, value)])
    }

    private func set(_ name: String, _ help: String, _ readings: [(labels: MetricLabels, value: Double)]) {
        registry.replace(name, help: help, isCounter: name.hasSuffix("_total"), readings)
    }

    private static let bounds = DurationHistogram.bounds.map { Double($0) / 1e9 }

    private func set(_ name: String, _ help: String, _ durations: DurationHistogram) {
        registry.histogram(name, help: help, bounds: Self.bounds)
            .set(ranges: durations.counts.map { Int(clamping: $0) }, sum: Double(durations.sumNanoseconds) / 1e9)
    }
}
