/// Parquet's RLE / bit-packing hybrid (Encodings.md, "Run Length Encoding / Bit-Packing Hybrid"): runs of eight or
/// more equal values as a run, everything else bit-packed in groups of eight, least significant bit first.
enum HybridEncoder {
    /// Appends `values`, each below 2^`bitWidth`, to `bytes`.
    static func encode(_ values: ArraySlice<UInt32>, bitWidth: Int, into bytes: inout [UInt8]) {
        var packedFrom = values.startIndex
        var index = values.startIndex
        while index < values.endIndex {
            var end = index + 1
            while end < values.endIndex, values[end] == values[index] { end += 1 }
            // A packed stretch can only end after a multiple of eight values, so it takes what it needs from the run.
            let missing = (8 - (index - packedFrom) % 8) % 8
            if end - index - missing >= 8 {
                pack(values[packedFrom..<index + missing], bitWidth, into: &bytes)
                run(values[index], count: end - index - missing, bitWidth, into: &bytes)
                packedFrom = end
            }
            index = end
        }
        pack(values[packedFrom...], bitWidth, into: &bytes)
    }

    private static func run(_ value: UInt32, count: Int, _ bitWidth: Int, into bytes: inout [UInt8]) {
        varint(count << 1, into: &bytes)
        for byte in 0..<(bitWidth + 7) / 8 { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * UInt32(byte)))) }
    }

    private static func pack(_ values: ArraySlice<UInt32>, _ bitWidth: Int, into bytes: inout [UInt8]) {
        guard !values.isEmpty else { return }
        let groups = (values.count + 7) / 8
        varint(groups << 1 | 1, into: &bytes)
        var buffer: UInt64 = 0
        var bits = 0
        for position in 0..<groups * 8 {
            let value = position < values.count ? values[values.startIndex + position] : 0
            buffer |= UInt64(value) << UInt64(bits)
            bits += bitWidth
            while bits >= 8 {
                bytes.append(UInt8(truncatingIfNeeded: buffer))
                buffer >>= 8
                bits -= 8
            }
        }
    }

    private static func varint(_ value: Int, into bytes: inout [UInt8]) {
        var rest = UInt(value)
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
