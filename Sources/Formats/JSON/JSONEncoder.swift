import Batch

/// Encodes rows as JSON objects: the chosen columns in their order, without white space. The same values give the same bytes.
///
/// Timestamps are epoch milliseconds (rounded down), decimals numbers with all digits of their scale, doubles the shortest
/// text that reads back the same (5.0, 0.1, 1e+20) and null when they are not finite, nulls are null.
package struct JSONEncoder: Sendable {
    private struct Member {
        let column: Int
        /// Where in `leads` lies what stands before the value: brace or comma, the key and a colon.
        let lead: Range<Int>
    }

    private let members: [Member]
    private let leads: [UInt8]

    /// - Parameter columns: positions in `schema` of the columns to write, in this order; all when nil.
    package init(schema: Schema, columns: [Int]? = nil) {
        var members: [Member] = []
        var leads: [UInt8] = []
        for column in columns ?? Array(schema.fields.indices) {
            let start = leads.count
            leads += Self.lead(schema.fields[column].name, isFirst: start == 0)
            members.append(Member(column: column, lead: start..<leads.count))
        }
        self.members = members
        self.leads = leads
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
        encode(columns, rows: rows, into: &encoded.bytes, ends: &encoded.ends)
    }

    /// Appends the rows to `bytes`, and where each of them ends there to `ends`.
    package func encode(_ columns: [Column], rows: [Int32], into bytes: inout [UInt8], ends: inout [Int]) {
        guard let first = rows.min(), let last = rows.max() else { return }
        precondition(
            first >= 0 && members.allSatisfy { Int(last) < columns[$0.column].count }, "the rows are rows of the columns")
        ends.reserveCapacity(ends.count + rows.count)
        ColumnPointers.withPointers(columns, members.map(\.column)) { columns in
            for row in rows {
                encode(columns.span, Int(row), into: &bytes)
                ends.append(bytes.count)
            }
        }
    }

    private func encode(_ columns: Span<ColumnPointers>, _ row: Int, into bytes: inout [UInt8]) {
        bytes.append(addingCapacity: lengthMax(columns, row)) { span in
            span.withUnsafeMutableBufferPointer { buffer, count in
                guard let start = buffer.baseAddress else { return }
                var output = start
                if members.isEmpty { output = ValueText.write("{", to: output) }
                let members = members.span
                for index in members.indices {
                    let lead = leads.span.extracting(members[index].lead)
                    lead.withUnsafeBufferPointer { lead in
                        guard let start = lead.baseAddress else { return }
                        output.update(from: start, count: lead.count)
                        output += lead.count
                    }
                    output = Self.write(columns[index], row, to: output)
                }
                output = ValueText.write("}", to: output)
                count = output - start
            }
        }
    }

    /// More than the row takes.
    private func lengthMax(_ columns: Span<ColumnPointers>, _ row: Int) -> Int {
        var length = leads.count + 2
        for index in columns.indices {
            length += ValueText.lengthMax
            if case .string = columns[index].type { length += JSONText.lengthMax(columns[index].utf8(row).count) }
        }
        return length
    }

    @inline(__always)
    private static func write(
        _ column: ColumnPointers, _ row: Int, to output: UnsafeMutablePointer<UInt8>
    ) -> UnsafeMutablePointer<UInt8> {
        if column.isNull(row) { return ValueText.write("null", to: output) }
        switch column.type {
        case .string: return JSONText.write(column.utf8(row), to: output)
        case .bool: return ValueText.write(column.value(row, as: UInt8.self) != 0, to: output)
        case .int64: return ValueText.write(column.value(row, as: Int64.self), to: output)
        case .timestamp: return ValueText.write(timestamp: column.value(row, as: Int64.self), to: output)
        case .decimal(_, let scale): return ValueText.write(decimal: column.value(row, as: Int128.self), scale: scale, to: output)
        case .float64:
            let value = column.value(row, as: Double.self)
            return value.isFinite ? ValueText.write(value, to: output) : ValueText.write("null", to: output)
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
        case .bool: append(to: &bytes) { ValueText.write(column.bools[row] != 0, to: $0) }
        case .int64: append(to: &bytes) { ValueText.write(column.integers[row], to: $0) }
        case .timestamp: append(to: &bytes) { ValueText.write(timestamp: column.integers[row], to: $0) }
        case .decimal(_, let scale): append(to: &bytes) { ValueText.write(decimal: column.decimals[row], scale: scale, to: $0) }
        case .float64:
            let value = column.doubles[row]
            append(to: &bytes) { output in
                if value.isNaN { return ValueText.write("NaN", to: output) }
                if value.isInfinite { return ValueText.write(value < 0 ? "-Infinity" : "Infinity", to: output) }
                return ValueText.write(value == 0 ? 0 : value, to: output)
            }
        }
        return true
    }

    private static func append(
        to bytes: inout [UInt8], _ write: (UnsafeMutablePointer<UInt8>) -> UnsafeMutablePointer<UInt8>
    ) {
        bytes.append(addingCapacity: ValueText.lengthMax) { span in
            span.withUnsafeMutableBufferPointer { buffer, count in
                guard let start = buffer.baseAddress else { return }
                count = write(start) - start
            }
        }
    }
}
