/// Event times and watermarks are microseconds since 1970 UTC within these bounds, so that adding gaps and taking off
/// bounds never overflows.
package enum EventTimeRange {
    /// Before any record: nothing is late.
    package static let noWatermark: Int64 = -(1 << 62)
    /// 36,000 years either way.
    package static let valid: ClosedRange<Int64> = -(1 << 60)...(1 << 60)
}
