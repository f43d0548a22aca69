import Batch

/// Encodes rows as JSON objects: the chosen columns in their order, without white space. The same values give the same bytes.
///
/// Timestamps are epoch milliseconds (rounded down), decimals numbers with all digits of their scale, doubles the shortest
/// text that reads back the same (5.0, 0.1, 1e+20) and null when they are not finite, nulls are null.
package struct JSONEncoder: Sendable {
    private struct Member {
        let column: Int
        /// What stands before the value: brace or comma, the key and a colon.
        let lead: [UInt8]
    }

    private let members: [Member]
    private let leadLength: Int

    /// - Parameter columns: positions in `schema` of the columns to write, in this order; all when nil.
    package init(schema: Schema, columns: [Int]? = nil) {
        members = (columns ?? Array(schema.fields.indices)).enumerated().map { position, column in
            Member(column: column, lead: Self.lead(schema.fields[column].name, isFirst: position == 0))
        }
        leadLength = members.reduce(0) { $0 + $1.lead.count }
    }

    private static func lead(_ name: String, isFirst: Bool) -> [UInt8] {
        let utf8 = Array(name.utf8)
        let quoted = [UInt8](unsafeUninitializedCapacity: JSONText.lengthMax(utf8.count)) { buffer, count in
            guard let start = buffer.baseAddress else { return }
            count = utf8.withUnsafeBufferPointer { JSONText.write($0, to: start) } - start
        }
        return [UInt8(ascii: isFirst ? "{" : ",")] + quoted + [UInt8(ascii: ":")]
    }

    /// Appends the selected rows of `batch`.
    package func encode(_ batch: Batch, into encoded: inout EncodedRows) {
        encode(batch.columns, rows: batch.selection, into: &encoded)
    }

    /// Appends `rows` of `columns`, which are those of the schema, in the order of `rows`.
    package func encode(_ columns: [Column], rows: [Int32], into encoded: inout EncodedRows) {
        encoded.ends.reserveCapacity(encoded.ends.count + rows.count)
        for row in rows {
            encode(columns, Int(row), into: &encoded.bytes)
            encoded.ends.append(encoded.bytes.count)
        }
    }

    private func encode(_ columns: [Column], _ row: Int, into bytes: inout [UInt8]) {
        bytes.append(addingCapacity: lengthMax(columns, row)) { span in
            span.withUnsafeMutableBufferPointer { buffer, count in
                guard let start = buffer.baseAddress else { return }
                var output = start
                if members.isEmpty { output = ValueText.write("{", to: output) }
                for member in members {
                    output.update(from: member.lead, count: member.lead.count)
                    output = Self.write(columns[member.column], row, to: output + member.lead.count)
                }
                output = ValueText.write("}", to: output)
                count = output - start
            }
        }
    }

    private func lengthMax(_ columns: [Column], _ row: Int) -> Int {
        members.reduce(leadLength + 2) { length, member in
            let column = columns[member.column]
            return length + (column.type == .string ? JSONText.lengthMax(Int(column.views[row].length)) : 0) + ValueText.lengthMax
        }
    }

    private static func write(
        _ column: Column, _ row: Int, to output: UnsafeMutablePointer<UInt8>
    ) -> UnsafeMutablePointer<UInt8> {
        if column.isNull(row) { return ValueText.write("null", to: output) }
        switch column.type {
        case .string:
            let view = column.views[row]
            return column.bytes.withUnsafeBufferPointer {
                JSONText.write(UnsafeBufferPointer(rebasing: $0[Int(view.start)..<Int(view.start) + Int(view.length)]), to: output)
            }
        case .float64 where !column.doubles[row].isFinite:
            return ValueText.write("null", to: output)
        default:
            return writeScalar(column, row, to: output)
        }
    }

    /// Writes a value that is neither null nor a string; doubles are finite.
    private static func writeScalar(
        _ column: Column, _ row: Int, to output: UnsafeMutablePointer<UInt8>
    ) -> UnsafeMutablePointer<UInt8> {
        switch column.type {
        case .bool: ValueText.write(column.bools[row] != 0, to: output)
        case .int64: ValueText.write(column.integers[row], to: output)
        case .timestamp: ValueText.write(timestamp: column.integers[row], to: output)
        case .float64: ValueText.write(column.doubles[row], to: output)
        case .decimal(_, let scale): ValueText.write(decimal: column.decimals[row], scale: scale, to: output)
        case .string: preconditionFailure("a string is no scalar")
        }
    }

    /// Appends the value of `column` at `row` as UTF-8 text, for the key of a Kafka message: a string as it is, other values
    /// as in JSON. Doubles that are equal have the same text (0.0 also for -0.0), and NaN, Infinity and -Infinity have these names.
    /// - Returns: false for null, which is a message without a key; nothing is appended then.
    package static func encodeKey(_ column: Column, row: Int, into bytes: inout [UInt8]) -> Bool {
        if column.isNull(row) { return false }
        switch column.type {
        case .string:
            let view = column.views[row]
            bytes.append(contentsOf: column.bytes[Int(view.start)..<Int(view.start) + Int(view.length)])
        case .float64 where column.doubles[row].isNaN:
            bytes.append(contentsOf: "NaN".utf8)
        case .float64 where column.doubles[row].isInfinite:
            bytes.append(contentsOf: (column.doubles[row] < 0 ? "-Infinity" : "Infinity").utf8)
        case .float64 where column.doubles[row] == 0:
            bytes.append(contentsOf: "0.0".utf8)
        default:
            bytes.append(addingCapacity: ValueText.lengthMax) { span in
                span.withUnsafeMutableBufferPointer { buffer, count in
                    guard let start = buffer.baseAddress else { return }
                    count = writeScalar(column, row, to: start) - start
                }
            }
        }
        return true
    }
}
