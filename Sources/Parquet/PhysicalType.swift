import Batch

/// How a column's values are laid down in a file (parquet.thrift `Type`, LogicalTypes.md).
enum PhysicalType: Equatable {
    case boolean
    case int32
    case int64
    case double
    case byteArray
    case fixedBytes(Int)

    init(_ type: ValueType) {
        switch type {
        case .bool: self = .boolean
        case .int64, .timestamp: self = .int64
        case .float64: self = .double
        case .string: self = .byteArray
        case .decimal(let precision, _):
            // "DECIMAL can be used to annotate int32 for precision 1...9, int64 for 1...18, fixed_len_byte_array"
            self = precision <= 9 ? .int32 : precision <= 18 ? .int64 : .fixedBytes(16)
        }
    }

    var code: Int32 {
        switch self {
        case .boolean: 0
        case .int32: 1
        case .int64: 2
        case .double: 5
        case .byteArray: 6
        case .fixedBytes: 7
        }
    }
}

extension Column {
    /// Appends the value at `row` in Parquet's PLAIN encoding. Booleans are packed elsewhere.
    func appendPlain(_ row: Int, as physical: PhysicalType, to bytes: inout [UInt8]) {
        switch physical {
        case .boolean: bytes.append(bools[row])
        case .int32: withUnsafeBytes(of: Int32(truncatingIfNeeded: decimals[row]).littleEndian) { bytes.append(contentsOf: $0) }
        case .int64:
            let value = type.isDecimal ? Int64(truncatingIfNeeded: decimals[row]) : integers[row]
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        case .double: withUnsafeBytes(of: doubles[row].bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
        case .byteArray:
            let view = views[row]
            withUnsafeBytes(of: view.length.littleEndian) { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: utf8(view))
        case .fixedBytes(let count):
            withUnsafeBytes(of: decimals[row].bigEndian) { bytes.append(contentsOf: $0.suffix(count)) }
        }
    }

    /// What tells values of the column apart: the bits, or the hash of a string.
    func identity(_ row: Int) -> Hash128 {
        switch type {
        case .bool: return Hash128(low: UInt64(bools[row]), high: 0)
        case .int64, .timestamp: return Hash128(low: UInt64(bitPattern: integers[row]), high: 0)
        case .float64: return Hash128(low: doubles[row].bitPattern, high: 0)
        case .decimal:
            let bits = UInt128(bitPattern: decimals[row])
            return Hash128(low: UInt64(truncatingIfNeeded: bits), high: UInt64(truncatingIfNeeded: bits >> 64))
        case .string:
            let view = views[row]
            return bytes.withUnsafeBytes {
                hash128(UnsafeRawBufferPointer(rebasing: $0[Int(view.start)..<Int(view.start) + Int(view.length)]))
            }
        }
    }

    func utf8(_ view: StringView) -> ArraySlice<UInt8> {
        bytes[Int(view.start)..<Int(view.start) + Int(view.length)]
    }
}

extension ValueType {
    var isDecimal: Bool {
        if case .decimal = self { true } else { false }
    }
}
