/// Rows as bytes, one after the other in one buffer.
package struct EncodedRows: Sendable {
    package private(set) var bytes: [UInt8] = []
    /// Where each row ends in `bytes`; it begins where the one before it ends.
    package private(set) var ends: [Int] = []

    package init() {}

    package var count: Int { ends.count }

    /// The bytes of row `index`.
    package func range(of index: Int) -> Range<Int> {
        (index == 0 ? 0 : ends[index - 1])..<ends[index]
    }

    /// Forgets the rows and keeps the capacity.
    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
    }
}
