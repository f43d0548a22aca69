import Foundation
import Synchronization

package enum LogLevel: Int, Comparable, Sendable {
    case debug, info, warn, error

    package var name: String {
        switch self {
        case .debug: "debug"
        case .info: "info"
        case .warn: "warn"
        case .error: "error"
        }
    }

    package static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }
}

/// A field's value in a log line.
package enum LogValue: Sendable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByStringInterpolation {
    case string(String)
    case integer(Int)
    case double(Double)
    case bool(Bool)

    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int) { self = .integer(value) }
}

/// The structured log: one object a line, `ts level msg` first, then the fields in their order.
///
/// Cheap to copy; copies share the output. Never give it a secret: fields are written as they are.
package struct Log: Sendable {
    package enum Format: Sendable {
        case json
        case text
    }

    private final class Output: Sendable {
        let lock = Mutex(())
        let write: @Sendable (String) -> Void

        init(write: @escaping @Sendable (String) -> Void) { self.write = write }
    }

    private let output: Output
    private let format: Format
    private let levelMin: LogLevel
    private let context: [(String, LogValue)]

    /// - Parameter write: gets whole lines, newline included, one at a time. Nil writes to standard error.
    package init(format: Format = .json, levelMin: LogLevel = .info, write: (@Sendable (String) -> Void)? = nil) {
        self.output = Output(write: write ?? { FileHandle.standardError.write(Data($0.utf8)) })
        self.format = format
        self.levelMin = levelMin
        self.context = []
    }

    private init(_ base: Log, context: [(String, LogValue)]) {
        output = base.output
        format = base.format
        levelMin = base.levelMin
        self.context = context
    }

    /// The same log with fields that every line of it carries.
    package func with(_ fields: KeyValuePairs<String, LogValue>) -> Log {
        Log(self, context: context + fields.map { ($0.key, $0.value) })
    }

    package func with(_ name: String, _ value: LogValue) -> Log { Log(self, context: context + [(name, value)]) }

    package func debug(_ message: String, _ fields: KeyValuePairs<String, LogValue> = [:]) { emit(.debug, message, fields) }
    package func info(_ message: String, _ fields: KeyValuePairs<String, LogValue> = [:]) { emit(.info, message, fields) }
    package func warn(_ message: String, _ fields: KeyValuePairs<String, LogValue> = [:]) { emit(.warn, message, fields) }
    package func error(_ message: String, _ fields: KeyValuePairs<String, LogValue> = [:]) { emit(.error, message, fields) }

    package func emit(_ level: LogLevel, _ message: String, _ fields: KeyValuePairs<String, LogValue>) {
        guard level >= levelMin else { return }
        let all = context + fields.map { ($0.key, $0.value) }
        let line = format == .json ? Self.json(level, message, all) : Self.text(level, message, all)
        output.lock.withLock { _ in output.write(line) }
    }

    private static func json(_ level: LogLevel, _ message: String, _ fields: [(String, LogValue)]) -> String {
        var line = "{\"ts\":\"\(now())\",\"level\":\"\(level.name)\",\"msg\":\(JSONText.quoted(message))"
        for (name, value) in fields { line += ",\(JSONText.quoted(name)):\(JSONText.of(value))" }
        return line + "}\n"
    }

    private static func text(_ level: LogLevel, _ message: String, _ fields: [(String, LogValue)]) -> String {
        var line = "\(now()) \(level.name.uppercased()) \(message)"
        for (name, value) in fields { line += " \(name)=\(JSONText.of(value))" }
        return line + "\n"
    }

    private static func now() -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        var parts = tm()
        gmtime_r(&time.tv_sec, &parts)
        return JSONText.timestamp(parts, milliseconds: time.tv_nsec / 1_000_000)
    }
}

/// JSON by hand, for the few places that write a line or a small document and must not depend on the record formats.
package enum JSONText {
    package static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case _ where scalar.value < 0x20:
                let hex = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }

    package static func of(_ value: LogValue) -> String {
        switch value {
        case .string(let text): quoted(text)
        case .integer(let number): String(number)
        case .double(let number): number.isFinite ? String(number) : "null"
        case .bool(let flag): flag ? "true" : "false"
        }
    }

    static func timestamp(_ parts: tm, milliseconds: Int) -> String {
        func pad(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return "\(pad(Int(parts.tm_year) + 1900, 4))-\(pad(Int(parts.tm_mon) + 1, 2))-\(pad(Int(parts.tm_mday), 2))"
            + "T\(pad(Int(parts.tm_hour), 2)):\(pad(Int(parts.tm_min), 2)):\(pad(Int(parts.tm_sec), 2)).\(pad(milliseconds, 3))Z"
    }
}
