/// Reads a message from received bytes. Every length is checked against what is left before memory is set aside for it.
package struct WireReader: FieldCoder {
    package let version: Int16
    private let flexible: Bool
    private let source: Bytes
    private var offset = 0
    private var elementsLeft: Int
    private let elementLimit: Int

    /// The default for `elementLimit`. A structure takes more memory than its bytes on the wire, an empty one many times more.
    package static let defaultElementLimit = 1_000_000

    package init(_ source: Bytes, version: Int16, flexible: Bool, elementLimit: Int = WireReader.defaultElementLimit) {
        self.version = version
        self.flexible = flexible
        self.source = source
        self.elementLimit = elementLimit
        self.elementsLeft = elementLimit
    }

    /// The bytes not yet read.
    package var remaining: Int { source.count - offset }

    /// Reads a structure with its tagged fields.
    package mutating func read<Structure: WireStructure>(_ type: Structure.Type = Structure.self) throws(CodecError) -> Structure {
        var value = Structure()
        try value.code(&self)
        if flexible { try readTags(into: &value) }
        return value
    }

    /// Reads a message that takes all that is left.
    package mutating func readToEnd<Structure: WireStructure>(_ type: Structure.Type = Structure.self) throws(CodecError) -> Structure {
        let value = try read(type)
        guard remaining == 0 else { throw .trailingBytes(remaining) }
        return value
    }

    private mutating func readTags<Structure: WireStructure>(into value: inout Structure) throws(CodecError) {
        for _ in 0..<(try readUnsignedVarint()) {
            let tag = try readUnsignedVarint()
            let size = Int(try readUnsignedVarint())
            let body = try view(size)
            var inner = WireReader(body, version: version, flexible: flexible, elementLimit: elementsLeft)
            if try value.code(tag: tag, &inner) {
                guard inner.remaining == 0 else { throw .trailingBytes(inner.remaining) }
                elementsLeft = inner.elementsLeft
            }
        }
    }

    /// Passes over tagged fields of no interest, as those of a request header.
    package mutating func skipTags() throws(CodecError) {
        for _ in 0..<(try readUnsignedVarint()) {
            _ = try readUnsignedVarint()
            _ = try view(Int(try readUnsignedVarint()))
        }
    }

    private mutating func view(_ count: Int) throws(CodecError) -> Bytes {
        guard count <= remaining else { throw .truncated(offset: offset, needed: count, remaining: remaining) }
        let bytes = Bytes(storage: source.storage, offset: source.offset + offset, count: count)
        offset += count
        return bytes
    }

    package mutating func code<Integer: FixedWidthInteger>(integer: inout Integer) throws(CodecError) {
        integer = try readInteger()
    }

    private mutating func readInteger<Integer: FixedWidthInteger>() throws(CodecError) -> Integer {
        let size = MemoryLayout<Integer>.size
        guard size <= remaining else { throw .truncated(offset: offset, needed: size, remaining: remaining) }
        let value = source.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Integer.self) }
        offset += size
        return Integer(bigEndian: value)
    }

    private mutating func readUnsignedVarint() throws(CodecError) -> UInt32 {
        let start = offset
        var value: UInt32 = 0
        var shift: UInt32 = 0
        while true {
            let byte: UInt8 = try readInteger()
            guard shift < 28 || (shift == 28 && byte < 0x10) else { throw .invalidVarint(offset: start) }
            value |= UInt32(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    /// A length or count of the field's kind: nil for null.
    private mutating func readLength<Short: FixedWidthInteger & SignedInteger>(_ width: Short.Type, nullable: Bool) throws(CodecError) -> Int? {
        let start = offset
        let length: Int
        if flexible {
            length = Int(try readUnsignedVarint()) - 1
        } else {
            let value: Short = try readInteger()
            length = Int(value)
        }
        if length >= 0 { return length }
        guard length == -1 else { throw .invalidLength(offset: start, length: Int64(length)) }
        guard nullable else { throw .unexpectedNull(offset: start) }
        return nil
    }

    package mutating func code(text: inout String?, nullable: Bool) throws(CodecError) {
        text = nil
        guard let length = try readLength(Int16.self, nullable: nullable) else { return }
        guard length <= Int(Int16.max) else { throw .invalidLength(offset: offset, length: Int64(length)) }
        let start = offset
        let bytes = try view(length)
        guard let decoded = bytes.withUnsafeBytes({ String(validating: $0, as: UTF8.self) }) else { throw .invalidText(offset: start) }
        text = decoded
    }

    package mutating func code(bytes: inout Bytes?, nullable: Bool) throws(CodecError) {
        bytes = nil
        if let length = try readLength(Int32.self, nullable: nullable) { bytes = try view(length) }
    }

    package mutating func code(records: inout Records) throws(CodecError) {
        records = .null
        if let length = try readLength(Int32.self, nullable: true) { records = .bytes(try view(length)) }
    }

    package mutating func code<Element: WireElement>(elements: inout [Element]?, nullable: Bool) throws(CodecError) {
        elements = nil
        let start = offset
        guard let count = try readLength(Int32.self, nullable: nullable) else { return }
        guard count <= remaining / Element.minimumByteCount else {
            throw .truncated(offset: start, needed: count &* Element.minimumByteCount, remaining: remaining)
        }
        elementsLeft -= count
        guard elementsLeft >= 0 else { throw .tooManyElements(limit: elementLimit) }
        var result: [Element] = []
        result.reserveCapacity(min(count, 1024))
        for _ in 0..<count {
            var element = Element()
            try element.codeElement(&self)
            result.append(element)
        }
        elements = result
    }

    package mutating func codeTags<Structure: WireStructure>(of value: inout Structure) throws(CodecError) {
        if flexible { try readTags(into: &value) }
    }
}
