/// Rows as bytes, for state that holds whole rows.
///
/// Format (little-endian; does not change): row count u32, then column after column as the schema has them:
/// one byte 1 and a validity byte a row when it has nulls, else one byte 0; then bool: one byte a row; int64, timestamp, float64: eight
/// bytes a row; decimal: sixteen bytes a row; string: the lengths as u32, then all bytes. Then event times and
/// watermarks are not kept: rows in state have left the stream. The schema is the caller's to keep.
package enum BatchCodec {
    /// Appends rows `range` of `columns` to `bytes`.
    package static func encode(_ columns: [Column], rows range: Range<Int>, into bytes: inout [UInt8]) {
        append(UInt32(range.count), to: &bytes)
        for column in columns {
            if column.hasNulls {
                bytes.append(1)
                bytes.append(contentsOf: column.validity[range])
            } else {
                bytes.append(0)
            }
            switch column.type {
            case .bool: bytes.append(contentsOf: column.bools[range])
            case .int64, .timestamp: for value in column.integers[range] { append(value, to: &bytes) }
            case .float64: for value in column.doubles[range] { append(value.bitPattern, to: &bytes) }
            case .decimal: for value in column.decimals[range] { append(value, to: &bytes) }
            case .string:
                for view in column.views[range] { append(view.length, to: &bytes) }
                for view in column.views[range] {
                    bytes.append(contentsOf: column.bytes[Int(view.start)..<Int(view.start) + Int(view.length)])
                }
            }
        }
    }

    /// Appends the rows in `bytes` to `columns`.
    /// - Returns: the number of rows, or nil when the bytes are no rows of these columns (then `columns` are unusable).
    package static func decode(_ bytes: UnsafeRawBufferPointer, into columns: inout [Column]) -> Int? {
        var rest = Reader(bytes)
        guard let count = rest.integer(UInt32.self).map(Int.init) else { return nil }
        for index in columns.indices {
            guard decode(&rest, count, into: &columns[index]) else { return nil }
        }
        return rest.isAtEnd ? count : nil
    }

    private static func decode(_ rest: inout Reader, _ count: Int, into column: inout Column) -> Bool {
        let before = column.count
        guard let tag = rest.integer(UInt8.self), tag <= 1 else { return false }
        if tag == 1 {
            guard let validity = rest.take(count) else { return false }
            if column.validity.isEmpty { column.validity = [UInt8](repeating: 1, count: before) }
            column.validity.append(contentsOf: validity)
        } else if column.hasNulls {
            column.validity.append(contentsOf: repeatElement(1, count: count))
        }
        switch column.type {
        case .bool:
            guard let values = rest.take(count) else { return false }
            column.bools.append(contentsOf: values)
        case .int64, .timestamp:
            guard rest.has(count, of: 8) else { return false }
            for _ in 0..<count { column.integers.append(rest.integer(Int64.self) ?? 0) }
        case .float64:
            guard rest.has(count, of: 8) else { return false }
            for _ in 0..<count { column.doubles.append(Double(bitPattern: rest.integer(UInt64.self) ?? 0)) }
        case .decimal:
            guard rest.has(count, of: 16) else { return false }
            for _ in 0..<count { column.decimals.append(rest.integer(Int128.self) ?? 0) }
        case .string:
            guard rest.has(count, of: 4) else { return false }
            let lengths = (0..<count).map { _ in Int(rest.integer(UInt32.self) ?? 0) }
            for length in lengths {
                guard let utf8 = rest.take(length) else { return false }
                // `append(utf8:)` would note validity again.
                column.views.append(StringView(start: UInt32(column.bytes.count), length: UInt32(length)))
                column.bytes.append(contentsOf: utf8)
            }
        }
        return true
    }

    private static func append<Value: FixedWidthInteger>(_ value: Value, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private struct Reader {
        private var rest: Slice<UnsafeRawBufferPointer>

        init(_ bytes: UnsafeRawBufferPointer) { rest = bytes[...] }

        var isAtEnd: Bool { rest.isEmpty }

        func has(_ count: Int, of size: Int) -> Bool { rest.count / size >= count }

        mutating func take(_ count: Int) -> Slice<UnsafeRawBufferPointer>? {
            guard rest.count >= count else { return nil }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }

        mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) -> Value? {
            guard let bytes = take(MemoryLayout<Value>.size) else { return nil }
            var value = Value.zero
            withUnsafeMutableBytes(of: &value) { $0.copyBytes(from: bytes) }
            return Value(littleEndian: value)
        }
    }
}
