import Batch
import CShims

/// Values as text, written to memory that the caller has made large enough.
///
/// Each function writes at `output` and gives the first byte behind what it wrote. Integers and timestamps take at most 20
/// bytes, doubles 32, decimals 48.
enum ValueText {
    typealias Output = UnsafeMutablePointer<UInt8>

    /// More than any value that is no string takes.
    static let lengthMax = 48

    static func write(_ literal: StaticString, to output: Output) -> Output {
        output.update(from: literal.utf8Start, count: literal.utf8CodeUnitCount)
        return output + literal.utf8CodeUnitCount
    }

    static func write(_ value: Bool, to output: Output) -> Output {
        write(value ? "true" : "false", to: output)
    }

    static func write(_ value: Int64, to output: Output) -> Output {
        var output = output
        if value < 0 { write(UInt8(ascii: "-"), to: &output) }
        writeDigits(value.magnitude, atLeast: 1, to: &output)
        return output
    }

    /// Microseconds as milliseconds, rounded down, also before 1970.
    static func write(timestamp microseconds: Int64, to output: Output) -> Output {
        let (quotient, remainder) = microseconds.quotientAndRemainder(dividingBy: 1000)
        return write(remainder < 0 ? quotient - 1 : quotient, to: output)
    }

    /// - Parameter value: finite.
    static func write(_ value: Double, to output: Output) -> Output {
        output.withMemoryRebound(to: CChar.self, capacity: 32) { output + millrace_format_double(value, $0) }
    }

    /// `mantissa` times 10^-`scale`, with `scale` digits behind the point.
    static func write(decimal mantissa: Int128, scale: Int, to output: Output) -> Output {
        var output = output
        if mantissa < 0 { write(UInt8(ascii: "-"), to: &output) }
        let chunk: UInt128 = 1_000_000_000_000_000_000
        let (upper, low) = mantissa.magnitude.quotientAndRemainder(dividingBy: chunk)
        let (high, middle) = upper.quotientAndRemainder(dividingBy: chunk)
        let start = output
        // At least one digit in front of the point.
        let digitsMin = scale + 1
        if high > 0 || digitsMin > 36 { writeDigits(UInt64(high), atLeast: max(1, digitsMin - 36), to: &output) }
        if upper > 0 || digitsMin > 18 {
            let isFirst = output == start
            writeDigits(UInt64(middle), atLeast: isFirst ? max(1, digitsMin - 18) : 18, to: &output)
        }
        writeDigits(UInt64(low), atLeast: output == start ? digitsMin : 18, to: &output)
        guard scale > 0 else { return output }
        let point = output - scale
        (point + 1).update(from: point, count: scale)
        point.pointee = UInt8(ascii: ".")
        return output + 1
    }

    private static func write(_ byte: UInt8, to output: inout Output) {
        output.pointee = byte
        output += 1
    }

    private static func writeDigits(_ value: UInt64, atLeast countMin: Int, to output: inout Output) {
        var count = 1
        var power: UInt64 = 10
        while count < 20 && value >= power {
            count += 1
            let (next, overflow) = power.multipliedReportingOverflow(by: 10)
            if overflow { break }
            power = next
        }
        count = max(count, countMin)
        var rest = value
        var at = output + count
        while at > output {
            at -= 1
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            at.pointee = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit)
            rest = quotient
        }
        output += count
    }
}
