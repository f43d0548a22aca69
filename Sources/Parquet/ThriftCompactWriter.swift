/// Writes Thrift's compact protocol, the part of it that Parquet's metadata needs
/// (thrift/doc/specs/thrift-compact-protocol.md). Fields of a struct are written in ascending order of their ids.
struct ThriftCompactWriter {
    private(set) var bytes: [UInt8] = []
    private var lastField: Int16 = 0
    private var outerFields: [Int16] = []

    private enum WireType: UInt8 {
        case `true` = 1
        case `false` = 2
        case i16 = 4
        case i32 = 5
        case i64 = 6
        case binary = 8
        case list = 9
        case structure = 12
    }

    mutating func field(_ id: Int16, bool value: Bool) { header(id, value ? .true : .false) }

    mutating func field(_ id: Int16, i16 value: Int16) {
        header(id, .i16)
        zigzag(Int64(value))
    }

    mutating func field(_ id: Int16, i32 value: Int32) {
        header(id, .i32)
        zigzag(Int64(value))
    }

    mutating func field(_ id: Int16, i64 value: Int64) {
        header(id, .i64)
        zigzag(value)
    }

    mutating func field(_ id: Int16, binary value: some Collection<UInt8>) {
        header(id, .binary)
        binary(value)
    }

    mutating func field(_ id: Int16, string value: String) { field(id, binary: Array(value.utf8)) }

    mutating func field(_ id: Int16, structure body: (inout ThriftCompactWriter) -> Void) {
        header(id, .structure)
        structure(body)
    }

    mutating func field(_ id: Int16, i32s values: [Int32]) {
        list(id, .i32, values.count)
        for value in values { zigzag(Int64(value)) }
    }

    mutating func field(_ id: Int16, i64s values: [Int64]) {
        list(id, .i64, values.count)
        for value in values { zigzag(value) }
    }

    mutating func field(_ id: Int16, bools values: [Bool]) {
        list(id, .true, values.count)
        for value in values { bytes.append((value ? WireType.true : .false).rawValue) }
    }

    mutating func field(_ id: Int16, binaries values: [[UInt8]]) {
        list(id, .binary, values.count)
        for value in values { binary(value) }
    }

    mutating func field<Element>(
        _ id: Int16, structures elements: [Element], _ body: (inout ThriftCompactWriter, Element) -> Void
    ) {
        list(id, .structure, elements.count)
        for element in elements { structure { body(&$0, element) } }
    }

    /// A struct that stands alone or in a list.
    mutating func structure(_ body: (inout ThriftCompactWriter) -> Void) {
        outerFields.append(lastField)
        lastField = 0
        body(&self)
        bytes.append(0)
        lastField = outerFields.removeLast()
    }

    private mutating func header(_ id: Int16, _ type: WireType) {
        precondition(id > lastField, "Thrift fields ascend")
        let delta = id - lastField
        if delta <= 15 {
            bytes.append(UInt8(delta) << 4 | type.rawValue)
        } else {
            bytes.append(type.rawValue)
            zigzag(Int64(id))
        }
        lastField = id
    }

    private mutating func list(_ id: Int16, _ element: WireType, _ count: Int) {
        header(id, .list)
        if count < 15 {
            bytes.append(UInt8(count) << 4 | element.rawValue)
        } else {
            bytes.append(0xF0 | element.rawValue)
            varint(UInt64(count))
        }
    }

    private mutating func binary(_ value: some Collection<UInt8>) {
        varint(UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    private mutating func zigzag(_ value: Int64) { varint(UInt64(bitPattern: value << 1 ^ value >> 63)) }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
