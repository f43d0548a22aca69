import Telemetry

/// What the recovery of a task spends its time on.
struct RecoveryTimes {
    enum Part {
        /// The group's answer to what is committed.
        case offset
        /// Fetching and checking the deltas since the last snapshot.
        case deltas
        /// Opening the local state, or fetching the snapshot.
        case home
        /// Putting the deltas' changes into memory.
        case load
    }

    private let clock: RuntimeClock
    private var parts: [Part: Duration] = [:]

    init(_ clock: RuntimeClock) { self.clock = clock }

    mutating func measure<Value, Failure: Error>(_ part: Part, _ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        let began = clock.now()
        defer { parts[part, default: .zero] += clock.now() - began }
        return try body()
    }

    /// Seconds, for the log.
    subscript(part: Part) -> LogValue { .double(parts[part, default: .zero].seconds) }
}
