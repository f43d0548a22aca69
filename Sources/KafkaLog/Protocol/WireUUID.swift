/// A topic id as the wire carries it: 16 bytes, most significant first. Zero stands for none.
package struct WireUUID: Hashable, Sendable {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package static let zero = WireUUID(high: 0, low: 0)
}
