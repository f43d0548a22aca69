import Batch
import JobFile

/// The Hive-style directories of a Parquet sink's rows: `country=DE/window_start_date=2026-01-31`.
struct PartitionPath {
    private let levels: [ParquetPartition]
    private var dayOfLast: Int64 = .min
    private var textOfLast = ""
    /// Of `dayOfLast`, where the day is all that decides.
    private var pathOfLast: String?
    private static let microsecondsADay: Int64 = 86_400_000_000

    init(_ levels: [ParquetPartition]) {
        self.levels = levels
    }

    /// The directory of `row`, relative, without a slash at either end; empty without levels.
    mutating func directory(_ columns: [Column], _ row: Int) -> String {
        let isByDay = levels.count == 1 && levels[0].transform == .date && !columns[levels[0].column].isNull(row)
        if isByDay, let pathOfLast, Self.floorDivide(columns[levels[0].column].integers[row], Self.microsecondsADay) == dayOfLast { return pathOfLast }
        var path = ""
        for level in levels {
            if !path.isEmpty { path += "/" }
            path += Self.escaped(level.name) + "=" + value(columns[level.column], row, level.transform)
        }
        if isByDay { pathOfLast = path }
        return path
    }

    private mutating func value(_ column: Column, _ row: Int, _ transform: ParquetPartition.Transform) -> String {
        if column.isNull(row) { return Self.nullName }
        switch transform {
        case .date:
            let day = Self.floorDivide(column.integers[row], Self.microsecondsADay)
            // Rows of one batch mostly share their day.
            if day != dayOfLast {
                dayOfLast = day
                textOfLast = Self.date(day)
            }
            return textOfLast
        case .hour:
            let hour = Self.floorDivide(column.integers[row], 3_600_000_000)
            let day = Self.floorDivide(hour, 24)
            return Self.date(day) + "-" + Self.padded(hour - day * 24, 2)
        case .identity:
            switch column.type {
            case .bool: return column.bools[row] == 1 ? "true" : "false"
            case .string:
                let text = column.string(at: row)
                return text.isEmpty ? Self.nullName : Self.escaped(text)
            case .int64, .timestamp: return String(column.integers[row])
            case .float64: return Self.escaped(String(column.doubles[row]))
            case .decimal: return String(column.decimals[row])
            }
        }
    }

    /// What Hive, Spark and DuckDB read back as null.
    static let nullName = "__HIVE_DEFAULT_PARTITION__"

    /// Percent-encodes what must not stand in a directory's name, or would end one.
    static func escaped(_ text: String) -> String {
        var out: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0...0x20, 0x7F, UInt8(ascii: "\""), UInt8(ascii: "#"), UInt8(ascii: "%"), UInt8(ascii: "'"), UInt8(ascii: "*"),
                UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: "="), UInt8(ascii: "?"), UInt8(ascii: "\\"), UInt8(ascii: "{"),
                UInt8(ascii: "}"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "^"):
                out += Array("%".utf8) + hexadecimal(byte)
            case UInt8(ascii: ".") where out.isEmpty:
                out += Array("%2E".utf8)
            default: out.append(byte)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func hexadecimal(_ byte: UInt8) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        return [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }

    /// `day` counts from 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    static func date(_ day: Int64) -> String {
        let shifted = day + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfYear - (153 * monthFromMarch + 2) / 5 + 1, 2))"
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number.magnitude)
        return (number < 0 ? "-" : "") + String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    private static func floorDivide(_ value: Int64, _ by: Int64) -> Int64 {
        value >= 0 ? value / by : -((-(value + 1)) / by) - 1
    }
}
