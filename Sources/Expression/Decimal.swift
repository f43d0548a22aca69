/// Arithmetic on mantissas. Everything here is exact or says so, and gives nil instead of a number that does not fit.
package enum Decimal {
    /// 10^0 to 10^38: a decimal of precision p is smaller than `powers[p]`.
    static let powers: [Int128] = (0..<38).reduce(into: [1]) { powers, _ in powers.append(powers[powers.count - 1] * 10) }

    /// Whether `mantissa` has at most `precision` (1...38) digits.
    static func fits(_ mantissa: Int128, _ precision: Int) -> Bool {
        mantissa.magnitude < powers[precision].magnitude
    }

    /// The same number at another scale (both 0...38), rounded half away from zero where digits fall off.
    static func rescale(_ mantissa: Int128, from: Int, to: Int) -> Int128? {
        if from == to { return mantissa }
        if to > from {
            let (product, overflow) = mantissa.multipliedReportingOverflow(by: powers[to - from])
            return overflow ? nil : product
        }
        return roundedQuotient(mantissa, powers[from - to])
    }

    /// Half away from zero. `divisor` is not 0.
    private static func roundedQuotient(_ dividend: Int128, _ divisor: Int128) -> Int128? {
        let (quotient, rest) = dividend.magnitude.quotientAndRemainder(dividingBy: divisor.magnitude)
        let rounded = rest >= divisor.magnitude - rest ? quotient + 1 : quotient
        return signed(rounded, isNegative: (dividend < 0) != (divisor < 0))
    }

    static func signed(_ magnitude: UInt128, isNegative: Bool) -> Int128? {
        guard let value = Int128(exactly: magnitude) else { return nil }
        return isNegative ? -value : value
    }

    /// -1, 0 or 1: the order of two numbers of any scales. Exact.
    static func order(_ left: Int128, _ leftScale: Int, _ right: Int128, _ rightScale: Int) -> Int {
        if leftScale < rightScale { return -order(right, rightScale, left, leftScale) }
        guard let scaled = rescale(right, from: rightScale, to: leftScale) else {
            // Larger than any mantissa can be.
            return right < 0 ? 1 : -1
        }
        return left < scaled ? -1 : left > scaled ? 1 : 0
    }

    /// `left / right` at `scale`, rounded half away from zero; nil for a zero divisor.
    /// - Precondition: `scale` is not below `leftScale`.
    static func divide(_ left: Int128, _ leftScale: Int, _ right: Int128, _ rightScale: Int, scale: Int) -> Int128? {
        guard right != 0 else { return nil }
        let shift = scale - leftScale + rightScale
        precondition(shift >= 0, "a quotient keeps the digits of its dividend")
        if shift <= 38, case let (dividend, overflow) = left.multipliedReportingOverflow(by: powers[shift]), !overflow {
            return roundedQuotient(dividend, right)
        }
        return longDivision(left, right, digits: shift)
    }

    /// `left * 10^digits / right`, digit by digit.
    private static func longDivision(_ left: Int128, _ right: Int128, digits: Int) -> Int128? {
        let divisor = right.magnitude
        var (quotient, rest) = left.magnitude.quotientAndRemainder(dividingBy: divisor)
        for _ in 0..<digits {
            let wide = rest.multipliedFullWidth(by: 10)
            let (digit, after) = divisor.dividingFullWidth(wide)
            let (tens, overflow) = quotient.multipliedReportingOverflow(by: 10)
            if overflow { return nil }
            let (next, carry) = tens.addingReportingOverflow(digit)
            if carry { return nil }
            quotient = next
            rest = after
        }
        if rest >= divisor - rest {
            let (next, carry) = quotient.addingReportingOverflow(1)
            if carry { return nil }
            quotient = next
        }
        return signed(quotient, isNegative: (left < 0) != (right < 0))
    }

    /// `12.50` at scale 2; always `scale` digits after the point.
    package static func text(_ mantissa: Int128, scale: Int) -> String {
        var digits = String(mantissa.magnitude)
        if scale > 0 {
            if digits.utf8.count <= scale { digits = String(repeating: "0", count: scale + 1 - digits.utf8.count) + digits }
            digits.insert(".", at: digits.index(digits.endIndex, offsetBy: -scale))
        }
        return mantissa < 0 ? "-" + digits : digits
    }

    /// The number in `text` (sign, digits, point, exponent) at `scale`, rounded half away from zero; nil where it is no
    /// number or has more than 38 digits.
    static func parse(_ text: some StringProtocol, scale: Int) -> Int128? {
        var rest = Array(text.utf8)[...]
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
        var digits: [UInt8] = []
        var pointAt: Int?
        while let byte = rest.first, (0x30...0x39).contains(byte) || (byte == UInt8(ascii: ".") && pointAt == nil) {
            if byte == UInt8(ascii: ".") { pointAt = digits.count } else { digits.append(byte - 0x30) }
            rest.removeFirst()
        }
        guard !digits.isEmpty else { return nil }
        var exponent = 0
        if let byte = rest.first, byte | 0x20 == UInt8(ascii: "e") {
            guard let value = Int(String(decoding: rest.dropFirst(), as: UTF8.self)), (-999_999...999_999).contains(value) else { return nil }
            exponent = value
            rest = []
        }
        guard rest.isEmpty else { return nil }
        // Digits before the place at which the result is cut.
        let kept = (pointAt ?? digits.count) + exponent + scale
        var magnitude: UInt128 = 0
        for index in 0..<max(0, kept) {
            if index >= digits.count, magnitude == 0 { break }
            let digit = index < digits.count ? digits[index] : 0
            // Another digit would be the 39th, and soon more than the type holds.
            guard magnitude < powers[37].magnitude else { return nil }
            magnitude = magnitude * 10 + UInt128(digit)
        }
        if kept >= 0, kept < digits.count, digits[kept] >= 5 { magnitude += 1 }
        guard magnitude < powers[38].magnitude else { return nil }
        return signed(magnitude, isNegative: isNegative)
    }

    /// The nearest float64.
    static func double(_ mantissa: Int128, scale: Int) -> Double {
        // Both are exact up to here, so that the division rounds once.
        if mantissa.magnitude <= 1 << 53, scale <= 22 {
            return Double(Int64(mantissa)) / Self.exactPowers[scale]
        }
        return Double("\(mantissa)e-\(scale)") ?? 0
    }

    private static let exactPowers: [Double] = (0...22).map { Double(powers[$0]) }
}
