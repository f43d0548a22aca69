/// Where a string lies in its column's `bytes`.
@usableFromInline
package struct StringView: Hashable, Sendable {
    @usableFromInline package var start: UInt32
    @usableFromInline package var length: UInt32

    @inlinable
    package init(start: UInt32, length: UInt32) {
        self.start = start
        self.length = length
    }
}

/// The values of one field for a run of rows.
///
/// Exactly one of the storage arrays is in use, by `type`: `bools` (0 or 1), `integers` (int64, timestamp),
/// `doubles`, `decimals` (mantissas at the type's scale) or `views` into `bytes`. It holds one value a row, also for
/// rows that are null (then zero or the empty view). Loops take `span` or `mutableSpan` of the array they need once a
/// batch; several columns may share `bytes` (arrays are copied on write), so a view is meaningful only with its own column.
@usableFromInline
package struct Column: Sendable {
    @usableFromInline package let type: ValueType
    @usableFromInline package var bools: [UInt8] = []
    @usableFromInline package var integers: [Int64] = []
    @usableFromInline package var doubles: [Double] = []
    @usableFromInline package var decimals: [Int128] = []
    @usableFromInline package var views: [StringView] = []
    @usableFromInline package var bytes: [UInt8] = []
    /// 1 for a value, 0 for null, one a row; empty when no row is null.
    @usableFromInline package var validity: [UInt8] = []

    package init(_ type: ValueType) {
        self.type = type
    }

    /// A column of `count` zeros (false, 0, the empty string), none null.
    package init(_ type: ValueType, zeros count: Int) {
        self.type = type
        resize(to: count)
    }

    @usableFromInline
    package var count: Int {
        switch type {
        case .bool: bools.count
        case .int64, .timestamp: integers.count
        case .float64: doubles.count
        case .decimal: decimals.count
        case .string: views.count
        }
    }

    package var hasNulls: Bool { !validity.isEmpty }

    @inlinable
    package func isNull(_ row: Int) -> Bool {
        !validity.isEmpty && validity[row] == 0
    }

    /// Keeps the capacity, forgets the rows.
    package mutating func removeAll() {
        bools.removeAll(keepingCapacity: true)
        integers.removeAll(keepingCapacity: true)
        doubles.removeAll(keepingCapacity: true)
        decimals.removeAll(keepingCapacity: true)
        views.removeAll(keepingCapacity: true)
        bytes.removeAll(keepingCapacity: true)
        validity.removeAll(keepingCapacity: true)
    }

    /// `count` rows of zero; what was there is forgotten, the capacity kept.
    package mutating func resize(to count: Int) {
        removeAll()
        switch type {
        case .bool: bools.append(contentsOf: repeatElement(0, count: count))
        case .int64, .timestamp: integers.append(contentsOf: repeatElement(0, count: count))
        case .float64: doubles.append(contentsOf: repeatElement(0, count: count))
        case .decimal: decimals.append(contentsOf: repeatElement(0, count: count))
        case .string: views.append(contentsOf: repeatElement(StringView(start: 0, length: 0), count: count))
        }
    }

    /// Marks `row` as null. The first null of a column makes room for the validity of all its rows.
    @inlinable
    package mutating func setNull(_ row: Int) {
        if validity.isEmpty { validity = [UInt8](repeating: 1, count: count) }
        validity[row] = 0
    }
}

// Row by row: for tests, edges and outputs of closed windows. Hot loops use the arrays.
extension Column {
    /// Appends a null row.
    package mutating func appendNull() {
        let before = count
        switch type {
        case .bool: bools.append(0)
        case .int64, .timestamp: integers.append(0)
        case .float64: doubles.append(0)
        case .decimal: decimals.append(0)
        case .string: views.append(StringView(start: 0, length: 0))
        }
        if validity.isEmpty { validity = [UInt8](repeating: 1, count: before) }
        validity.append(0)
    }

    @inlinable
    mutating func noteValue() {
        if !validity.isEmpty { validity.append(1) }
    }

    @inlinable
    package mutating func append(bool value: Bool) {
        bools.append(value ? 1 : 0)
        noteValue()
    }

    /// An int64 or a timestamp in microseconds.
    @inlinable
    package mutating func append(integer value: Int64) {
        integers.append(value)
        noteValue()
    }

    @inlinable
    package mutating func append(double value: Double) {
        doubles.append(value)
        noteValue()
    }

    /// The mantissa at the column's scale.
    @inlinable
    package mutating func append(decimal mantissa: Int128) {
        decimals.append(mantissa)
        noteValue()
    }

    /// Copies `utf8` into the column. A column's bytes are limited to 4 GiB.
    @inlinable
    package mutating func append(utf8: UnsafeRawBufferPointer) {
        precondition(bytes.count + utf8.count <= Int(UInt32.max), "a column holds at most 4 GiB of string bytes")
        views.append(StringView(start: UInt32(bytes.count), length: UInt32(utf8.count)))
        bytes.append(contentsOf: utf8)
        noteValue()
    }

    package mutating func append(string value: String) {
        var value = value
        value.withUTF8 { append(utf8: UnsafeRawBufferPointer($0)) }
    }

    /// The string at `row`, copied.
    package func string(at row: Int) -> String {
        let view = views[row]
        return String(decoding: bytes[Int(view.start)..<Int(view.start) + Int(view.length)], as: UTF8.self)
    }
}
