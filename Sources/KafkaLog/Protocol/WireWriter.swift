/// A part of an encoded message: bytes, or a region of a file that follows them.
package enum OutputPiece: Equatable {
    case bytes([UInt8])
    case file(FileSlice)

    package var count: Int {
        switch self {
        case .bytes(let bytes): bytes.count
        case .file(let region): region.count
        }
    }
}

/// Writes a message as pieces; file regions are referred to, not read.
package struct WireWriter: FieldCoder {
    package let version: Int16
    private let flexible: Bool
    private var pieces: [OutputPiece] = []
    private var buffer: [UInt8] = []

    package init(version: Int16, flexible: Bool) {
        self.version = version
        self.flexible = flexible
    }

    /// Goes on after what `header` wrote.
    package init(version: Int16, flexible: Bool, after header: WireWriter) {
        self.init(version: version, flexible: flexible)
        self.pieces = header.pieces
        self.buffer = header.buffer
    }

    /// Writes a structure with its tagged fields. Throws when a text or array is longer than its length field can say.
    package mutating func write<Structure: WireStructure>(_ value: Structure) throws(CodecError) {
        var value = value
        try value.code(&self)
        try codeTags(of: &value)
    }

    package mutating func write<Integer: FixedWidthInteger>(integer: Integer) {
        withUnsafeBytes(of: integer.bigEndian) { buffer.append(contentsOf: $0) }
    }

    package mutating func writeEmptyTags() { buffer.append(0) }

    /// The pieces written so far, preceded by their total length as an int32: a frame of the protocol.
    package consuming func frame() throws(CodecError) -> [OutputPiece] {
        flush()
        let total = pieces.reduce(0) { $0 + $1.count }
        guard let length = Int32(exactly: total) else { throw .invalidLength(offset: 0, length: Int64(total)) }
        let prefix = Swift.withUnsafeBytes(of: length.bigEndian) { [UInt8]($0) }
        if case .bytes(let first)? = pieces.first {
            pieces[0] = .bytes(prefix + first)
        } else {
            pieces.insert(.bytes(prefix), at: 0)
        }
        return pieces
    }

    private mutating func flush() {
        if !buffer.isEmpty { pieces.append(.bytes(buffer)) }
        buffer = []
    }

    private mutating func write(unsignedVarint value: UInt32) {
        var rest = value
        while rest >= 0x80 {
            buffer.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        buffer.append(UInt8(rest))
    }

    private mutating func write<Short: FixedWidthInteger>(length: Int?, _ width: Short.Type) throws(CodecError) {
        let length = length ?? -1
        guard let short = Short(exactly: length), let compact = UInt32(exactly: length + 1) else {
            throw .invalidLength(offset: buffer.count, length: Int64(length))
        }
        if flexible { write(unsignedVarint: compact) } else { write(integer: short) }
    }

    package mutating func code<Integer: FixedWidthInteger>(integer: inout Integer) throws(CodecError) { write(integer: integer) }

    /// A null where the version allows none is written empty.
    package mutating func code(text: inout String?, nullable: Bool) throws(CodecError) {
        guard var text = nullable ? text : text ?? "" else { return try write(length: nil, Int16.self) }
        try write(length: text.utf8.count, Int16.self)
        text.withUTF8 { buffer.append(contentsOf: $0) }
    }

    package mutating func code(bytes: inout Bytes?, nullable: Bool) throws(CodecError) {
        guard let bytes else { return try write(length: nullable ? nil : 0, Int32.self) }
        try write(length: bytes.count, Int32.self)
        bytes.withUnsafeBytes { buffer.append(contentsOf: $0) }
    }

    package mutating func code(records: inout Records) throws(CodecError) {
        switch records {
        case .null: try write(length: nil, Int32.self)
        case .bytes(let bytes):
            try write(length: bytes.count, Int32.self)
            bytes.withUnsafeBytes { buffer.append(contentsOf: $0) }
        case .file(let regions):
            try write(length: records.count, Int32.self)
            guard records.count > 0 else { return }
            flush()
            for region in regions where region.count > 0 { pieces.append(.file(region)) }
        }
    }

    package mutating func code<Element: WireElement>(elements: inout [Element]?, nullable: Bool) throws(CodecError) {
        guard let elements = nullable ? elements : elements ?? [] else { return try write(length: nil, Int32.self) }
        try write(length: elements.count, Int32.self)
        for var element in elements { try element.codeElement(&self) }
    }

    package mutating func codeTags<Structure: WireStructure>(of value: inout Structure) throws(CodecError) {
        guard flexible else { return }
        let tags = value.tags(version: version)
        write(unsignedVarint: UInt32(tags.count))
        for tag in tags {
            var inner = WireWriter(version: version, flexible: true)
            guard try value.code(tag: tag, &inner) else { preconditionFailure("tag \(tag) is listed and not described") }
            write(unsignedVarint: tag)
            write(unsignedVarint: UInt32(inner.buffer.count))
            buffer.append(contentsOf: inner.buffer)
        }
    }
}
