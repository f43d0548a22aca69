/// Why bytes are not the message that they claim to be. The connection that sent them is of no further use: what follows
/// cannot be told apart.
package enum CodecError: Error, Equatable, CustomStringConvertible {
    /// `needed` bytes were announced at `offset` of the frame, `remaining` are there.
    case truncated(offset: Int, needed: Int, remaining: Int)
    /// A length or count that no value may have.
    case invalidLength(offset: Int, length: Int64)
    /// A null where this version of the message allows none.
    case unexpectedNull(offset: Int)
    case invalidText(offset: Int)
    case invalidVarint(offset: Int)
    /// Arrays of the message hold more elements than any honest client sends.
    case tooManyElements(limit: Int)
    /// Bytes are left after the last field.
    case trailingBytes(Int)

    package var description: String {
        switch self {
        case .truncated(let offset, let needed, let remaining):
            "expected \(needed) bytes at offset \(offset) of the message, \(remaining) are left"
        case .invalidLength(let offset, let length): "the length \(length) at offset \(offset) of the message is not possible"
        case .unexpectedNull(let offset): "the field at offset \(offset) of the message is null, which its version does not allow"
        case .invalidText(let offset): "the text at offset \(offset) of the message is not UTF-8"
        case .invalidVarint(let offset): "the variable-length integer at offset \(offset) of the message is longer than 5 bytes"
        case .tooManyElements(let limit): "the arrays of the message have more than \(limit) elements"
        case .trailingBytes(let count): "\(count) bytes follow the last field of the message"
        }
    }
}
