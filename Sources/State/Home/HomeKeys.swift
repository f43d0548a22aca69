/// Keys in a home's RocksDB (they do not change): namespace, 2 bytes big-endian, then the key as the table has it.
///
/// Timers: namespace 1, the table's namespace (2 bytes big-endian), the window's end (8 bytes big-endian with the sign bit
/// flipped, so that they sort as numbers), the table's key. Their value is empty.
enum HomeKeys {
    static let timerHeadCount = 12

    static func key(_ namespace: UInt16, _ key: UnsafeRawBufferPointer) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(2 + key.count)
        append(namespace, to: &bytes)
        bytes.append(contentsOf: key)
        return bytes
    }

    /// Where the timers of a table with an end of at least `end` begin.
    static func timer(_ namespace: UInt16, _ end: Int64) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(timerHeadCount)
        append(StateNamespace.timers, to: &bytes)
        append(namespace, to: &bytes)
        withUnsafeBytes(of: (UInt64(bitPattern: end) ^ 1 << 63).bigEndian) { bytes.append(contentsOf: $0) }
        return bytes
    }

    /// After the last timer of a table with an end of at most `end`.
    static func timersEnd(_ namespace: UInt16, _ end: Int64) -> [UInt8] {
        end < .max ? timer(namespace, end + 1) : successor(of: Array(timer(namespace, end).prefix(4))) ?? []
    }

    /// The end in a timer's key; nil when it is too short for one.
    static func end(ofTimer key: UnsafeRawBufferPointer) -> Int64? {
        guard key.count >= timerHeadCount else { return nil }
        let bits = UInt64(bigEndian: key.loadUnaligned(fromByteOffset: 4, as: UInt64.self))
        return Int64(bitPattern: bits ^ 1 << 63)
    }

    /// The smallest key above all that begin with `prefix`; nil when there is none.
    static func successor(of prefix: [UInt8]) -> [UInt8]? {
        var bytes = prefix
        while let last = bytes.popLast() {
            if last < .max {
                bytes.append(last + 1)
                return bytes
            }
        }
        return nil
    }

    private static func append(_ namespace: UInt16, to bytes: inout [UInt8]) {
        bytes.append(UInt8(truncatingIfNeeded: namespace >> 8))
        bytes.append(UInt8(truncatingIfNeeded: namespace))
    }
}
