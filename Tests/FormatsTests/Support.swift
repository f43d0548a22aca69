import Batch
import Formats
import Testing

/// What became of one record.
enum Decoded: Equatable {
    case row([Value])
    case failed(DecodeFailureReason)
}

enum Value: Equatable, CustomStringConvertible {
    case null
    case bool(Bool)
    case integer(Int64)
    case double(UInt64)
    case decimal(Int128)
    case string([UInt8])

    static func text(_ text: String) -> Value { .string(Array(text.utf8)) }
    static func number(_ value: Double) -> Value { .double(value.bitPattern) }

    var description: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .double(let bits): "\(Double(bitPattern: bits))"
        case .decimal(let mantissa): "mantissa \(mantissa)"
        case .string(let utf8): "\"\(String(decoding: utf8, as: UTF8.self))\""
        }
    }
}

extension Column {
    func value(at row: Int) -> Value {
        if isNull(row) { return .null }
        switch type {
        case .bool: return .bool(bools[row] == 1)
        case .int64, .timestamp: return .integer(integers[row])
        case .float64: return .double(doubles[row].bitPattern)
        case .decimal: return .decimal(decimals[row])
        case .string:
            let view = views[row]
            return .string(Array(bytes[Int(view.start)..<Int(view.start) + Int(view.length)]))
        }
    }

    func isZero(at row: Int) -> Bool {
        switch value(at: row) {
        case .null: false
        case .bool(let value): !value
        case .integer(let value): value == 0
        case .double(let bits): bits == 0
        case .decimal(let value): value == 0
        case .string(let utf8): utf8.isEmpty
        }
    }
}

/// Decodes one run and checks what holds for every run: the shape of the batch, zeros where a record failed.
func decode(
    _ records: [[UInt8]?], _ decoder: JSONDecoder, failures: inout [DecodeFailure], into batch: inout Batch
) -> [Decoded] {
    // Each record in memory of its own, and exactly as long as it is, so that the address sanitizer sees a read beyond it.
    let copies = records.map { record in
        record.map { bytes in
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
            copy.copyBytes(from: bytes)
            return UnsafeRawBufferPointer(copy)
        } ?? UnsafeRawBufferPointer(start: nil, count: 0)
    }
    defer { copies.forEach { $0.deallocate() } }
    failures.removeAll()
    copies.withUnsafeBufferPointer { decoder.decode($0, into: &batch, failures: &failures) }

    #expect(batch.rowCount == records.count)
    #expect(batch.columns.allSatisfy { $0.count == records.count })
    #expect(batch.columns.allSatisfy { $0.validity.isEmpty || $0.validity.count == records.count })
    let failed = failures.map(\.row)
    #expect(failed == failed.sorted() && Set(failed).count == failed.count)
    #expect((batch.selection.map(Int.init) + failed).sorted() == Array(records.indices))
    #expect(batch.selection == batch.selection.sorted())
    var outcomes = records.indices.map { row in Decoded.row(batch.columns.map { $0.value(at: row) }) }
    for failure in failures {
        #expect(batch.columns.allSatisfy { $0.isZero(at: failure.row) })
        #expect(!failure.detail.isEmpty)
        outcomes[failure.row] = .failed(failure.reason)
    }
    return outcomes
}

func decode(_ records: [[UInt8]?], _ decoder: JSONDecoder) -> [Decoded] {
    var batch = Batch(schema: decoder.schema)
    var failures: [DecodeFailure] = []
    return decode(records, decoder, failures: &failures, into: &batch)
}

/// The outcome of one record, and the detail if it failed.
func decode(_ record: String, _ fields: [DecodedField], limits: DecodeLimits = DecodeLimits()) -> (Decoded, String) {
    let decoder = JSONDecoder(fields: fields, limits: limits)
    var batch = Batch(schema: decoder.schema)
    var failures: [DecodeFailure] = []
    let outcome = decode([Array(record.utf8)], decoder, failures: &failures, into: &batch)
    return (outcome[0], failures.first?.detail ?? "")
}

/// The value of a field `v` of `type` in the record `{"v": text}`.
func value(_ text: String, as type: ValueType, form: TimestampForm = .rfc3339) -> Decoded {
    decode("{\"v\":\(text)}", [DecodedField("v", type, timestampForm: form)]).0
}

