extension UnsafeRawBufferPointer {
    /// The big-endian integer at `position`, which must be inside the buffer.
    @inline(__always)
    func bigEndian<Value: FixedWidthInteger>(_ position: Int, as type: Value.Type = Value.self) -> Value {
        Value(bigEndian: loadUnaligned(fromByteOffset: position, as: type))
    }
}

extension UnsafeMutableRawBufferPointer {
    @inline(__always)
    func store<Value: FixedWidthInteger>(bigEndian value: Value, at position: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: position, as: Value.self)
    }
}

extension [UInt8] {
    /// `withUnsafeBytes`, keeping the type of the error.
    func withBytes<Result, Failure>(_ body: (UnsafeRawBufferPointer) throws(Failure) -> Result) throws(Failure) -> Result {
        try withUnsafeBufferPointer { (buffer) throws(Failure) -> Result in try body(UnsafeRawBufferPointer(buffer)) }
    }

    mutating func append<Value: FixedWidthInteger>(bigEndian value: Value) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    /// Kafka's VARINT and VARLONG: zigzag, seven bits a byte, least significant first.
    mutating func append(zigzag value: Int64) {
        var rest = UInt64(bitPattern: (value << 1) ^ (value >> 63))
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }
}

/// Reads integers and byte runs off an array, never beyond its end: nil where there is too little.
struct ByteReader {
    private let bytes: ArraySlice<UInt8>
    private(set) var position: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    var remaining: Int { bytes.endIndex - position }

    mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) -> Value? {
        guard remaining >= MemoryLayout<Value>.size else { return nil }
        var value: Value = 0
        for _ in 0..<MemoryLayout<Value>.size {
            value = (value &<< 8) | Value(truncatingIfNeeded: bytes[position])
            position += 1
        }
        return value
    }

    /// A zigzag integer of at most ten bytes.
    mutating func zigzag() -> Int64? {
        var raw: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 70, remaining > 0 {
            let byte = bytes[position]
            position += 1
            raw |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1) }
            shift += 7
        }
        return nil
    }

    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, count <= remaining else { return nil }
        defer { position += count }
        return bytes[position..<position + count]
    }
}
