/// Days and times of the proleptic Gregorian calendar in UTC. Times are microseconds since 1970, of the whole range.
package enum Calendar {
    static let second: Int64 = 1_000_000
    static let day: Int64 = 86_400 * second

    struct Date: Equatable {
        var year: Int64
        /// 1...12.
        var month: Int64
        /// 1...31.
        var day: Int64
    }

    /// Rounded down, also before 1970. `divisor` is above 0.
    static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let (quotient, rest) = value.quotientAndRemainder(dividingBy: divisor)
        return rest < 0 ? quotient - 1 : quotient
    }

    // From "chrono-Compatible Low-Level Date Algorithms" by Howard Hinnant (civil_from_days, days_from_civil): years begin
    // in March, so that the leap day is the last of a year; an era is 400 years, 146,097 days.

    static func date(ofDay days: Int64) -> Date {
        let shifted = days + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return Date(
            year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month: month, day: dayOfYear - (153 * marchMonth + 2) / 5 + 1)
    }

    static func day(of date: Date) -> Int64 {
        let year = date.month <= 2 ? date.year - 1 : date.year
        let era = floorDivide(year, 400)
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (date.month > 2 ? date.month - 3 : date.month + 9) + 2) / 5 + date.day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// Microseconds since midnight.
    private static func timeOfDay(_ time: Int64) -> Int64 {
        let rest = time % day
        return rest < 0 ? rest + day : rest
    }

    /// 0...23.
    static func hour(_ time: Int64) -> Int64 {
        timeOfDay(time) / (3_600 * second)
    }

    /// The start of the `unit` that `time` lies in; the earliest time there is where that would lie before it.
    static func truncate(_ time: Int64, to unit: DateUnit) -> Int64 {
        switch unit {
        case .second: return floor(time, second)
        case .minute: return floor(time, 60 * second)
        case .hour: return floor(time, 3_600 * second)
        case .day: return floor(time, day)
        case .week:
            // 1970-01-01 was a Thursday.
            let days = floorDivide(time, day)
            return start(ofDay: floorDivide(days + 3, 7) * 7 - 3)
        case .month, .quarter, .year:
            var date = date(ofDay: floorDivide(time, day))
            date.day = 1
            if unit == .year { date.month = 1 }
            if unit == .quarter { date.month -= (date.month - 1) % 3 }
            return start(ofDay: Self.day(of: date))
        }
    }

    private static func floor(_ time: Int64, _ size: Int64) -> Int64 {
        let (start, overflow) = floorDivide(time, size).multipliedReportingOverflow(by: size)
        return overflow ? .min : start
    }

    private static func start(ofDay days: Int64) -> Int64 {
        let (start, overflow) = days.multipliedReportingOverflow(by: day)
        return overflow ? .min : start
    }

    /// `2026-01-31`; years beyond four digits with a sign, as ISO 8601 has them.
    package static func dateText(_ time: Int64) -> String {
        let date = date(ofDay: floorDivide(time, day))
        let year =
            (0...9_999).contains(date.year)
            ? digits(date.year, 4) : (date.year < 0 ? "-" : "+") + digits(abs(date.year), 4)
        return "\(year)-\(digits(date.month, 2))-\(digits(date.day, 2))"
    }

    /// RFC 3339 in UTC: `2026-01-31T23:59:59Z`, with three or six more digits where they are not zero.
    package static func text(_ time: Int64) -> String {
        let (seconds, fraction) = timeOfDay(time).quotientAndRemainder(dividingBy: second)
        let clock = "\(digits(seconds / 3_600, 2)):\(digits(seconds / 60 % 60, 2)):\(digits(seconds % 60, 2))"
        let rest = fraction == 0 ? "" : fraction % 1_000 == 0 ? "." + digits(fraction / 1_000, 3) : "." + digits(fraction, 6)
        return "\(dateText(time))T\(clock)\(rest)Z"
    }

    private static func digits(_ value: Int64, _ count: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }

    /// Reads RFC 3339 (section 5.6): `T` may be a space, any number of digits of a second (cut after the sixth), `Z` or an offset.
    /// Leap seconds (`:60`) are refused, as is everything else that is no time.
    package static func parse(_ text: some StringProtocol) -> Int64? {
        var reader = TextReader(bytes: Array(text.utf8)[...])
        guard let year = reader.number(4), reader.take("-"), let month = reader.number(2), reader.take("-"),
            let dayOfMonth = reader.number(2),
            (1...12).contains(month), dayOfMonth >= 1
        else { return nil }
        let days = day(of: Date(year: year, month: month, day: dayOfMonth))
        guard date(ofDay: days) == Date(year: year, month: month, day: dayOfMonth) else { return nil }
        guard reader.take("T") || reader.take("t") || reader.take(" "), let hour = reader.number(2), reader.take(":"),
            let minute = reader.number(2),
            reader.take(":"), let seconds = reader.number(2), hour < 24, minute < 60, seconds < 60
        else { return nil }
        var fraction: Int64 = 0
        if reader.take(".") {
            guard let value = reader.fraction() else { return nil }
            fraction = value
        }
        guard let offset = reader.offset(), reader.bytes.isEmpty else { return nil }
        return days * day + ((hour * 60 + minute - offset) * 60 + seconds) * second + fraction
    }

    private struct TextReader {
        var bytes: ArraySlice<UInt8>

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard let byte = bytes.first, UInt32(byte) == character.value else { return false }
            bytes.removeFirst()
            return true
        }

        mutating func number(_ digits: Int) -> Int64? {
            guard bytes.count >= digits else { return nil }
            var value: Int64 = 0
            for byte in bytes.prefix(digits) {
                guard (0x30...0x39).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - 0x30)
            }
            bytes.removeFirst(digits)
            return value
        }

        /// Microseconds.
        mutating func fraction() -> Int64? {
            var value: Int64 = 0
            var count = 0
            while let byte = bytes.first, (0x30...0x39).contains(byte) {
                if count < 6 { value = value * 10 + Int64(byte - 0x30) }
                count += 1
                bytes.removeFirst()
            }
            guard count > 0 else { return nil }
            for _ in min(count, 6)..<6 { value *= 10 }
            return value
        }

        /// Minutes ahead of UTC.
        mutating func offset() -> Int64? {
            if take("Z") || take("z") { return 0 }
            let isNegative = take("-")
            guard isNegative || take("+"), let hours = number(2), take(":"), let minutes = number(2), hours < 24, minutes < 60 else {
                return nil
            }
            return (hours * 60 + minutes) * (isNegative ? -1 : 1)
        }
    }
}
