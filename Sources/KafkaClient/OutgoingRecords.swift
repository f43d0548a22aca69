/// Many records of one topic in one buffer: what a sink encodes into and a producer sends in bulk. Offsets and counts are
/// 32 bits wide, so a buffer holds up to 2 GiB.
package struct OutgoingRecords: Sendable {
    package struct Entry: Sendable, Equatable {
        package var keyStart: Int32
        /// -1: the record has no key.
        package var keyCount: Int32
        package var valueStart: Int32
        /// -1: a tombstone.
        package var valueCount: Int32
        /// -1: by the key, as Java clients do; at random without a key.
        package var partition: Int32

        package init(keyStart: Int32, keyCount: Int32, valueStart: Int32, valueCount: Int32, partition: Int32 = -1) {
            self.keyStart = keyStart
            self.keyCount = keyCount
            self.valueStart = valueStart
            self.valueCount = valueCount
            self.partition = partition
        }
    }

    /// An encoder may append here and then add an entry that names the place.
    package var bytes: [UInt8]
    package var entries: [Entry]

    package init() {
        bytes = []
        entries = []
    }

    package var count: Int { entries.count }

    package mutating func append(key: some Collection<UInt8>, value: some Collection<UInt8>, partition: Int32 = -1) {
        let keyStart = bytes.count
        bytes.append(contentsOf: key)
        let valueStart = bytes.count
        bytes.append(contentsOf: value)
        entries.append(
            Entry(
                keyStart: Int32(keyStart), keyCount: Int32(valueStart - keyStart), valueStart: Int32(valueStart),
                valueCount: Int32(bytes.count - valueStart), partition: partition))
    }

    /// Forgets the records and keeps the memory.
    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        entries.removeAll(keepingCapacity: true)
    }
}
