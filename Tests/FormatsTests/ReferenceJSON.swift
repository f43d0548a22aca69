/// A plain recursive parser of RFC 8259, to hold the decoder against: it shares no idea with it.
indirect enum ReferenceJSON {
    case null
    case bool(Bool)
    case number(String)
    /// Nil when a surrogate stands alone.
    case string([UInt8]?)
    case array
    /// Of equal keys the last; keys with a surrogate that stands alone are left out.
    case object([[UInt8]: ReferenceJSON])

    struct Malformed: Error {}

    /// - Throws: when `bytes` are no JSON text in UTF-8, or nested deeper than `depthMax`.
    static func parse(_ bytes: [UInt8], depthMax: Int) throws(Malformed) -> ReferenceJSON {
        guard String(validating: bytes, as: UTF8.self) != nil else { throw Malformed() }
        var parser = Parser(bytes: bytes, depthMax: depthMax)
        parser.skipSpace()
        let value = try parser.value(depth: 1)
        parser.skipSpace()
        guard parser.at == bytes.count else { throw Malformed() }
        return value
    }

    private struct Parser {
        let bytes: [UInt8]
        let depthMax: Int
        var at = 0

        var current: UInt8 { at < bytes.count ? bytes[at] : 0 }

        mutating func skipSpace() {
            while [0x20, 0x09, 0x0A, 0x0D].contains(current) { at += 1 }
        }

        mutating func take(_ text: String) throws(Malformed) {
            for byte in text.utf8 {
                guard current == byte, at < bytes.count else { throw Malformed() }
                at += 1
            }
        }

        mutating func value(depth: Int) throws(Malformed) -> ReferenceJSON {
            switch Character(UnicodeScalar(current)) {
            case "{": return try object(depth)
            case "[": return try array(depth)
            case "\"": return .string(try string())
            case "t":
                try take("true")
                return .bool(true)
            case "f":
                try take("false")
                return .bool(false)
            case "n":
                try take("null")
                return .null
            default: return .number(try number())
            }
        }

        mutating func object(_ depth: Int) throws(Malformed) -> ReferenceJSON {
            guard depth <= depthMax else { throw Malformed() }
            var members: [[UInt8]: ReferenceJSON] = [:]
            try take("{")
            skipSpace()
            if current != 0x7D {
                while true {
                    skipSpace()
                    let key = try string()
                    skipSpace()
                    try take(":")
                    skipSpace()
                    let value = try value(depth: depth + 1)
                    if let key { members[key] = value }
                    skipSpace()
                    if current != 0x2C { break }
                    at += 1
                }
            }
            try take("}")
            return .object(members)
        }

        mutating func array(_ depth: Int) throws(Malformed) -> ReferenceJSON {
            guard depth <= depthMax else { throw Malformed() }
            try take("[")
            skipSpace()
            if current != 0x5D {
                while true {
                    skipSpace()
                    _ = try value(depth: depth + 1)
                    skipSpace()
                    if current != 0x2C { break }
                    at += 1
                }
            }
            try take("]")
            return .array
        }

        mutating func string() throws(Malformed) -> [UInt8]? {
            try take("\"")
            var units: [UInt16] = []
            var isWhole = true
            var utf8: [UInt8] = []
            func flush() {
                let text = String(decoding: units, as: UTF16.self)
                if Array(text.utf16) != units { isWhole = false }
                utf8 += Array(text.utf8)
                units = []
            }
            while true {
                let byte = current
                guard at < bytes.count, byte >= 0x20 else { throw Malformed() }
                at += 1
                if byte == 0x22 { break }
                if byte != 0x5C {
                    flush()
                    utf8.append(byte)
                    continue
                }
                let escape = Character(UnicodeScalar(current))
                guard at < bytes.count else { throw Malformed() }
                at += 1
                if escape == "u" {
                    guard at + 4 <= bytes.count, bytes[at..<at + 4].allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
                        bytes[at..<at + 4].allSatisfy({ $0 < 0x80 }),
                        let unit = UInt16(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16)
                    else { throw Malformed() }
                    units.append(unit)
                    at += 4
                } else {
                    let table: [Character: UInt8] = [
                        "\"": 0x22, "\\": 0x5C, "/": 0x2F, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9,
                    ]
                    guard let meant = table[escape] else { throw Malformed() }
                    flush()
                    utf8.append(meant)
                }
            }
            flush()
            return isWhole ? utf8 : nil
        }

        mutating func number() throws(Malformed) -> String {
            let start = at
            func digits() throws(Malformed) {
                guard current >= 0x30, current <= 0x39 else { throw Malformed() }
                while current >= 0x30, current <= 0x39 { at += 1 }
            }
            if current == 0x2D { at += 1 }
            if current == 0x30 { at += 1 } else { try digits() }
            if current == 0x2E {
                at += 1
                try digits()
            }
            if current == 0x65 || current == 0x45 {
                at += 1
                if current == 0x2B || current == 0x2D { at += 1 }
                try digits()
            }
            return String(decoding: bytes[start..<at], as: UTF8.self)
        }
    }
}
