/// What a column holds. Every module speaks of values in these terms.
@usableFromInline
package enum ValueType: Hashable, Sendable {
    case bool
    case int64
    case float64
    /// An exact number: an integer mantissa times 10^-scale. `precision` is the number of decimal digits, 1...38;
    /// `scale` is 0...precision.
    case decimal(precision: Int, scale: Int)
    /// UTF-8, checked when it was decoded.
    case string
    /// Microseconds since 1970-01-01T00:00:00Z.
    case timestamp

    package static let precisionMax = 38

    package var isNumeric: Bool {
        switch self {
        case .int64, .float64, .decimal: true
        case .bool, .string, .timestamp: false
        }
    }
}

extension ValueType: CustomStringConvertible {
    /// The spelling of the job file.
    @usableFromInline package var description: String {
        switch self {
        case .bool: "bool"
        case .int64: "int64"
        case .float64: "float64"
        case .decimal(let precision, let scale): "decimal(\(precision),\(scale))"
        case .string: "string"
        case .timestamp: "timestamp"
        }
    }
}
