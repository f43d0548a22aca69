import Batch

/// Smallest and largest value and the nulls of a page or a column chunk (parquet.thrift `Statistics`), in the column's own
/// order: numbers by value, strings by their bytes. Bounds of long strings are cut, which keeps them bounds.
struct Statistics {
    static let stringBytesMax = 64

    var nullCount = 0
    /// PLAIN bytes without a length; nil when there is no value, or none that readers may trust (NaN).
    var minimum: [UInt8]?
    var maximum: [UInt8]?

    /// - Parameter rows: of `column`; all of them count.
    init(_ column: Column, rows: Range<Int>, physical: PhysicalType) {
        var low: Int?
        var high: Int?
        var hasNaN = false
        for row in rows {
            if column.isNull(row) {
                nullCount += 1
                continue
            }
            if column.type == .float64, column.doubles[row].isNaN { hasNaN = true }
            if low.map({ column.isLess(row, than: $0) }) ?? true { low = row }
            if high.map({ column.isLess($0, than: row) }) ?? true { high = row }
        }
        guard let low, let high, !hasNaN else { return }
        switch column.type {
        case .string:
            minimum = Array(column.utf8(column.views[low]).prefix(Self.stringBytesMax))
            maximum = Self.upperBound(column.utf8(column.views[high]))
            if maximum == nil { minimum = nil }
        case .float64:
            // A zero bound may stand for either zero (parquet.thrift, ColumnOrder).
            minimum = Self.plain(column.doubles[low] == 0 ? -0.0 : column.doubles[low])
            maximum = Self.plain(column.doubles[high] == 0 ? 0.0 : column.doubles[high])
        default:
            var bytes: [UInt8] = []
            column.appendPlain(low, as: physical, to: &bytes)
            minimum = bytes
            bytes = []
            column.appendPlain(high, as: physical, to: &bytes)
            maximum = bytes
        }
    }

    /// The shortest of: the string itself, or its beginning with one byte raised. Only ASCII bytes are raised, so that
    /// the bound stays UTF-8; nil when there is none.
    private static func upperBound(_ utf8: ArraySlice<UInt8>) -> [UInt8]? {
        guard utf8.count > stringBytesMax else { return Array(utf8) }
        var bound = Array(utf8.prefix(stringBytesMax))
        while let last = bound.popLast() {
            if last < 0x7F {
                bound.append(last + 1)
                return bound
            }
        }
        return nil
    }

    private static func plain(_ value: Double) -> [UInt8] {
        withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
    }

    func write(to writer: inout ThriftCompactWriter) {
        writer.field(3, i64: Int64(nullCount))
        if let minimum, let maximum {
            writer.field(5, binary: maximum)
            writer.field(6, binary: minimum)
        }
    }
}

extension Column {
    fileprivate func isLess(_ left: Int, than right: Int) -> Bool {
        switch type {
        case .bool: bools[left] < bools[right]
        case .int64, .timestamp: integers[left] < integers[right]
        case .float64: doubles[left] < doubles[right]
        case .decimal: decimals[left] < decimals[right]
        case .string: utf8(views[left]).lexicographicallyPrecedes(utf8(views[right]))
        }
    }
}
