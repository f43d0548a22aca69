import Batch
import Expression

/// One value, as tests write and print it.
enum Value: Hashable, CustomStringConvertible {
    case null
    case bool(Bool)
    /// int64, timestamps.
    case integer(Int64)
    case double(Double)
    case decimal(Int128, scale: Int)
    case string(String)

    var description: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .double(let value): "\(value)"
        case .decimal(let value, let scale): "\(value)e-\(scale)"
        case .string(let value): "'\(value)'"
        }
    }
}

extension Column {
    func value(_ row: Int) -> Value {
        if isNull(row) { return .null }
        return switch type {
        case .bool: .bool(bools[row] == 1)
        case .int64, .timestamp: .integer(integers[row])
        case .float64: .double(doubles[row])
        case .decimal(_, let scale): .decimal(decimals[row], scale: scale)
        case .string: .string(string(at: row))
        }
    }

    mutating func append(_ value: Value) {
        switch value {
        case .null: appendNull()
        case .bool(let value): append(bool: value)
        case .integer(let value): append(integer: value)
        case .double(let value): append(double: value)
        case .decimal(let value, _): append(decimal: value)
        case .string(let value): append(string: value)
        }
    }
}

func batch(_ schema: Schema, _ rows: [[Value]]) -> Batch {
    var batch = Batch(schema: schema)
    for row in rows {
        for (index, value) in row.enumerated() { batch.columns[index].append(value) }
    }
    batch.rowCount = rows.count
    batch.eventTimes = [Int64](repeating: 0, count: rows.count)
    batch.watermarks = batch.eventTimes
    batch.selectAll()
    return batch
}

/// Columns of every type, each once as it must be and once nullable.
let everyType = Schema([
    Field("b", .bool), Field("i", .int64), Field("f", .float64), Field("d", .decimal(precision: 10, scale: 2)), Field("s", .string),
    Field("t", .timestamp), Field("nb", .bool, isNullable: true), Field("ni", .int64, isNullable: true),
    Field("nf", .float64, isNullable: true), Field("nd", .decimal(precision: 20, scale: 4), isNullable: true),
    Field("ns", .string, isNullable: true), Field("nt", .timestamp, isNullable: true),
])

/// 2026-01-31T23:59:59.123456Z
let someTime: Int64 = 1_769_903_999_123_456

/// Two rows of `everyType`: in the second all that can be null is.
func twoRows() -> Batch {
    batch(
        everyType,
        [
            [
                .bool(true), .integer(7), .double(2.5), .decimal(12_50, scale: 2), .string("Grüße, Jürgen"), .integer(someTime),
                .bool(false),
                .integer(-3), .double(-0.5), .decimal(-1_2345, scale: 4), .string("  trim me "), .integer(-1),
            ],
            [
                .bool(false), .integer(0), .double(0), .decimal(0, scale: 2), .string(""), .integer(0), .null, .null, .null, .null, .null,
                .null,
            ],
        ])
}

func evaluate(_ text: String, _ batch: Batch) throws -> Column {
    try Expression.parse(text).typed(in: batch.schema).evaluate(batch)
}

/// The value of the first row, and its type.
func first(_ text: String) throws -> (value: Value, type: ValueType) {
    let expression = try Expression.parse(text).typed(in: everyType)
    let column = expression.evaluate(twoRows())
    return (column.value(0), expression.type)
}

func second(_ text: String) throws -> Value {
    try evaluate(text, twoRows()).value(1)
}

/// `character: message`, from 1; empty when it is accepted.
func refusal(_ text: String, _ schema: Schema = everyType) -> String {
    do throws(ExpressionError) {
        _ = try Expression.parse(text).typed(in: schema)
        return ""
    } catch {
        return "\(error.offset + 1): \(error.message)"
    }
}
