/// Deadlines in the order they come due. What was cancelled meanwhile is for the owner to ignore.
struct TimerQueue<Item> {
    private var heap: [(deadline: Int64, item: Item)] = []

    /// The earliest deadline, in the caller's milliseconds.
    var earliest: Int64? { heap.first?.deadline }
    var count: Int { heap.count }

    mutating func add(_ item: Item, at deadline: Int64) {
        heap.append((deadline, item))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].deadline < heap[parent].deadline else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// The next item whose deadline is at or before `now`.
    mutating func next(now: Int64) -> Item? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].deadline < heap[smallest].deadline {
                smallest = child
            }
            if smallest == parent { return first.item }
            heap.swapAt(parent, smallest)
            parent = smallest
        }
    }

    /// Forgets the items that `isAlive` says no to: called now and then so that cancelled ones do not pile up.
    mutating func compact(_ isAlive: (Item) -> Bool) {
        let rest = heap.filter { isAlive($0.item) }
        heap = rest.sorted { $0.deadline < $1.deadline }
    }
}
