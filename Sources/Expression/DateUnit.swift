/// What `date_trunc` cuts to, all in UTC.
enum DateUnit: String, Sendable, CaseIterable {
    case second, minute, hour, day
    /// From Monday, as ISO 8601 has it.
    case week
    case month, quarter, year
}
