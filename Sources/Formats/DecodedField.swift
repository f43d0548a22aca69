import Batch

/// How a timestamp is written in the input.
package enum TimestampForm: Hashable, Sendable {
    /// A string, RFC 3339 section 5.6.
    case rfc3339
    /// An integer since 1970-01-01T00:00:00Z.
    case seconds, milliseconds, microseconds
}

/// A column to decode and where its value lies in a record.
package struct DecodedField: Hashable, Sendable {
    /// Name and type of the column. A nullable field may be absent or null.
    package var field: Field
    /// The keys that lead to the value, outermost first; never empty.
    package var path: [String]
    /// Read only where the type is a timestamp.
    package var timestampForm: TimestampForm

    package init(_ field: Field, path: [String], timestampForm: TimestampForm = .rfc3339) {
        precondition(!path.isEmpty, "a decoded field has a path of at least one key")
        self.field = field
        self.path = path
        self.timestampForm = timestampForm
    }

    /// A field at the top level, under its own name.
    package init(
        _ name: String, _ type: ValueType, isNullable: Bool = false, timestampForm: TimestampForm = .rfc3339
    ) {
        self.init(Field(name, type, isNullable: isNullable), path: [name], timestampForm: timestampForm)
    }
}
