import Batch

/// Types as they are written in `cast` and in the job file.
package enum TypeName {
    package struct Problem: Error, Sendable {
        package let message: String
    }

    package static let names = ["bool", "int64", "float64", "decimal", "string", "timestamp"]

    /// What other systems call them.
    private static let foreign = [
        "boolean": "bool", "int": "int64", "integer": "int64", "bigint": "int64", "long": "int64", "int32": "int64", "smallint": "int64",
        "double": "float64", "float": "float64", "real": "float64", "float32": "float64", "numeric": "decimal", "number": "decimal",
        "varchar": "string", "text": "string", "char": "string", "datetime": "timestamp",
    ]

    /// - Parameter more: further names that are right at this place, for suggestions.
    package static func parse(_ text: String, alsoKnown more: [String] = []) throws(Problem) -> ValueType {
        let compact = String(text.filter { !$0.isWhitespace }).lowercased()
        let base = String(compact.prefix { $0 != "(" })
        let arguments = compact.dropFirst(base.count)
        if base == "decimal" { return try decimal(arguments) }
        guard let type = simple[base] else {
            let meant = foreign[base] ?? closestName(to: base, among: names + more)
            let hint = meant.map { "; did you mean `\($0 == "decimal" ? "decimal(p,s)" : $0)`?" } ?? ""
            let all = (names + more).map { $0 == "decimal" ? "decimal(p,s)" : $0 }
            throw Problem(message: "unknown type `\(text)`\(hint.isEmpty ? "; types are \(all.joined(separator: ", "))" : hint)")
        }
        guard arguments.isEmpty else { throw Problem(message: "type `\(base)` takes nothing in parentheses") }
        return type
    }

    private static let simple: [String: ValueType] = [
        "bool": .bool, "int64": .int64, "float64": .float64, "string": .string, "timestamp": .timestamp,
    ]

    private static func decimal(_ arguments: Substring) throws(Problem) -> ValueType {
        let numbers = arguments.dropFirst().dropLast().split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        guard arguments.hasPrefix("("), arguments.hasSuffix(")"), numbers.count == 2, let precision = numbers[0], let scale = numbers[1]
        else {
            throw Problem(message: "a decimal is written decimal(p,s): p digits in all, s of them after the point, such as decimal(12,2)")
        }
        guard (1...ValueType.precisionMax).contains(precision) else {
            throw Problem(message: "the precision of a decimal is 1 to \(ValueType.precisionMax), not \(precision)")
        }
        guard (0...precision).contains(scale) else {
            throw Problem(message: "the scale of decimal(\(precision),\(scale)) is not between 0 and its precision")
        }
        return .decimal(precision: precision, scale: scale)
    }
}
