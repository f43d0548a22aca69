import KafkaLogCoordination

/// Numbers the lists of entries that coordinators ask to persist, from 1 on, and follows them through the journal, which
/// counts in its own way and may have no room for a while.
struct PersistenceQueue {
    /// Not yet in the journal, in order.
    private(set) var waiting: [[CoordinatorRecord]] = []
    /// In the journal and not known to be durable: the number, and the journal's sequence.
    private var appended: [(number: UInt64, sequence: UInt64)] = []
    /// The number of the newest list.
    private(set) var last: UInt64 = 0
    private var durableNumber: UInt64 = 0
    /// Why the first of `waiting` is not in the journal, when that was tried.
    var obstacle: String?

    mutating func add(_ records: [CoordinatorRecord]) {
        last += 1
        waiting.append(records)
    }

    /// The first that waited is in the journal.
    mutating func didAppend(as sequence: UInt64) {
        let number = last - UInt64(waiting.count) + 1
        waiting.removeFirst()
        appended.append((number, sequence))
        obstacle = nil
    }

    /// The number up to which all is durable when the journal is so up to `sequence`.
    mutating func durable(_ sequence: UInt64) -> UInt64 {
        let count = appended.prefix { $0.sequence <= sequence }.count
        if count > 0 {
            durableNumber = appended[count - 1].number
            appended.removeFirst(count)
        }
        return durableNumber
    }
}
