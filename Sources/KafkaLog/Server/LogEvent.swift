/// Something worth a line in the log of the process.
package struct LogEvent: Sendable {
    package enum Level: String, Sendable {
        case debug, info, warning, error
    }

    package let level: Level
    package let message: String
    /// What the message is about, in the order to print.
    package let fields: [(name: String, value: String)]

    package init(_ level: Level, _ message: String, _ fields: KeyValuePairs<String, String> = [:]) {
        self.level = level
        self.message = message
        self.fields = fields.map { ($0.key, $0.value) }
    }
}
