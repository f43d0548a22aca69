import KafkaLog
import Telemetry

/// The embedded log's counters as metrics, read when somebody asks.
struct LogMetrics {
    private let registry: MetricsRegistry

    init(_ registry: MetricsRegistry) { self.registry = registry }

    /// Reports `server` for as long as it lives.
    func follow(_ server: LogServer) {
        let registry = registry
        _ = registry.onCollect { [weak server] in
            guard let server else { return }
            let now = server.statistics()
            func set(_ name: String, _ help: String, _ value: Double, _ labels: MetricLabels = [:]) {
                registry.level(name, help: help, isCounter: name.hasSuffix("_total"), labels).set(value)
            }
            set("millrace_log_bytes_in_total", "Bytes of record batches appended.", Double(now.bytesIn))
            set("millrace_log_bytes_out_total", "Bytes of record batches sent.", Double(now.bytesOut))
            set("millrace_log_records_in_total", "Records appended.", Double(now.recordsIn))
            set("millrace_log_connections", "Open connections.", Double(now.connections))
            set("millrace_log_malformed_requests_total", "Requests that closed their connection.", Double(now.malformedRequests))
            set("millrace_log_fsyncs_total", "Group commits to disk.", Double(now.fsyncs))
            set("millrace_log_fsync_seconds_total", "Time spent in fsync.", now.fsyncSeconds)
            set("millrace_log_open_transactions", "Transactions under way.", Double(now.openTransactions))
            for (api, count) in now.requests { set("millrace_log_requests_total", "Requests.", Double(count), ["api": api]) }
            for (state, count) in now.groupsByState { set("millrace_log_groups", "Consumer groups.", Double(count), ["state": state]) }
            for (topic, of) in now.topics { set("millrace_log_topic_bytes", "Bytes on disk.", Double(of.logBytes), ["topic": topic]) }
        }
    }
}
