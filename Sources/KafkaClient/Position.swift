/// Where the application is in a partition that is read through a worker's queue.
///
/// Why it is kept here: librdkafka 2.0 advances its own position as it takes records off the queue. If a pause comes in the
/// middle of one batch call, it throws the records away that it has taken for that call, but remembers them as delivered, and
/// goes on behind them: records would be lost in silence (seen in the tests: 94 at once). So after an interruption the first
/// record, or the end of the partition, has to be where we are. A gap is then read again from our position once, on demand;
/// if it is a real one (control records, aborted records, compaction) it is still there.
struct Position {
    /// The next offset that the application has not seen.
    var next: Int64
    /// How many interruptions had been when what came was last known to follow on.
    var verified: UInt64
    /// Nothing is delivered until the partition has been sought back to `next`.
    var rereading = false
}
