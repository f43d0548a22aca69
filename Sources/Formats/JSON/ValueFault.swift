import Batch

/// Why the value of a field does not fit its column.
enum ValueFault: Error {
    case absent, null
    /// A value on the way to the field is neither an object nor null.
    case noObject(node: Int)
    case wrongKind
    case notAnInteger, integerOutOfRange, doubleOutOfRange, timestampOutOfRange
    case tooManyFractionDigits, tooManyDigits
    case notANumber, notADateTime
    case loneSurrogate
    case stringTooLong

    var reason: DecodeFailureReason {
        switch self {
        case .absent, .null: .missingField
        case .stringTooLong: .tooLarge
        default: .badType
        }
    }
}

extension JSONDecoder {
    /// Remembers that `field` of `row` has a fault; its value lies at `slot`.
    @inline(never)
    func note(_ fault: ValueFault, field index: Int, row: Int, _ slot: ValueSlot, _ payload: UnsafeRawBufferPointer) {
        pending.append(
            DecodeFailure(row: row, reason: fault.reason, detail: describe(fault, index, row, slot, payload)))
    }

    private func describe(
        _ fault: ValueFault, _ index: Int, _ row: Int, _ slot: ValueSlot, _ payload: UnsafeRawBufferPointer
    ) -> String {
        let name = "field `\(fields[index].field.name)`"
        let place = "at `\(fields[index].path.joined(separator: "."))`"
        let value = UnsafeRawBufferPointer(rebasing: payload[Int(slot.start)..<max(Int(slot.start), Int(slot.end))])
        let found = "\(name): expected \(expectation(index)), found \(kind(value)) \(place)"
        switch fault {
        case .absent: return "\(name): nothing \(place), and it may not be absent"
        case .null: return "\(name): null \(place), and it may not be null"
        case .noObject(let node): return "\(name): expected object, found \(kind(value)) at `\(tree.path(of: node))`"
        case .wrongKind: return found
        case .notAnInteger: return "\(found): not written as an integer"
        case .integerOutOfRange: return "\(found): does not fit 64 bits"
        case .doubleOutOfRange: return "\(found): beyond the largest"
        case .timestampOutOfRange: return "\(found): does not fit as microseconds"
        case .tooManyFractionDigits: return "\(found): too many digits behind the point"
        case .tooManyDigits: return "\(found): too many digits"
        case .notANumber: return "\(found): does not hold a number"
        case .notADateTime: return "\(found): not a date-time with an offset"
        case .loneSurrogate: return "\(found): has a surrogate without its other half"
        case .stringTooLong: return "\(found): longer than the \(limits.stringLengthMax) bytes that are allowed"
        }
    }

    private func expectation(_ index: Int) -> String {
        let field = fields[index]
        guard field.field.type == .timestamp else { return field.field.type.description }
        switch field.timestampForm {
        case .rfc3339: return "an RFC 3339 timestamp"
        case .seconds: return "a timestamp in seconds"
        case .milliseconds: return "a timestamp in milliseconds"
        case .microseconds: return "a timestamp in microseconds"
        }
    }

    /// Kind of a value, and for numbers and short strings the text: what a reader of dead letters looks for.
    private func kind(_ value: UnsafeRawBufferPointer) -> String {
        switch value.first {
        case UInt8(ascii: "\""): return value.count <= 42 ? "string \(text(value))" : "string"
        case UInt8(ascii: "{"): return "object"
        case UInt8(ascii: "["): return "array"
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return "bool"
        case UInt8(ascii: "n"): return "null"
        default: return value.count <= 42 ? "number \(text(value))" : "number"
        }
    }

    private func text(_ value: UnsafeRawBufferPointer) -> String { String(decoding: value, as: UTF8.self) }
}
