/// What goes over a message's fields, in the order of the wire. A message describes itself once, in `code`; the reader, the
/// writer and the tests' generator are coders.
package protocol FieldCoder {
    /// The version of the message; a field is there when its range holds it.
    var version: Int16 { get }

    mutating func code<Integer: FixedWidthInteger>(integer: inout Integer) throws(CodecError)
    mutating func code(text: inout String?, nullable: Bool) throws(CodecError)
    mutating func code(bytes: inout Bytes?, nullable: Bool) throws(CodecError)
    mutating func code(records: inout Records) throws(CodecError)
    mutating func code<Element: WireElement>(elements: inout [Element]?, nullable: Bool) throws(CodecError)
    /// The tagged fields that end a structure of a flexible version.
    mutating func codeTags<Structure: WireStructure>(of value: inout Structure) throws(CodecError)
}

/// What an array of the protocol may hold.
package protocol WireElement: Equatable {
    init()
    /// The fewest bytes that an element takes on the wire in any version: what a count is checked against before memory is
    /// set aside.
    static var minimumByteCount: Int { get }
    mutating func codeElement<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError)
}

/// A message or a structure within one.
package protocol WireStructure: WireElement {
    init()
    /// Goes over the fields in their order on the wire, each with the versions that have it.
    mutating func code<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError)

    /// The tagged fields (KIP-482) that are to be written in `version`, in ascending order.
    func tags(version: Int16) -> [UInt32]
    /// Goes over one tagged field; false when the tag is unknown.
    mutating func code<Coder: FieldCoder>(tag: UInt32, _ coder: inout Coder) throws(CodecError) -> Bool
}

/// A request, with the answer that belongs to it.
package protocol RequestMessage: WireStructure, SendableMetatype {
    associatedtype Response: WireStructure
    static var api: ApiKey { get }
    static var versions: ClosedRange<Int16> { get }
    /// The first version with compact lengths and tagged fields; nil when none has them.
    static var flexibleSince: Int16? { get }
}

extension WireStructure {
    package init(_ configure: (inout Self) -> Void) {
        self.init()
        configure(&self)
    }

    package static var minimumByteCount: Int { 1 }
    package mutating func codeElement<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) {
        try code(&coder)
        try coder.codeTags(of: &self)
    }
    package func tags(version: Int16) -> [UInt32] { [] }
    package mutating func code<Coder: FieldCoder>(tag: UInt32, _ coder: inout Coder) throws(CodecError) -> Bool { false }
}

extension Int32: WireElement {
    package static var minimumByteCount: Int { 4 }
    package mutating func codeElement<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) { try coder.code(integer: &self) }
}

extension Int64: WireElement {
    package static var minimumByteCount: Int { 8 }
    package mutating func codeElement<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) { try coder.code(integer: &self) }
}

extension String: WireElement {
    package static var minimumByteCount: Int { 1 }
    package mutating func codeElement<Coder: FieldCoder>(_ coder: inout Coder) throws(CodecError) { try coder.field(&self) }
}

/// Fields as messages name them: present from version `since` to `through`, and allowed to be null from `nullableSince`.
extension FieldCoder {
    private func has(_ since: Int16, _ through: Int16) -> Bool { version >= since && version <= through }

    package mutating func field<Integer: FixedWidthInteger>(
        _ value: inout Integer, since: Int16 = 0, through: Int16 = .max
    ) throws(CodecError) {
        if has(since, through) { try code(integer: &value) }
    }

    package mutating func field(_ value: inout Bool, since: Int16 = 0, through: Int16 = .max) throws(CodecError) {
        guard has(since, through) else { return }
        var byte: Int8 = value ? 1 : 0
        try code(integer: &byte)
        value = byte != 0
    }

    package mutating func field(_ value: inout ErrorCode, since: Int16 = 0, through: Int16 = .max) throws(CodecError) {
        if has(since, through) { try code(integer: &value.rawValue) }
    }

    package mutating func field(_ value: inout WireUUID, since: Int16 = 0, through: Int16 = .max) throws(CodecError) {
        guard has(since, through) else { return }
        try code(integer: &value.high)
        try code(integer: &value.low)
    }

    package mutating func field(_ value: inout String, since: Int16 = 0, through: Int16 = .max) throws(CodecError) {
        guard has(since, through) else { return }
        var text: String? = value
        try code(text: &text, nullable: false)
        value = text ?? ""
    }

    package mutating func field(
        _ value: inout String?, since: Int16 = 0, through: Int16 = .max, nullableSince: Int16 = 0
    ) throws(CodecError) {
        if has(since, through) { try code(text: &value, nullable: version >= nullableSince) }
    }

    package mutating func field(_ value: inout Bytes, since: Int16 = 0, through: Int16 = .max) throws(CodecError) {
        guard has(since, through) else { return }
        var bytes: Bytes? = value
        try code(bytes: &bytes, nullable: false)
        if let bytes { value = bytes }
    }

    /// A structure that may be missing: a byte says whether it is there.
    package mutating func field<Structure: WireStructure>(
        _ value: inout Structure?, since: Int16 = 0, through: Int16 = .max
    ) throws(CodecError) {
        guard has(since, through) else { return }
        var presence: Int8 = value == nil ? -1 : 1
        try code(integer: &presence)
        guard presence >= 0 else { return value = nil }
        var structure = value ?? Structure()
        try structure.codeElement(&self)
        value = structure
    }

    package mutating func field(_ value: inout Records, since: Int16 = 0, through: Int16 = .max) throws(CodecError) {
        if has(since, through) { try code(records: &value) }
    }

    package mutating func field<Element: WireElement>(
        _ value: inout [Element], since: Int16 = 0, through: Int16 = .max
    ) throws(CodecError) {
        guard has(since, through) else { return }
        var elements: [Element]? = value
        try code(elements: &elements, nullable: false)
        value = elements ?? []
    }

    package mutating func field<Element: WireElement>(
        _ value: inout [Element]?, since: Int16 = 0, through: Int16 = .max, nullableSince: Int16 = 0
    ) throws(CodecError) {
        if has(since, through) { try code(elements: &value, nullable: version >= nullableSince) }
    }
}
