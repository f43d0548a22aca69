/// Writing a record's text without making strings.
extension [UInt8] {
    mutating func append(_ text: StaticString) {
        append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(text: String) { append(contentsOf: text.utf8) }

    /// In decimal, with zeros before it up to `width` digits; what is negative is written as 0.
    mutating func append(_ number: Int, width: Int = 1) {
        var digits: InlineArray<20, UInt8> = .init(repeating: 0)
        var count = 0
        var rest = Swift.max(0, number)
        repeat {
            digits[count] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
            count += 1
        } while rest > 0 || count < width
        while count > 0 {
            count -= 1
            append(digits[count])
        }
    }

    mutating func appendHexadecimal(_ number: UInt64) {
        for shift in stride(from: 60, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: number >> UInt64(shift)) & 15
            append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}
