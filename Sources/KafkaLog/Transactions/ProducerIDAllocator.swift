import KafkaLogCoordination

/// Gives out producer ids, each once for as long as the journal lives. Ids are taken from the journal a block at a time;
/// the rest of a block is lost with a restart.
struct ProducerIDAllocator {
    private var next: Int64 = 0
    private var end: Int64 = 0

    /// A fresh id, or nil when all 2^63 are used up. `record` is set when a new block was taken: it has to be durable before
    /// the id is shown to anybody.
    mutating func allocate(blockSize: Int64, _ record: inout CoordinatorRecord?) -> Int64? {
        if next == end {
            let (newEnd, overflow) = end.addingReportingOverflow(max(1, blockSize))
            guard !overflow else { return nil }
            end = newEnd
            record = TransactionRecordFormat.producerIDBlock(next: end)
        }
        defer { next += 1 }
        return next
    }

    /// No id below `next` is given out again.
    mutating func restore(next restored: Int64) {
        next = max(next, restored)
        end = next
    }
}
