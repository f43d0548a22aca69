/// What the cleaner has to know of transactions while it goes over a partition's batches in order: which records do not count because they
/// were aborted, and which markers and entries of the index of aborted transactions nobody needs any more.
struct CleanedTransactions {
    private struct Aborted {
        let range: AbortedRange
        var hasBatches = false
    }

    /// Not reached yet, by first offset.
    private var ahead: ArraySlice<AbortedRange>
    private var aborted: [Int64: Aborted] = [:]
    /// Producers with batches of a transaction that was not aborted.
    private var others: Set<Int64> = []
    private var stillNeeded: [AbortedRange] = []

    /// - Parameter aborted: all aborted transactions whose marker is at or behind the first batch that will be read.
    init(aborted: some Sequence<AbortedRange>) {
        ahead = aborted.sorted { $0.firstOffset < $1.firstOffset }[...]
    }

    /// Takes note of a data batch. True when its transaction was aborted.
    mutating func readData(_ header: RecordBatchHeader) -> Bool {
        advance(to: header.lastOffset)
        guard header.isTransactional else { return false }
        if aborted[header.producerID] != nil {
            aborted[header.producerID]?.hasBatches = true
            return true
        }
        others.insert(header.producerID)
        return false
    }

    /// Takes note of a marker. True when no batch of its transaction was there any more.
    mutating func readMarker(_ header: RecordBatchHeader, _ marker: EndTransactionMarker) -> Bool {
        advance(to: header.lastOffset)
        guard !marker.isCommit else { return others.remove(header.producerID) == nil }
        guard let ended = aborted.removeValue(forKey: header.producerID), ended.hasBatches else { return true }
        // Its batches go now. The entry goes with the next pass, and only then the marker: readers that have the one need the other.
        stillNeeded.append(ended.range)
        return false
    }

    private mutating func advance(to offset: Int64) {
        while let next = ahead.first, next.firstOffset <= offset {
            aborted[next.producerID] = Aborted(range: next)
            ahead.removeFirst()
        }
    }

    /// The entries whose marker was read since the last call and that are still needed, by marker.
    mutating func takeNeeded() -> [AbortedRange] {
        defer { stillNeeded = [] }
        return stillNeeded
    }
}
