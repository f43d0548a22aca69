import Telemetry

/// The metrics of one task that its worker sets itself.
struct TaskMetrics: Sendable {
    let stateBytes: Gauge
    let stateKeys: Gauge
    fileprivate let decode: Counter
    fileprivate let dedupe: Counter
    fileprivate let window: Counter
    fileprivate let operators: Counter
    fileprivate let freeze: Counter

    init(_ registry: MetricsRegistry, job: String, topic: String, partition: Int32) {
        let labels: MetricLabels = ["job": job, "topic": topic, "partition": "\(partition)"]
        stateBytes = registry.gauge("millrace_state_bytes", help: "Bytes of a task's state in memory.", labels)
        stateKeys = registry.gauge("millrace_state_keys", help: "Keys of a task's state in memory.", labels)
        func stage(_ name: String) -> Counter { registry.stage(name, job: job) }
        decode = stage("decode")
        dedupe = stage("dedupe")
        window = stage("window")
        operators = stage("other_operators")
        freeze = stage("freeze")
    }
}

extension MetricsRegistry {
    /// Nanoseconds that a job's threads spent on one stage of its work.
    func stage(_ name: String, job: String) -> Counter {
        counter("millrace_stage_cpu_nanoseconds_total", help: "Processor time of a job's threads by stage.", ["job": job, "stage": name])
    }
}

/// Adds the processor time of the thread that made it to counters: what has passed since the last lap.
struct ProcessorClock {
    private var last = threadProcessorTime()

    mutating func lap(_ counter: Counter) {
        let now = threadProcessorTime()
        counter.add(now - last)
        last = now
    }
}

/// Adds the processor time of a worker's stages to their counters: a few readings of the thread's clock a batch.
struct StageClock {
    enum Stage {
        case decode
        case dedupe
        case window
        /// Filters, projections, sinks' encoding, the ledger.
        case operators
        case freeze
    }

    private let metrics: TaskMetrics
    private var clock = ProcessorClock()

    init(_ metrics: TaskMetrics) {
        self.metrics = metrics
    }

    /// What has passed since the last lap was spent in `stage`.
    mutating func lap(_ stage: Stage) {
        let counter =
            switch stage {
            case .decode: metrics.decode
            case .dedupe: metrics.dedupe
            case .window: metrics.window
            case .operators: metrics.operators
            case .freeze: metrics.freeze
            }
        clock.lap(counter)
    }
}
