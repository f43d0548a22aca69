// Some rows of a column at a time.
extension Column {
    /// Appends `rows` of `other`, which is of the same type. Nulls of a field that has none are values. What comes of it follows from the rows
    /// alone: one that is not among them leaves no trace.
    package mutating func append(_ rows: UnsafeBufferPointer<Int32>, of other: Column, isNullable: Bool) {
        let addsNulls = isNullable && other.hasNulls && rows.contains { other.validity[Int($0)] == 0 }
        if addsNulls || hasNulls {
            if validity.isEmpty { validity = [UInt8](repeating: 1, count: count) }
            if addsNulls {
                validity.append(rows, of: other.validity)
            } else {
                validity.append(contentsOf: repeatElement(1, count: rows.count))
            }
        }
        switch type {
        case .bool: bools.append(rows, of: other.bools)
        case .int64, .timestamp: integers.append(rows, of: other.integers)
        case .float64: doubles.append(rows, of: other.doubles)
        case .decimal: decimals.append(rows, of: other.decimals)
        case .string:
            other.bytes.withUnsafeBytes { all in
                for row in rows {
                    let view = other.views[Int(row)]
                    let end = Int(view.start) + Int(view.length)
                    precondition(bytes.count + Int(view.length) <= Int(UInt32.max), "a column holds at most 4 GiB of string bytes")
                    views.append(StringView(start: UInt32(bytes.count), length: view.length))
                    bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: all[Int(view.start)..<end]))
                }
            }
        }
    }
}

extension Array where Element: BitwiseCopyable {
    /// Appends the values of `other` at `rows`.
    package mutating func append(_ rows: UnsafeBufferPointer<Int32>, of other: [Element]) {
        other.withUnsafeBufferPointer { other in append(contentsOf: rows.lazy.map { other[Int($0)] }) }
    }
}
