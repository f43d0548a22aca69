/// Strings as JSON writes them (RFC 8259, section 7).
enum JSONText {
    /// The most that a string of `count` bytes takes: six bytes for each and the quotes.
    static func lengthMax(_ count: Int) -> Int { 6 * count + 2 }

    /// Writes `utf8` in quotes at `output` and gives the first byte behind it. Escaped is only what has to be.
    static func write(_ utf8: UnsafeBufferPointer<UInt8>, to output: UnsafeMutablePointer<UInt8>) -> UnsafeMutablePointer<UInt8> {
        var output = output
        output.pointee = UInt8(ascii: "\"")
        output += 1
        var index = 0
        while let base = utf8.baseAddress, index < utf8.count {
            if index + 8 <= utf8.count {
                let word = UnsafeRawPointer(base + index).loadUnaligned(as: UInt64.self)
                if isPlain(word) {
                    UnsafeMutableRawPointer(output).storeBytes(of: word, as: UInt64.self)
                    output += 8
                    index += 8
                    continue
                }
            }
            let rest = utf8.count - index
            if rest < 8, utf8.count >= 8 {
                // The last eight bytes begin among those that have been written: if all are plain, so were those.
                let word = UnsafeRawPointer(base + utf8.count - 8).loadUnaligned(as: UInt64.self)
                if isPlain(word) {
                    UnsafeMutableRawPointer(output - (8 - rest)).storeBytes(of: word, as: UInt64.self)
                    output += rest
                    break
                }
            }
            // Up to the next word, or through the word that has something to escape.
            for byte in utf8[index..<min(index + 8, utf8.count)] { output = write(byte, to: output) }
            index += 8
        }
        output.pointee = UInt8(ascii: "\"")
        return output + 1
    }

    /// Whether none of eight bytes is a control character, a quote or a backslash.
    private static func isPlain(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quotes = word ^ (0x22 * ones)
        let backslashes = word ^ (0x5C * ones)
        let below = (word &- 0x20 * ones) & ~word
        let equal = ((quotes &- ones) & ~quotes) | ((backslashes &- ones) & ~backslashes)
        return (below | equal) & (0x80 * ones) == 0
    }

    private static func write(_ byte: UInt8, to output: UnsafeMutablePointer<UInt8>) -> UnsafeMutablePointer<UInt8> {
        let short: UInt8
        switch byte {
        case 0x22, 0x5C: short = byte
        case 0x08: short = UInt8(ascii: "b")
        case 0x09: short = UInt8(ascii: "t")
        case 0x0A: short = UInt8(ascii: "n")
        case 0x0C: short = UInt8(ascii: "f")
        case 0x0D: short = UInt8(ascii: "r")
        case 0..<0x20:
            let end = ValueText.write("\\u00", to: output)
            end[0] = byte < 0x10 ? UInt8(ascii: "0") : UInt8(ascii: "1")
            end[1] = hexadecimal(byte & 0x0F)
            return end + 2
        default:
            output.pointee = byte
            return output + 1
        }
        output[0] = 0x5C
        output[1] = short
        return output + 2
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
    }
}
