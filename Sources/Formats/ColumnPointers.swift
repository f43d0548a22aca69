import Batch

/// A column's arrays as pointers: what a loop over rows and columns reads without counting references.
struct ColumnPointers {
    let type: ValueType
    /// Nil when no row is null.
    private let validity: UnsafePointer<UInt8>?
    /// Of the array that `type` uses.
    private let values: UnsafeRawPointer
    private let bytes: UnsafePointer<UInt8>?

    @inline(__always)
    func isNull(_ row: Int) -> Bool { validity.map { $0[row] == 0 } ?? false }

    @inline(__always)
    func value<Value>(_ row: Int, as type: Value.Type) -> Value {
        values.assumingMemoryBound(to: type)[row]
    }

    @inline(__always)
    func utf8(_ row: Int) -> UnsafeBufferPointer<UInt8> {
        let view = value(row, as: StringView.self)
        return UnsafeBufferPointer(start: bytes.map { $0 + Int(view.start) }, count: Int(view.length))
    }

    /// Calls `body` with the pointers of the columns at `positions`, in that order, for as long as it runs.
    static func withPointers(_ columns: [Column], _ positions: [Int], _ body: ([ColumnPointers]) -> Void) {
        collect(columns, positions[...], [], body)
    }

    private static func collect(
        _ columns: [Column], _ positions: ArraySlice<Int>, _ collected: [ColumnPointers], _ body: ([ColumnPointers]) -> Void
    ) {
        guard let position = positions.first else { return body(collected) }
        withPointers(columns[position]) { collect(columns, positions.dropFirst(), collected + [$0], body) }
    }

    private static func withPointers(_ column: Column, _ body: (ColumnPointers) -> Void) {
        column.validity.withUnsafeBufferPointer { validity in
            column.bytes.withUnsafeBufferPointer { bytes in
                withValues(column) { values in
                    // Without an address there are no rows.
                    guard let values = values.baseAddress else { return }
                    body(
                        ColumnPointers(
                            type: column.type, validity: validity.isEmpty ? nil : validity.baseAddress, values: values,
                            bytes: bytes.baseAddress))
                }
            }
        }
    }

    private static func withValues(_ column: Column, _ body: (UnsafeRawBufferPointer) -> Void) {
        switch column.type {
        case .bool: column.bools.withUnsafeBytes(body)
        case .int64, .timestamp: column.integers.withUnsafeBytes(body)
        case .float64: column.doubles.withUnsafeBytes(body)
        case .decimal: column.decimals.withUnsafeBytes(body)
        case .string: column.views.withUnsafeBytes(body)
        }
    }
}
