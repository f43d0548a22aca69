import Batch
import Formats

/// What the decoder has to make of a record, worked out the slow way from the reference parser's values.
func referenceDecode(_ record: [UInt8]?, _ decoder: JSONDecoder) -> Decoded {
    guard let record, let json = try? ReferenceJSON.parse(record, depthMax: decoder.limits.depthMax), case .object = json else {
        return .failed(.malformed)
    }
    var values: [Value] = []
    for field in decoder.fields {
        switch referenceValue(json, field, decoder.limits) {
        case .success(let value): values.append(value)
        case .failure(let failure): return .failed(failure.reason)
        }
    }
    return .row(values)
}

private struct Unfit: Error {
    let reason: DecodeFailureReason
}

private func referenceValue(_ json: ReferenceJSON, _ field: DecodedField, _ limits: DecodeLimits) -> Result<Value, Unfit> {
    let missing: Result<Value, Unfit> = field.field.isNullable ? .success(.null) : .failure(Unfit(reason: .missingField))
    var json = json
    for key in field.path {
        if case .null = json { return missing }
        guard case .object(let members) = json else { return .failure(Unfit(reason: .badType)) }
        guard let next = members[Array(key.utf8)] else { return missing }
        json = next
    }
    if case .null = json { return missing }
    if case .string(let utf8?) = json, field.field.type == .string, utf8.count > limits.stringLengthMax {
        return .failure(Unfit(reason: .tooLarge))
    }
    guard let value = referenceScalar(json, field) else { return .failure(Unfit(reason: .badType)) }
    return .success(value)
}

private func referenceScalar(_ json: ReferenceJSON, _ field: DecodedField) -> Value? {
    switch (field.field.type, json) {
    case (.bool, .bool(let value)): return .bool(value)
    case (.int64, .number(let text)): return Int64(text).map { .integer($0) }
    case (.float64, .number(let text)): return Double(text).flatMap { $0.isFinite ? .number($0) : nil }
    case (.decimal(let precision, let scale), .number(let text)): return referenceDecimal(text, precision, scale)
    case (.decimal(let precision, let scale), .string(let utf8?)):
        guard case .number(let text)? = try? ReferenceJSON.parse(utf8, depthMax: 1),
            let first = utf8.first, let last = utf8.last, first > 0x20, last > 0x20
        else { return nil }
        return referenceDecimal(text, precision, scale)
    case (.string, .string(let utf8?)): return .string(utf8)
    case (.timestamp, .number(let text)):
        let unit: Int64? =
            switch field.timestampForm {
            case .rfc3339: nil
            case .seconds: 1_000_000
            case .milliseconds: 1000
            case .microseconds: 1
            }
        guard let unit, let value = Int64(text) else { return nil }
        let (scaled, overflow) = value.multipliedReportingOverflow(by: unit)
        return overflow ? nil : .integer(scaled)
    default: return nil
    }
}

/// School arithmetic on the digits; exponents beyond a few thousand are not asked for here.
func referenceDecimal(_ text: String, _ precision: Int, _ scale: Int) -> Value? {
    let isNegative = text.hasPrefix("-")
    let parts = text.lowercased().drop { $0 == "-" }.split(separator: "e", omittingEmptySubsequences: false)
    let significand = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    var digits = Array(significand[0] + (significand.count > 1 ? significand[1] : ""))
    guard digits.contains(where: { $0 != "0" }) else { return .decimal(0) }
    var power = -(significand.count > 1 ? significand[1].count : 0)
    if parts.count > 1 {
        guard let exponent = Int(parts[1].drop { $0 == "+" }), abs(exponent) < 5000 else { return nil }
        power += exponent
    }
    while power > -scale {
        digits.append("0")
        power -= 1
    }
    while power < -scale {
        guard digits.popLast() == "0" else { return nil }
        power += 1
    }
    let significant = digits.drop { $0 == "0" }
    guard significant.count <= precision, let mantissa = Int128("0" + String(significant)) else { return nil }
    return .decimal(isNegative ? -mantissa : mantissa)
}
