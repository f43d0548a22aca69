/// Why an expression was refused.
package struct ExpressionError: Error, Hashable, Sendable {
    /// Where in the text: Unicode scalars before the offending token.
    package let offset: Int
    /// What was expected, what was found, what to do. One line, begins in lower case, no full stop.
    package let message: String

    package init(at offset: Int, _ message: String) {
        self.offset = offset
        self.message = message
    }
}

extension ExpressionError: CustomStringConvertible {
    /// With the position as a reader counts it, from 1.
    package var description: String { "at character \(offset + 1): \(message)" }
}
