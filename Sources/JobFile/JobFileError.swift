/// Everything that is wrong with a file.
package struct JobFileError: Error, Hashable, Sendable {
    package struct Issue: Hashable, Sendable, CustomStringConvertible {
        /// The path as it was given.
        package let file: String
        /// From 1.
        package let line: Int
        /// From 1, in Unicode scalars.
        package let column: Int
        /// What was expected, what was found, what was probably meant. One line.
        package let message: String

        package var description: String { "\(file):\(line):\(column): \(message)" }
    }

    /// At least one, by position.
    package let issues: [Issue]
}

extension JobFileError: CustomStringConvertible {
    /// A line an issue.
    package var description: String { issues.map(\.description).joined(separator: "\n") }
}
