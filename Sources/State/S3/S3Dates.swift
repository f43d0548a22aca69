import Glibc

/// Dates in the two forms in which S3 sends them; seconds since 1970, nil for any other form.
package enum S3Dates {
    /// Of XML: `2009-10-12T17:50:30.000Z`.
    package static func iso(_ text: String) -> Int? {
        let numbers = text.prefix(19).split { !$0.isNumber }.compactMap { Int32($0) }
        guard numbers.count == 6 else { return nil }
        return seconds(numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5])
    }

    /// Of headers (RFC 9110, IMF-fixdate): `Sun, 06 Nov 1994 08:49:37 GMT`.
    package static func http(_ text: String) -> Int? {
        let parts = text.split { $0 == " " || $0 == ":" }
        guard parts.count == 8, let day = Int32(parts[1]), let month = months.firstIndex(of: String(parts[2])), let year = Int32(parts[3]),
            let hour = Int32(parts[4]), let minute = Int32(parts[5]), let second = Int32(parts[6])
        else { return nil }
        return seconds(year, Int32(month) + 1, day, hour, minute, second)
    }

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    private static func seconds(_ year: Int32, _ month: Int32, _ day: Int32, _ hour: Int32, _ minute: Int32, _ second: Int32) -> Int {
        var parts = tm()
        parts.tm_year = year - 1900
        parts.tm_mon = month - 1
        parts.tm_mday = day
        parts.tm_hour = hour
        parts.tm_min = minute
        parts.tm_sec = second
        return timegm(&parts)
    }
}
