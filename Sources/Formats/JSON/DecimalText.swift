/// Reads decimals of one precision and scale from the text of JSON numbers, exactly.
struct DecimalText {
    let precision: Int
    let scale: Int
    /// 10^0 ... 10^38, of which the largest is just within an Int128.
    private let powers: [Int128]

    init(precision: Int, scale: Int) {
        self.precision = precision
        self.scale = scale
        var powers: [Int128] = [1]
        for _ in 0..<38 { powers.append(powers[powers.count - 1] * 10) }
        self.powers = powers
    }

    /// The mantissa at `scale` of the number in `start..<end`, whose grammar was checked.
    func mantissa(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) throws(ValueFault) -> Int128 {
        let isNegative = bytes[start] == UInt8(ascii: "-")
        let begin = isNegative ? start &+ 1 : start
        guard end &- begin <= 19 else { return try anyMantissa(bytes, begin, end, isNegative) }
        var digits: UInt64 = 0
        var fraction = 0
        var isFraction = false
        for at in begin..<end {
            let byte = bytes[at]
            let digit = byte &- 0x30
            if digit < 10 {
                digits = digits &* 10 &+ UInt64(digit)
                if isFraction { fraction &+= 1 }
            } else if byte == UInt8(ascii: ".") {
                isFraction = true
            } else {
                return try anyMantissa(bytes, begin, end, isNegative)
            }
        }
        // 19 digits and 10^19 stay within an Int128.
        guard fraction <= scale, scale &- fraction <= 19 else { return try anyMantissa(bytes, begin, end, isNegative) }
        let magnitude = Int128(digits) &* powers[scale &- fraction]
        guard magnitude < powers[precision] else { throw .tooManyDigits }
        return isNegative ? 0 - magnitude : magnitude
    }

    /// Any length, any exponent: reduces the number to its digits between the first and the last that is not zero, and
    /// the power of ten of the last.
    @inline(never)
    private func anyMantissa(
        _ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ isNegative: Bool
    ) throws(ValueFault) -> Int128 {
        var pointAt: Int?
        var significandEnd = end
        for at in start..<end {
            if bytes[at] == UInt8(ascii: ".") { pointAt = at }
            if bytes[at] | 0x20 == UInt8(ascii: "e") {
                significandEnd = at
                break
            }
        }
        let isSignificant = { (at: Int) in bytes[at] != UInt8(ascii: "0") && bytes[at] != UInt8(ascii: ".") }
        guard let first = (start..<significandEnd).first(where: isSignificant),
            let last = (start..<significandEnd).last(where: isSignificant)
        else { return 0 }
        let point = pointAt ?? significandEnd
        // The digit before the point has the power 0, the one behind it -1.
        let lastPower = (last < point ? point - last - 1 : point - last) + exponent(bytes, significandEnd, end)
        let shift = lastPower + scale
        guard shift >= 0 else { throw .tooManyFractionDigits }
        let digitCount = last - first + 1 - (first < point && point < last ? 1 : 0)
        guard digitCount <= precision, shift <= precision - digitCount else { throw .tooManyDigits }
        var magnitude: Int128 = 0
        for at in first...last where at != point {
            magnitude = magnitude * 10 + Int128(bytes[at] - 0x30)
        }
        magnitude *= powers[shift]
        return isNegative ? -magnitude : magnitude
    }

    /// The exponent that begins at `start`, capped far beyond what any record's digits can make up for.
    private func exponent(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int {
        guard start < end else { return 0 }
        var at = start + 1
        let isNegative = bytes[at] == UInt8(ascii: "-")
        if isNegative || bytes[at] == UInt8(ascii: "+") { at += 1 }
        var value = 0
        while at < end {
            value = min(value * 10 + Int(bytes[at] - 0x30), 1 << 50)
            at += 1
        }
        return isNegative ? -value : value
    }
}
