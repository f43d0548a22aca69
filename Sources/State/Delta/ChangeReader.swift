/// Reads encoded changes one by one, checking every length against what is there.
@usableFromInline
package struct ChangeReader {
    @usableFromInline let bytes: UnsafeRawBufferPointer
    /// Where the next entry begins.
    @usableFromInline package var position: Int
    /// The bytes at `position` are no entry.
    @usableFromInline package var isDamaged: Bool

    @inlinable
    package init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        self.position = 0
        self.isDamaged = false
    }

    /// The next entry; nil at the end, or where the bytes are no entry: then `isDamaged`.
    @inlinable
    package mutating func next() -> Change? {
        guard position < bytes.count else { return nil }
        isDamaged = true
        var place = position
        guard let head = varint(&place), let kind = Change.Kind(rawValue: UInt8(truncatingIfNeeded: head & 3)),
            head >> 2 <= UInt64(UInt16.max), let keyCount = varint(&place), keyCount <= UInt64(bytes.count)
        else { return nil }
        let namespace = UInt16(truncatingIfNeeded: head >> 2)
        guard namespace >= StateNamespace.firstOfRuntime else { return nil }
        var valueCount: UInt64 = 0
        if kind == .put {
            guard let count = varint(&place), count <= UInt64(bytes.count) else { return nil }
            valueCount = count
        }
        guard Int(keyCount) + Int(valueCount) <= bytes.count - place else { return nil }
        isDamaged = false
        let keyEnd = place + Int(keyCount)
        position = keyEnd + Int(valueCount)
        return Change(
            kind: kind, namespace: namespace,
            key: UnsafeRawBufferPointer(rebasing: bytes[place..<keyEnd]),
            value: UnsafeRawBufferPointer(rebasing: bytes[keyEnd..<position]))
    }

    @inlinable
    func varint(_ place: inout Int) -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while place < bytes.count, shift < 63 {
            let byte = bytes[place]
            place += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return nil
    }
}
