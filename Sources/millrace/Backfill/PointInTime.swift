import Expression

/// A point in time on the command line: RFC 3339, or milliseconds since 1970 UTC.
enum PointInTime {
    static let form = "a time as 2026-01-31T00:00:00Z, or milliseconds since 1970"

    /// Milliseconds since 1970 UTC, rounded up: nothing at or after the time has an earlier timestamp. Nil for what is no time, or
    /// lies before 1970.
    static func milliseconds(_ text: String) -> Int64? {
        if let number = Int64(text), number >= 0 { return number }
        guard let microseconds = Calendar.parse(text), microseconds >= 0 else { return nil }
        return (microseconds + 999) / 1_000
    }

    static func text(_ milliseconds: Int64) -> String { Calendar.text(milliseconds * 1_000) }
}
