#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The escapes of JSON strings (RFC 8259, section 7).
enum JSONEscapes {
    /// The first backslash in `start..<end`, or `end`.
    @inline(__always)
    static func firstBackslash(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int {
        guard start < end, let found = memchr(bytes + start, 0x5C, end &- start) else { return end }
        return UnsafeRawPointer(found) - UnsafeRawPointer(bytes)
    }

    /// Checks the grammar of the escapes in `start..<end`, the inside of a string: the offset of the first one that JSON
    /// does not know, or nil. Surrogates that stand alone pass: the grammar has them.
    static func firstFault(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int? {
        var at = firstBackslash(bytes, start, end)
        while at < end {
            guard at &+ 1 < end else { return at }
            switch bytes[at &+ 1] {
            case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74:  // " \ / b f n r t
                at &+= 2
            case 0x75:  // u
                guard codeUnit(bytes, at &+ 2, end) != nil else { return at }
                at &+= 6
            default:
                return at
            }
            at = firstBackslash(bytes, at, end)
        }
        return nil
    }

    /// Writes the inside of a string, `start..<end`, whose escapes were checked, without its escapes.
    /// Never writes more bytes than it reads.
    /// - Returns: the number of bytes written. UTF-8 cannot hold a surrogate that stands alone.
    static func unescape(
        _ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int, to output: UnsafeMutablePointer<UInt8>
    ) throws(ValueFault) -> Int {
        var at = start
        var written = 0
        while at < end {
            let plainEnd = firstBackslash(bytes, at, end)
            (output + written).update(from: bytes + at, count: plainEnd &- at)
            written &+= plainEnd &- at
            at = plainEnd
            guard at &+ 1 < end else { break }
            switch bytes[at &+ 1] {
            case 0x75:
                guard let scalar = scalar(bytes, &at, end) else { throw .loneSurrogate }
                for byte in UTF8.encode(scalar).unsafelyUnwrapped {
                    output[written] = byte
                    written &+= 1
                }
                continue
            case 0x62: output[written] = 0x08
            case 0x66: output[written] = 0x0C
            case 0x6E: output[written] = 0x0A
            case 0x72: output[written] = 0x0D
            case 0x74: output[written] = 0x09
            case let itself: output[written] = itself
            }
            written &+= 1
            at &+= 2
        }
        return written
    }

    /// Reads `\uXXXX` or a pair of them at `at` and moves behind it.
    private static func scalar(_ bytes: UnsafePointer<UInt8>, _ at: inout Int, _ end: Int) -> UnicodeScalar? {
        guard let first = codeUnit(bytes, at &+ 2, end) else { return nil }
        at &+= 6
        guard UTF16.isLeadSurrogate(first) else { return UnicodeScalar(first) }
        guard at &+ 6 <= end, bytes[at] == 0x5C, bytes[at &+ 1] == 0x75,
            let second = codeUnit(bytes, at &+ 2, end), UTF16.isTrailSurrogate(second)
        else { return nil }
        at &+= 6
        return UnicodeScalar(0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00))
    }

    /// Four hexadecimal digits.
    private static func codeUnit(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> UInt16? {
        guard start &+ 4 <= end else { return nil }
        var unit: UInt16 = 0
        for index in start..<start &+ 4 {
            let digit: UInt8
            switch bytes[index] {
            case let byte where byte >= 0x30 && byte <= 0x39: digit = byte &- 0x30
            case let byte where byte >= 0x41 && byte <= 0x46: digit = byte &- 0x37
            case let byte where byte >= 0x61 && byte <= 0x66: digit = byte &- 0x57
            default: return nil
            }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }
}
