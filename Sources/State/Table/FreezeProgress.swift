/// How far a table's freeze is: which keys of the epoch are still to be taken out.
struct FreezeProgress: ~Copyable {
    /// As `RecordTable.dirty`, of the epoch that is being frozen.
    private(set) var dirty = RawList<UInt32>()
    var position = 0
    private(set) var stamp: UInt32 = 0
    /// What takes a key out before its turn; nil when nothing is being frozen.
    private(set) var takeOut: ((Record) -> Void)?

    /// Takes `open` and leaves an empty list there.
    mutating func begin(stamp: UInt32, _ takeOut: @escaping (Record) -> Void, _ open: inout RawList<UInt32>) {
        swap(&dirty, &open)
        position = 0
        self.stamp = stamp
        self.takeOut = takeOut
    }

    mutating func end() {
        dirty.removeAll()
        takeOut = nil
    }
}
