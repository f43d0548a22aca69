/// Date-times as RFC 3339, section 5.6 writes them: `2026-01-31T23:59:60.123456789+01:00`.
///
/// `T` and `Z` may be small, and a space may stand for the `T`. A fraction may have any number of digits; what is beyond
/// microseconds is cut off. An offset is required. A leap second, 23:59:60 UTC, is read as the second that follows it, as
/// POSIX counts.
enum RFC3339 {
    /// Microseconds since 1970-01-01T00:00:00Z, or nil when `start..<end` is no such date-time.
    static func microseconds(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int64? {
        // The shortest: 2026-01-31T23:59:59Z
        guard end &- start >= 20 else { return nil }
        func number(_ offset: Int, _ count: Int) -> Int? {
            var value = 0
            for at in start &+ offset..<start &+ offset &+ count {
                let digit = bytes[at] &- 0x30
                guard digit < 10 else { return nil }
                value = value &* 10 &+ Int(digit)
            }
            return value
        }
        func has(_ character: UInt8, _ offset: Int) -> Bool { bytes[start &+ offset] == character }
        guard let year = number(0, 4), has(0x2D, 4), let month = number(5, 2), has(0x2D, 7), let day = number(8, 2),
            has(0x54, 10) || has(0x74, 10) || has(0x20, 10),
            let hour = number(11, 2), has(0x3A, 13), let minute = number(14, 2), has(0x3A, 16), let second = number(17, 2),
            month >= 1, month <= 12, day >= 1, day <= dayCount(year, month), hour <= 23, minute <= 59, second <= 60
        else { return nil }
        var at = start &+ 19
        guard let fraction = fractionMicroseconds(bytes, &at, end), let offset = offsetSeconds(bytes, at, end) else { return nil }
        let seconds = (daysSince1970(year, month, day) &* 24 &+ hour) &* 3600 &+ minute &* 60 &+ second &- offset
        // A leap second has just become 00:00:00 of the next day.
        if second == 60 && seconds % 86_400 != 0 { return nil }
        return Int64(seconds) &* 1_000_000 &+ Int64(fraction)
    }

    private static func fractionMicroseconds(_ bytes: UnsafePointer<UInt8>, _ at: inout Int, _ end: Int) -> Int? {
        guard at < end, bytes[at] == 0x2E else { return 0 }
        at &+= 1
        var fraction = 0
        var digits = 0
        while at < end, bytes[at] &- 0x30 < 10 {
            if digits < 6 { fraction = fraction &* 10 &+ Int(bytes[at] &- 0x30) }
            digits &+= 1
            at &+= 1
        }
        guard digits > 0 else { return nil }
        for _ in min(digits, 6)..<6 { fraction = fraction &* 10 }
        return fraction
    }

    /// `Z` or `+hh:mm` or `-hh:mm`, which must end the text.
    private static func offsetSeconds(_ bytes: UnsafePointer<UInt8>, _ at: Int, _ end: Int) -> Int? {
        guard at < end else { return nil }
        if bytes[at] | 0x20 == 0x7A { return at &+ 1 == end ? 0 : nil }
        guard end &- at == 6, bytes[at] == 0x2B || bytes[at] == 0x2D, bytes[at &+ 3] == 0x3A else { return nil }
        var digits = 0
        for place in [1, 2, 4, 5] {
            let digit = bytes[at &+ place] &- 0x30
            guard digit < 10 else { return nil }
            digits = digits &* 10 &+ Int(digit)
        }
        guard digits / 100 <= 23, digits % 100 <= 59 else { return nil }
        let seconds = digits / 100 &* 3600 &+ digits % 100 &* 60
        return bytes[at] == 0x2D ? -seconds : seconds
    }

    private static func dayCount(_ year: Int, _ month: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days of the proleptic Gregorian calendar, counted in eras of 400 years that begin on 1 March.
    private static func daysSince1970(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let marchYear = month <= 2 ? year - 1 : year
        let era = (marchYear >= 0 ? marchYear : marchYear - 399) / 400
        let yearOfEra = marchYear - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}
