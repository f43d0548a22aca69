import Foundation

/// Bytes of a record as they are shown: as text if they are printable, else in hexadecimal digits or base64.
struct Payload {
    private let shown: [UInt8]
    private let text: String?
    let count: Int
    var isCut: Bool { shown.count < count }

    init(_ bytes: [UInt8], limit: Int) {
        count = bytes.count
        let prefix = bytes.prefix(limit)
        // The cut may go through a character of up to four bytes.
        let tails = prefix.count < bytes.count ? 0...min(3, prefix.count) : 0...0
        for tail in tails {
            let part = [UInt8](prefix.dropLast(tail))
            if let text = String(validating: part, as: UTF8.self), text.unicodeScalars.allSatisfy(Self.isPrintable) {
                self.text = text
                shown = part
                return
            }
        }
        text = nil
        shown = [UInt8](prefix)
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control: scalar == "\n" || scalar == "\t" || scalar == "\r"
        case .unassigned, .surrogate, .privateUse, .format, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }

    /// For people: on one line.
    var line: String {
        let more = isCut ? "... (\(count) bytes)" : ""
        guard let text else { return "0x" + shown.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() + more }
        return "\"" + text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n").replacing("\r", with: "\\r").replacing("\t", with: "\\t")
            + "\"" + more
    }

    /// For programs: `name`, or `name_base64` where it is no text; with `name_bytes` when it is cut.
    static func fields(_ name: String, _ bytes: [UInt8]?, limit: Int) -> [(key: String, value: Cell)] {
        guard let bytes else { return [(name, .none)] }
        let payload = Payload(bytes, limit: limit)
        var fields: [(key: String, value: Cell)] = [
            payload.text.map { (name, .text($0)) } ?? ("\(name)_base64", .text(Data(payload.shown).base64EncodedString()))
        ]
        if payload.isCut { fields.append(("\(name)_bytes", .number(Int64(payload.count)))) }
        return fields
    }
}
