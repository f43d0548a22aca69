import Batch

/// One value, of a type known from its surroundings.
package enum Constant: Hashable, Sendable {
    case null
    case bool(Bool)
    /// int64, a timestamp or an interval in microseconds.
    case integer(Int64)
    case double(Double)
    /// The mantissa at the scale of the type.
    case decimal(Int128)
    case string(String)
}

/// A checked operation with its result's type. The checker has put conversions in, so that operands have the types
/// that the kernels take.
struct Node: Sendable {
    /// What the checker knows beyond the type of the column.
    enum Kind: Sendable {
        case value
        /// An int64 that counts microseconds between two times.
        case interval
        /// The literal `null`, which takes the type of its surroundings.
        case untypedNull
    }

    let form: Form
    let type: ValueType
    let isNullable: Bool
    var kind = Kind.value

    indirect enum Form: Sendable {
        case column(Int)
        /// With the value as a column of one row.
        case constant(Constant, Column)
        /// Both of one type; decimals may differ in scale.
        case compare(Comparison, Node, Node)
        /// All of one type; decimals may differ in scale.
        case between(Node, low: Node, high: Node, isNegated: Bool)
        /// Constants and others are of the operand's type; other decimals may differ in scale.
        case isIn(Node, constants: ConstantList, others: [Node], isNegated: Bool)
        case like(Node, LikePattern, isNegated: Bool)
        case isNull(Node, isNegated: Bool)
        case and([Node])
        case or([Node])
        case not(Node)
        /// Both of the result's type; decimals are of any precision and scale.
        case arithmetic(Arithmetic, Node, Node)
        case negate(Node)
        /// Values are of the result's type.
        case choose([Branch], otherwise: Node?)
        /// Of the result's type.
        case coalesce([Node])
        case cast(Node)
        case call(Function, [Node])
        case truncate(Node, to: DateUnit)
    }

    struct Branch: Sendable {
        var condition: Node
        var value: Node
    }

    var constant: Constant? {
        if case .constant(let value, _) = form { value } else { nil }
    }
}

enum Comparison: Sendable {
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
}

enum Arithmetic: String, Sendable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case remainder = "%"
}

/// Functions of rows that need nothing from the checker but their arguments' types.
enum Function: String, Sendable {
    case lower, upper, length, substr, concat, trim, ltrim, rtrim, date, hour
}

/// The constants of an `in` list, ascending and without repeats; one array in use, by the operand's type.
struct ConstantList: Sendable {
    /// int64 and timestamps.
    var integers: [Int64] = []
    var doubles: [Double] = []
    /// At the operand's scale.
    var decimals: [Int128] = []
    /// Ascending by bytes.
    var strings: [[UInt8]] = []
    var bools: [UInt8] = []
}
