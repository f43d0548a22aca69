/// Deadlines by key, the earliest first. Moving a deadline to a later moment, what every heartbeat does, costs one
/// dictionary write: the heap entry stays where it is and is put right when it comes up.
package struct DeadlineQueue<Key: Hashable> {
    private struct Entry {
        var deadline: Int64
        var serial: UInt64
        var key: Key
    }

    private struct Timer {
        var deadline: Int64
        /// The heap entry that stands for this timer; others of the same key are leftovers.
        var serial: UInt64
        var queuedAt: Int64
    }

    private var heap: [Entry] = []
    private var timers: [Key: Timer] = [:]
    private var nextSerial: UInt64 = 0

    package init() {}

    /// No deadline that is set is earlier. May be earlier than the earliest: then `popDue` finds nothing, and this has moved.
    package var next: Int64? { heap.first?.deadline }

    package var count: Int { timers.count }

    package mutating func set(_ key: Key, at deadline: Int64) {
        if var timer = timers[key], timer.queuedAt <= deadline {
            timer.deadline = deadline
            timers[key] = timer
        } else {
            queue(key, at: deadline)
        }
    }

    package mutating func cancel(_ key: Key) {
        timers[key] = nil
        dropLeftovers()
    }

    /// Removes and returns a key whose deadline is at or before `now`; among equal deadlines the one set first.
    package mutating func popDue(_ now: Int64) -> Key? {
        while let entry = heap.first, entry.deadline <= now {
            removeFirst()
            guard let timer = timers[entry.key], timer.serial == entry.serial else { continue }
            if timer.deadline <= now {
                timers[entry.key] = nil
                return entry.key
            }
            queue(entry.key, at: timer.deadline)
        }
        // Leftovers at the top would wake the caller for nothing.
        while let entry = heap.first, timers[entry.key]?.serial != entry.serial { removeFirst() }
        return nil
    }

    private mutating func queue(_ key: Key, at deadline: Int64) {
        nextSerial += 1
        timers[key] = Timer(deadline: deadline, serial: nextSerial, queuedAt: deadline)
        heap.append(Entry(deadline: deadline, serial: nextSerial, key: key))
        siftUp(heap.count - 1)
        dropLeftovers()
    }

    /// Leftovers sink in a heap of timers that are far away; without this they would pile up.
    private mutating func dropLeftovers() {
        guard heap.count > 2 * timers.count + 64 else { return }
        heap = heap.filter { timers[$0.key]?.serial == $0.serial }
        for index in stride(from: heap.count / 2 - 1, through: 0, by: -1) { siftDown(index) }
    }

    private func precedes(_ left: Int, _ right: Int) -> Bool {
        (heap[left].deadline, heap[left].serial) < (heap[right].deadline, heap[right].serial)
    }

    private mutating func removeFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        siftDown(0)
    }

    private mutating func siftUp(_ start: Int) {
        var index = start
        while index > 0, precedes(index, (index - 1) / 2) {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    private mutating func siftDown(_ start: Int) {
        var index = start
        while true {
            var smallest = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count && precedes(child, smallest) { smallest = child }
            if smallest == index { return }
            heap.swapAt(index, smallest)
            index = smallest
        }
    }
}
