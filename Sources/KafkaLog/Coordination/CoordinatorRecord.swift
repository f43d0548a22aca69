/// One entry for the journal of a coordinator: the value that a key has from now on, or nil when the key is gone.
///
/// The journal keeps the order of entries. It may drop entries that a later one of the same key has replaced. A list of
/// records may be torn by a crash: any prefix of it may be what is found again, and the coordinators allow for that.
package struct CoordinatorRecord: Hashable, Sendable {
    package var key: [UInt8]
    package var value: [UInt8]?

    package init(key: [UInt8], value: [UInt8]?) {
        self.key = key
        self.value = value
    }
}

/// The first byte of every key. The numbers are part of the on-disk format and unique over all coordinators, so that
/// they can share one journal.
package enum CoordinatorRecordKind: UInt8, Sendable, CaseIterable {
    case group = 0x01
    case committedOffset = 0x02
    case pendingOffset = 0x03
    case transaction = 0x11
    case producerIDBlock = 0x12
}

/// An entry of the journal that cannot be used. The journal has checked its CRC, so this is an entry of a newer or older
/// version, or a programmer's mistake; starting without it would forget what was acknowledged.
package enum CoordinatorRecordError: Error, Hashable, Sendable, CustomStringConvertible {
    case unknownKind(UInt8?)
    case unknownVersion(CoordinatorRecordKind, UInt8)
    /// The bytes end early, go on after their end, or hold a value that cannot be. `detail` says which field.
    case malformed(CoordinatorRecordKind, detail: String)

    package var description: String {
        switch self {
        case .unknownKind(let kind):
            "coordinator journal: expected an entry of kind \(CoordinatorRecordKind.allCases.map { String($0.rawValue) }.joined(separator: ", ")), "
                + "found \(kind.map(String.init) ?? "an empty key"). It was probably written by a newer version: start that one"
        case .unknownVersion(let kind, let version):
            "coordinator journal: a \(kind) entry has version \(version), which this program does not know. "
                + "It was probably written by a newer version: start that one"
        case .malformed(let kind, let detail):
            "coordinator journal: a \(kind) entry does not decode: \(detail). Restore the log directory from a copy"
        }
    }
}
