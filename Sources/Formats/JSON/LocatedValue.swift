/// A value in its record: `start..<end` of `bytes`, a string with its quotes.
struct LocatedValue {
    let bytes: UnsafePointer<UInt8>
    let start: Int
    let end: Int
    /// False when the record has no backslash.
    let mayHaveEscapes: Bool

    @inline(__always)
    var first: UInt8 { bytes[start] }

    @inline(__always)
    var isString: Bool { first == UInt8(ascii: "\"") }

    @inline(__always)
    var isNumber: Bool { first &- 0x30 < 10 || first == UInt8(ascii: "-") }

    /// Whether the text of a string is not what stands between the quotes.
    @inline(__always)
    private var hasEscapes: Bool {
        mayHaveEscapes && JSONEscapes.firstBackslash(bytes, start &+ 1, end &- 1) < end &- 1
    }

    /// Writes the text of a string, without quotes and escapes, to `output`, which has room for the string as it stands.
    /// - Returns: the number of bytes.
    @inline(__always)
    func copyText(to output: UnsafeMutablePointer<UInt8>, lengthMax: Int) throws(ValueFault) -> Int {
        let length = end &- start &- 2
        // An escape of six bytes stands for at least one.
        guard length <= lengthMax || (mayHaveEscapes && length <= 6 &* lengthMax) else { throw .stringTooLong }
        guard hasEscapes else {
            guard length <= lengthMax else { throw .stringTooLong }
            output.update(from: bytes + start + 1, count: length)
            return length
        }
        let unescaped = try JSONEscapes.unescape(bytes, start &+ 1, end &- 1, to: output)
        guard unescaped <= lengthMax else { throw .stringTooLong }
        return unescaped
    }

    /// Calls `body` with the text of a string, without quotes and escapes.
    @inline(__always)
    func withText<Value>(
        _ body: (UnsafePointer<UInt8>, _ start: Int, _ end: Int) throws(ValueFault) -> Value
    ) throws(ValueFault) -> Value {
        guard hasEscapes else { return try body(bytes, start &+ 1, end &- 1) }
        let scratch = UnsafeMutablePointer<UInt8>.allocate(capacity: end &- start)
        defer { scratch.deallocate() }
        let length = try JSONEscapes.unescape(bytes, start &+ 1, end &- 1, to: scratch)
        return try body(UnsafePointer(scratch), 0, length)
    }
}
