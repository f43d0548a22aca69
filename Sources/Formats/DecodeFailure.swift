/// Why a record did not decode. The raw values are those of the dead letter's header `millrace.reason`.
package enum DecodeFailureReason: String, Hashable, Sendable, CaseIterable {
    /// The bytes are no record of the format at all, whatever fields a job reads.
    case malformed
    /// A field that must have a value is absent or null.
    case missingField = "missing_field"
    /// A field has a value that its column cannot hold.
    case badType = "bad_type"
    /// The record or one of its strings is longer than allowed.
    case tooLarge = "too_large"
}

/// A record that did not decode, for its dead letter.
package struct DecodeFailure: Hashable, Sendable {
    /// The record's position in the run, which is its row in the batch.
    package var row: Int
    package var reason: DecodeFailureReason
    /// For people: field, place, what was expected and what was found.
    package var detail: String

    package init(row: Int, reason: DecodeFailureReason, detail: String) {
        self.row = row
        self.reason = reason
        self.detail = detail
    }
}
