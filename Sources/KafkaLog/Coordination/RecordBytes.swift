/// Appends the fields of a coordinator record. All integers are big-endian, so that keys sort; strings and byte arrays
/// carry their length as u32.
package struct RecordWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package mutating func integer<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    package mutating func bool(_ value: Bool) { bytes.append(value ? 1 : 0) }

    package mutating func blob(_ value: [UInt8]) {
        integer(UInt32(value.count))
        bytes.append(contentsOf: value)
    }

    package mutating func string(_ value: String) {
        var value = value
        value.withUTF8 { utf8 in
            integer(UInt32(utf8.count))
            bytes.append(contentsOf: utf8)
        }
    }

    /// One byte 0, or one byte 1 and the string.
    package mutating func optionalString(_ value: String?) {
        bool(value != nil)
        if let value { string(value) }
    }
}

/// Takes the fields of a coordinator record. Every length is checked against what is left.
package struct RecordReader: Sendable {
    private let bytes: [UInt8]
    private var position = 0
    private let kind: CoordinatorRecordKind

    package init(_ bytes: [UInt8], of kind: CoordinatorRecordKind) {
        self.bytes = bytes
        self.kind = kind
    }

    package func malformed(_ detail: String) -> CoordinatorRecordError { .malformed(kind, detail: detail) }

    private mutating func take(_ count: Int, _ field: String) throws(CoordinatorRecordError) -> ArraySlice<UInt8> {
        guard count <= bytes.count - position else {
            throw malformed("\(field) needs \(count) bytes at \(position), the entry has \(bytes.count)")
        }
        defer { position += count }
        return bytes[position..<position + count]
    }

    package mutating func integer<Value: FixedWidthInteger>(
        _ field: String, as type: Value.Type = Value.self
    ) throws(CoordinatorRecordError) -> Value {
        var value = Value.zero
        for byte in try take(MemoryLayout<Value>.size, field) { value = value << 8 | Value(truncatingIfNeeded: byte) }
        return value
    }

    package mutating func bool(_ field: String) throws(CoordinatorRecordError) -> Bool {
        switch try integer(field, as: UInt8.self) {
        case 0: false
        case 1: true
        case let other: throw malformed("\(field) is \(other), expected 0 or 1")
        }
    }

    package mutating func blob(_ field: String) throws(CoordinatorRecordError) -> [UInt8] {
        let count = try integer(field, as: UInt32.self)
        return Array(try take(Int(count), field))
    }

    package mutating func string(_ field: String) throws(CoordinatorRecordError) -> String {
        let count = try integer(field, as: UInt32.self)
        guard let string = String(validating: try take(Int(count), field), as: UTF8.self) else {
            throw malformed("\(field) is not UTF-8")
        }
        return string
    }

    package mutating func optionalString(_ field: String) throws(CoordinatorRecordError) -> String? {
        try bool(field) ? try string(field) : nil
    }

    /// A count of items that take at least `bytesEach` bytes: checked before anybody reserves room for them.
    package mutating func count(_ field: String, bytesEach: Int) throws(CoordinatorRecordError) -> Int {
        let count = Int(try integer(field, as: UInt32.self))
        guard count <= (bytes.count - position) / bytesEach else {
            throw malformed("\(field) is \(count), more than the rest of the entry can hold")
        }
        return count
    }

    /// The version byte that opens every value.
    package mutating func version(_ known: UInt8) throws(CoordinatorRecordError) {
        let version = try integer("version", as: UInt8.self)
        guard version == known else { throw .unknownVersion(kind, version) }
    }

    /// Nothing may follow the last field.
    package func end() throws(CoordinatorRecordError) {
        guard position == bytes.count else { throw malformed("\(bytes.count - position) bytes follow the last field") }
    }
}
