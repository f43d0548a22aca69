/// Event time in buckets: which bucket a row's id is remembered in, and which buckets are still remembered at a row.
///
/// Bucket b holds event times [b * width, (b + 1) * width). It is remembered until its end plus `within` is at or before the watermark of
/// the row that asks: an id is found for at least `within` after its event time and at most `within + width`. All of this follows from
/// the rows alone.
struct BucketClock {
    /// Microseconds.
    let within: Int64
    let width: Int64
    /// The oldest bucket that is remembered. Never falls.
    private(set) var oldest: Int64 = .min
    /// The watermark at which `oldest` rises next.
    private(set) var nextChange: Int64 = .min
    private var bucketStart: Int64 = 0
    private var bucketLast: Int64 = -1
    private var bucket: Int64 = 0

    /// No row is further ahead of the watermark than this many buckets: its bucket counts as that one. Keeps the difference of two
    /// remembered buckets in 32 bits.
    static let furthestAhead: Int64 = 1 << 30

    init(within: Int64) {
        self.within = max(within, 1)
        self.width = max(1_000, within / 16)
    }

    /// Forgets the buckets that are over at `watermark`, which never falls.
    mutating func advance(to watermark: Int64) {
        guard watermark >= nextChange else { return }
        let (reach, overflow) = watermark.subtractingReportingOverflow(within)
        let oldest = floorDivide(overflow ? .min : reach)
        self.oldest = max(self.oldest, oldest)
        // Saturates far beyond any time there is.
        let (end, endOverflow) = (oldest + 1).multipliedReportingOverflow(by: width)
        let (change, changeOverflow) = end.addingReportingOverflow(within)
        nextChange = endOverflow || changeOverflow ? .max : change
    }

    /// Forgets the buckets before `bucket`.
    mutating func forget(before bucket: Int64) {
        oldest = max(oldest, bucket)
    }

    /// The bucket of a row at the watermark that the clock was last advanced to.
    mutating func bucket(of eventTime: Int64) -> Int64 {
        if eventTime < bucketStart || eventTime > bucketLast {
            bucket = floorDivide(eventTime)
            let (start, startOverflow) = bucket.multipliedReportingOverflow(by: width)
            bucketStart = startOverflow ? .min : start
            let (last, lastOverflow) = bucketStart.addingReportingOverflow(width - 1)
            bucketLast = startOverflow ? eventTime : lastOverflow ? .max : last
        }
        let (limit, overflow) = oldest.addingReportingOverflow(Self.furthestAhead)
        return overflow ? bucket : min(bucket, limit)
    }

    private func floorDivide(_ time: Int64) -> Int64 {
        let (quotient, remainder) = time.quotientAndRemainder(dividingBy: width)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
