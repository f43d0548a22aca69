/// What a record may cost. Beyond it is a dead letter.
package struct DecodeLimits: Hashable, Sendable {
    /// The longest string value that is taken into a column, in bytes of UTF-8 after unescaping.
    package var stringLengthMax: Int
    /// The longest record, in bytes.
    package var recordLengthMax: Int
    /// The deepest nesting of objects and arrays; the record itself is 1.
    package var depthMax: Int

    package init(stringLengthMax: Int = 64 << 10, recordLengthMax: Int = 8 << 20, depthMax: Int = 512) {
        precondition(stringLengthMax >= 0 && recordLengthMax > 0 && depthMax > 0, "limits are positive")
        precondition(recordLengthMax <= 1 << 30, "a record is at most 1 GiB")
        self.stringLengthMax = stringLengthMax
        self.recordLengthMax = recordLengthMax
        self.depthMax = depthMax
    }
}
