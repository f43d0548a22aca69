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
            case .int64, .timestamp: append(column.integers[range], to: &bytes)
            case .float64: append(column.doubles[range], to: &bytes)
            case .decimal: append(column.decimals[range], to: &bytes)
            case .string: append(column.views[range], of: column.bytes, to: &bytes)
            }
        }
    }

    private static func append(_ views: ArraySlice<StringView>, of utf8: [UInt8], to bytes: inout [UInt8]) {
        append(views.map(\.length)[...], to: &bytes)
        utf8.withUnsafeBytes { utf8 in
            for view in views {
                let end = Int(view.start) + Int(view.length)
                bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: utf8[Int(view.start)..<end]))
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
            guard let validity = rest.flags(count) else { return false }
            if column.validity.isEmpty { column.validity = [UInt8](repeating: 1, count: before) }
            column.validity.append(contentsOf: validity)
        } else if column.hasNulls {
            column.validity.append(contentsOf: repeatElement(1, count: count))
        }
        switch column.type {
        case .bool:
            guard let values = rest.flags(count) else { return false }
            column.bools.append(contentsOf: values)
        case .int64, .timestamp: return rest.words(count, into: &column.integers, zero: 0)
        case .float64: return rest.words(count, into: &column.doubles, zero: 0)
        case .decimal: return rest.words(count, into: &column.decimals, zero: 0)
        case .string:
            var lengths: [UInt32] = []
            guard rest.words(count, into: &lengths, zero: 0) else { return false }
            // A sum of 32-bit lengths of values that are there: cannot overflow.
            guard let utf8 = rest.take(lengths.reduce(0) { $0 + Int($1) }), column.bytes.count + utf8.count <= Int(UInt32.max)
            else { return false }
            var start = UInt32(column.bytes.count)
            for length in lengths {
                // `append(utf8:)` would note validity again.
                column.views.append(StringView(start: start, length: length))
                start += length
            }
            column.bytes.append(contentsOf: utf8)
        }
        return true
    }

    private static func append<Value: FixedWidthInteger>(_ value: Value, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Values as they lie in memory: the machines that this runs on are little-endian, too.
    private static func append<Value: BitwiseCopyable>(_ values: ArraySlice<Value>, to bytes: inout [UInt8]) {
        values.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }

    private struct Reader {
        private var rest: UnsafeRawBufferPointer

        init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

        var isAtEnd: Bool { rest.isEmpty }

        mutating func take(_ count: Int) -> UnsafeRawBufferPointer? {
            guard rest.count >= count else { return nil }
            defer { rest = UnsafeRawBufferPointer(rebasing: rest[count...]) }
            return UnsafeRawBufferPointer(rebasing: rest[..<count])
        }

        /// Bytes that are 0 or 1.
        mutating func flags(_ count: Int) -> UnsafeRawBufferPointer? {
            guard let flags = take(count), flags.reduce(0, |) <= 1 else { return nil }
            return flags
        }

        /// Appends `count` values as they lie in memory.
        mutating func words<Value: BitwiseCopyable>(_ count: Int, into values: inout [Value], zero: Value) -> Bool {
            let size = MemoryLayout<Value>.size
            guard rest.count / size >= count, let bytes = take(count * size) else { return false }
            let before = values.count
            values.append(contentsOf: repeatElement(zero, count: count))
            values.withUnsafeMutableBytes { all in
                UnsafeMutableRawBufferPointer(rebasing: all[(before * size)...]).copyMemory(from: bytes)
            }
            return true
        }

        mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) -> Value? {
            guard let bytes = take(MemoryLayout<Value>.size) else { return nil }
            var value = Value.zero
            withUnsafeMutableBytes(of: &value) { $0.copyBytes(from: bytes) }
            return Value(littleEndian: value)
        }
    }
}
