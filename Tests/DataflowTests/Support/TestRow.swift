import Batch

/// A row of the tests' input: one column of every type.
struct TestRow {
    var key: String
    var time: Int64
    var number: Int64?
    var ratio: Double?
    var price: Int128?
    var text: String?
    var flag: Bool?
    var condition: Bool?
}

enum TestColumn {
    static let key = 0, time = 1, number = 2, ratio = 3, price = 4, text = 5, flag = 6, condition = 7
}

let testSchema = Schema([
    Field("key", .string), Field("time", .timestamp), Field("number", .int64, isNullable: true),
    Field("ratio", .float64, isNullable: true), Field("price", .decimal(precision: 20, scale: 2), isNullable: true),
    Field("text", .string, isNullable: true), Field("flag", .bool, isNullable: true),
    Field("condition", .bool, isNullable: true),
])

/// A batch of `rows`, with the watermark carried on in `latest` (the largest time so far; nil before any).
func batch(of rows: some Collection<TestRow>, latest: inout Int64?, outOfOrderness: Int64) -> Batch {
    var batch = Batch(schema: testSchema)
    for row in rows {
        latest = max(latest ?? row.time, row.time)
        batch.columns[TestColumn.key].append(string: row.key)
        batch.columns[TestColumn.time].append(integer: row.time)
        if let value = row.number { batch.columns[2].append(integer: value) } else { batch.columns[2].appendNull() }
        if let value = row.ratio { batch.columns[3].append(double: value) } else { batch.columns[3].appendNull() }
        if let value = row.price { batch.columns[4].append(decimal: value) } else { batch.columns[4].appendNull() }
        if let value = row.text { batch.columns[5].append(string: value) } else { batch.columns[5].appendNull() }
        if let value = row.flag { batch.columns[6].append(bool: value) } else { batch.columns[6].appendNull() }
        if let value = row.condition { batch.columns[7].append(bool: value) } else { batch.columns[7].appendNull() }
        batch.eventTimes.append(row.time)
        batch.watermarks.append(latest! - outOfOrderness)
    }
    batch.rowCount = rows.count
    batch.selectAll()
    return batch
}

/// One value of an output, comparable and printable.
enum Value: Hashable, CustomStringConvertible {
    case null
    case bool(Bool)
    case integer(Int64)
    /// By its bits: results have to be the same to the last.
    case double(UInt64)
    case decimal(Int128)
    case string(String)

    init(_ double: Double) { self = .double(double.bitPattern) }

    var description: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .double(let bits): "\(Double(bitPattern: bits))"
        case .decimal(let value): "\(value)d"
        case .string(let value): "'\(value)'"
        }
    }
}

/// The selected rows of a batch, value by value.
func values(of batch: Batch) -> [[Value]] {
    batch.selection.map { row in
        batch.columns.map { column in
            let row = Int(row)
            if column.isNull(row) { return .null }
            switch column.type {
            case .bool: return .bool(column.bools[row] != 0)
            case .int64, .timestamp: return .integer(column.integers[row])
            case .float64: return Value(column.doubles[row])
            case .decimal: return .decimal(column.decimals[row])
            case .string: return .string(column.string(at: row))
            }
        }
    }
}
