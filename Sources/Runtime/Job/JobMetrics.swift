import Telemetry

/// The metrics of a job that are counted at its commits: what they say has been committed.
package struct JobMetrics: Sendable {
    private let registry: MetricsRegistry
    private let job: String
    let commits: Counter
    let commitFailures: Counter
    let commitDuration: Histogram
    let freezeDuration: Histogram
    let lastCommit: Gauge
    let deltaBytes: Counter
    let recoveryDuration: Histogram
    let latency: Histogram
    /// Of the job's thread: making deltas, storing them, Parquet files, the transaction.
    let delta: Counter
    let storage: Counter
    let files: Counter
    let transaction: Counter

    package init(_ registry: MetricsRegistry, job: String) {
        self.registry = registry
        self.job = job
        let labels: MetricLabels = ["job": job]
        commits = registry.counter("millrace_commits_total", help: "Epochs committed.", labels)
        commitFailures = registry.counter("millrace_commit_failures_total", help: "Steps of a commit that failed and were tried again.", labels)
        commitDuration = registry.histogram(
            "millrace_commit_duration_seconds", help: "From the barrier to the publication of an epoch.", labels)
        freezeDuration = registry.histogram(
            "millrace_freeze_duration_seconds",
            help: "How long a worker stood still at a time, between two batches, to take out its tasks' part of an epoch.", labels)
        lastCommit = registry.gauge("millrace_last_commit_timestamp_seconds", help: "When the newest epoch was committed, Unix time.", labels)
        deltaBytes = registry.counter("millrace_delta_bytes_total", help: "Bytes of deltas written.", labels)
        recoveryDuration = registry.histogram("millrace_recovery_duration_seconds", help: "Restoring one task.", labels)
        latency = registry.histogram(
            "millrace_end_to_end_latency_seconds",
            help: "From a record's Kafka timestamp to the commit of its epoch, the oldest record of each batch standing for the batch.", labels)
        delta = registry.stage("delta", job: job)
        storage = registry.stage("storage", job: job)
        files = registry.stage("files", job: job)
        transaction = registry.stage("transaction", job: job)
    }

    /// Enters what an epoch did with the records of one task.
    func add(_ ledger: Ledger, topic: String, partition: Int32) {
        let labels: MetricLabels = ["job": job, "topic": topic, "partition": "\(partition)"]
        registry.counter("millrace_records_consumed_total", help: "Records consumed.", labels).add(ledger.consumed)
        registry.counter("millrace_records_aggregated_total", help: "Records folded into a window or passed on.", labels).add(ledger.aggregated)
        registry.counter("millrace_records_filtered_total", help: "Records that a filter left out.", labels).add(ledger.filtered)
        registry.counter("millrace_records_duplicate_total", help: "Records that were seen before.", labels).add(ledger.duplicate)
        for reason in DeadLetterReason.allCases {
            registry.counter(
                "millrace_dead_letters_total", help: "Records put on the dead-letter topic.",
                ["job": job, "topic": topic, "partition": "\(partition)", "reason": reason.rawValue]
            ).add(ledger[reason])
        }
    }

    func addProduced(_ records: Int, sink topic: String) {
        registry.counter("millrace_records_produced_total", help: "Records committed to a sink.", ["job": job, "sink": topic]).add(records)
    }

    func lag(topic: String, partition: Int32) -> Gauge {
        registry.gauge(
            "millrace_consumer_lag_records", help: "Offsets between a task's position and the last stable offset.",
            ["job": job, "topic": topic, "partition": "\(partition)"])
    }

    func watermark(topic: String, partition: Int32) -> Gauge {
        registry.gauge(
            "millrace_watermark_seconds", help: "A task's watermark, Unix time.",
            ["job": job, "topic": topic, "partition": "\(partition)"])
    }

    func watermarkLag(topic: String, partition: Int32) -> Gauge {
        registry.gauge(
            "millrace_watermark_lag_seconds", help: "How far a task's watermark is behind the wall clock.",
            ["job": job, "topic": topic, "partition": "\(partition)"])
    }

    func forget(topic: String, partition: Int32) {
        registry.remove(["job": job, "topic": topic, "partition": "\(partition)"])
    }
}
