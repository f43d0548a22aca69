/// Why a record is no JSON object that can be read, and where.
struct SyntaxFault {
    enum Kind {
        case none
        case null, tooLong, empty, invalidUTF8, unclosedString, controlCharacter, unreadable
        case notAnObject, truncated, expectedKey, expectedColon, expectedValue, expectedCommaOrBrace, expectedCommaOrBracket
        case badEscape, badNumber, badWord, badString, tooDeep, trailing
    }

    var kind: Kind
    var offset: Int

    static let none = SyntaxFault(kind: .none, offset: 0)

    @inline(__always)
    init(kind: Kind, offset: Int) {
        self.kind = kind
        self.offset = offset
    }

    /// For people.
    func describe(_ record: UnsafeRawBufferPointer, _ limits: DecodeLimits) -> String {
        switch kind {
        case .none: "no fault"
        case .null: "the record has a null value"
        case .tooLong: "the record has \(record.count) bytes, at most \(limits.recordLengthMax) are allowed"
        case .empty: "the record is empty"
        case .invalidUTF8: "the record is not valid UTF-8"
        case .unclosedString: "a string is not closed"
        case .controlCharacter: "a string has a control character that is not escaped"
        case .unreadable: "not readable as JSON"
        case .notAnObject: "expected a JSON object, found \(found(record))"
        case .truncated: "the record ends inside an object or array"
        case .expectedKey: "expected a key in quotes at \(place), found \(found(record))"
        case .expectedColon: "expected ':' at \(place), found \(found(record))"
        case .expectedValue: "expected a value at \(place), found \(found(record))"
        case .expectedCommaOrBrace: "expected ',' or '}' at \(place), found \(found(record))"
        case .expectedCommaOrBracket: "expected ',' or ']' at \(place), found \(found(record))"
        case .badEscape: "a string has an escape that JSON does not know at \(place)"
        case .badNumber: "not a JSON number at \(place)"
        case .badWord: "expected true, false or null at \(place)"
        case .badString: "not a JSON string at \(place)"
        case .tooDeep: "objects and arrays are nested deeper than \(limits.depthMax) at \(place)"
        case .trailing: "expected the record to end at \(place), found \(found(record))"
        }
    }

    private var place: String { "byte \(offset)" }

    private func found(_ record: UnsafeRawBufferPointer) -> String {
        guard offset < record.count else { return "the end" }
        switch record[offset] {
        case UInt8(ascii: "{"): return "an object"
        case UInt8(ascii: "["): return "an array"
        case UInt8(ascii: "\""): return "a string"
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return "a number"
        case 0xEF where record.count >= offset + 3 && record[offset + 1] == 0xBB && record[offset + 2] == 0xBF:
            return "a byte order mark"
        case let byte where byte > 0x20 && byte < 0x7F: return "'\(Character(UnicodeScalar(byte)))'"
        case let byte: return "the byte 0x\(String(byte, radix: 16))"
        }
    }
}
