/// Numbers as JSON writes them (RFC 8259, section 6), read without a detour.
enum JSONNumber {
    /// Whether `start..<end` is one number and nothing else.
    @inline(__always)
    static func isNumber(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Bool {
        var at = start
        if at < end && bytes[at] == UInt8(ascii: "-") { at &+= 1 }
        let integer = at
        at = digitsEnd(bytes, at, end)
        guard at > integer, bytes[integer] != UInt8(ascii: "0") || at == integer &+ 1 else { return false }
        if at == end { return true }
        if bytes[at] == UInt8(ascii: ".") {
            let fraction = at &+ 1
            at = digitsEnd(bytes, fraction, end)
            guard at > fraction else { return false }
        }
        if at < end && bytes[at] | 0x20 == UInt8(ascii: "e") {
            at &+= 1
            if at < end && (bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-")) { at &+= 1 }
            let exponent = at
            at = digitsEnd(bytes, exponent, end)
            guard at > exponent else { return false }
        }
        return at == end
    }

    @inline(__always)
    private static func digitsEnd(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int {
        var at = start
        while at &+ 8 <= end && isDigits(word(bytes, at)) { at &+= 8 }
        while at < end && bytes[at] &- 0x30 < 10 { at &+= 1 }
        return at
    }

    /// The integer that the number in `start..<end` spells with digits alone: 1.0 and 1e3 are none.
    @inline(__always)
    static func int64(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) throws(ValueFault) -> Int64 {
        let isNegative = bytes[start] == UInt8(ascii: "-")
        var at = isNegative ? start &+ 1 : start
        guard end &- at <= 18 else { return try longInt64(bytes, at, end, isNegative) }
        var value: UInt64 = 0
        if end &- at >= 8 {
            let word = word(bytes, at)
            guard isDigits(word) else { throw .notAnInteger }
            value = eightDigits(word)
            at &+= 8
        }
        while at < end {
            let digit = bytes[at] &- 0x30
            guard digit < 10 else { throw .notAnInteger }
            value = value &* 10 &+ UInt64(digit)
            at &+= 1
        }
        return isNegative ? 0 &- Int64(value) : Int64(value)
    }

    private static let ones: UInt64 = 0x0101_0101_0101_0101

    /// Eight bytes, the first in the lowest.
    @inline(__always)
    private static func word(_ bytes: UnsafePointer<UInt8>, _ at: Int) -> UInt64 {
        UInt64(littleEndian: UnsafeRawPointer(bytes + at).loadUnaligned(as: UInt64.self))
    }

    /// Whether eight bytes are digits: the upper half of each is 3, and stays 3 after 6 is added.
    @inline(__always)
    private static func isDigits(_ word: UInt64) -> Bool {
        (word & (0xF0 &* ones)) | (((word &+ 6 &* ones) & (0xF0 &* ones)) >> 4) == 0x33 &* ones
    }

    /// The number that eight digits spell, summed up in pairs.
    @inline(__always)
    private static func eightDigits(_ word: UInt64) -> UInt64 {
        let digits = word & (0x0F &* ones)
        let pairs = (digits &* (1 + 10 << 8)) >> 8 & 0x00FF_00FF_00FF_00FF
        let fours = (pairs &* (1 + 100 << 16)) >> 16 & 0x0000_FFFF_0000_FFFF
        return (fours &* (1 + 10000 << 32)) >> 32
    }

    private static func longInt64(
        _ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ isNegative: Bool
    ) throws(ValueFault) -> Int64 {
        guard digitsEnd(bytes, start, end) == end else { throw .notAnInteger }
        var value: Int64 = 0
        for at in start..<end {
            let digit = Int64(bytes[at] &- 0x30)
            let (tenfold, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = isNegative ? tenfold.subtractingReportingOverflow(digit) : tenfold.addingReportingOverflow(digit)
            guard !overflow && !carry else { throw .integerOutOfRange }
            value = sum
        }
        return value
    }

    /// The nearest double; none when the number is beyond the largest.
    @inline(__always)
    static func double(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) throws(ValueFault) -> Double {
        let isNegative = bytes[start] == UInt8(ascii: "-")
        var at = isNegative ? start &+ 1 : start
        // Exact while both the digits and the power of ten are doubles without rounding (Clinger 1990): 15 digits, 10^22.
        guard end &- at <= 16 else { return try anyDouble(bytes, start, end) }
        var digits: UInt64 = 0
        var fraction = 0
        var isFraction = false
        while at < end {
            let byte = bytes[at]
            let digit = byte &- 0x30
            if digit < 10 {
                digits = digits &* 10 &+ UInt64(digit)
                if isFraction { fraction &+= 1 }
            } else if byte == UInt8(ascii: ".") {
                isFraction = true
            } else {
                return try anyDouble(bytes, start, end)
            }
            at &+= 1
        }
        guard digits < 1 << 53 else { return try anyDouble(bytes, start, end) }
        let magnitude = Double(digits) / powerOfTen(fraction)
        return isNegative ? -magnitude : magnitude
    }

    /// 10^`exponent`, exactly, for exponents of 0...15.
    @inline(__always)
    private static func powerOfTen(_ exponent: Int) -> Double {
        var power: UInt64 = 1
        for _ in 0..<exponent { power = power &* 10 }
        return Double(power)
    }

    @inline(never)
    private static func anyDouble(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) throws(ValueFault) -> Double {
        let text = String(decoding: UnsafeBufferPointer(start: bytes + start, count: end - start), as: UTF8.self)
        guard let value = Double(text), value.isFinite else { throw .doubleOutOfRange }
        return value
    }
}
