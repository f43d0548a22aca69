/// Epochs as 32-bit stamps for records: 1 is the first epoch of the table's life, 0 is before it.
struct EpochStamps {
    private var first: Int?
    /// The newest stamp that the home is complete to.
    private(set) var flushed: UInt32 = 0

    /// Epochs come in ascending order.
    mutating func stamp(_ epoch: Int) -> UInt32 {
        let base = first ?? epoch
        first = base
        precondition(epoch >= base && epoch - base < Int(UInt32.max) - 2, "epochs of a table ascend")
        return UInt32(epoch - base + 1)
    }

    mutating func noteFlushed(upTo epoch: Int) {
        guard let first, epoch >= first else { return }
        flushed = max(flushed, UInt32(clamping: epoch - first + 1))
    }
}
