/// A growable array of plain values for loops that must not pay for uniqueness checks: its owner alone holds it.
@usableFromInline
package struct RawList<Element: BitwiseCopyable>: ~Copyable {
    @usableFromInline package var base: UnsafeMutablePointer<Element>
    @usableFromInline package var count: Int
    @usableFromInline var capacity: Int

    @inlinable @inline(__always)
    package init(capacity: Int = 16) {
        self.capacity = max(capacity, 1)
        self.count = 0
        self.base = .allocate(capacity: max(capacity, 1))
    }

    @inlinable deinit { base.deallocate() }

    @inlinable @inline(__always)
    package mutating func append(_ element: Element) {
        if count == capacity { grow(to: count + 1) }
        base[count] = element
        count += 1
    }

    /// Appends `count` values that lie at `source`.
    @inlinable @inline(__always)
    package mutating func append(_ source: UnsafePointer<Element>, count added: Int) {
        if capacity - count < added { grow(to: count + added) }
        (base + count).update(from: source, count: added)
        count += added
    }

    /// Makes room for at least `capacity` values; those present stay.
    @inlinable @inline(__always)
    package mutating func reserve(_ capacity: Int) {
        if self.capacity < capacity { grow(to: capacity) }
    }

    @inlinable @inline(__always)
    package subscript(index: Int) -> Element {
        get {
            assert(index >= 0 && index < count)
            return base[index]
        }
        nonmutating set {
            assert(index >= 0 && index < count)
            base[index] = newValue
        }
    }

    /// Keeps the capacity.
    @inlinable @inline(__always)
    package mutating func removeAll() { count = 0 }

    package var bytes: Int { capacity * MemoryLayout<Element>.stride }

    @usableFromInline
    mutating func grow(to needed: Int) {
        let larger = max(needed, capacity * 2)
        let fresh = UnsafeMutablePointer<Element>.allocate(capacity: larger)
        fresh.update(from: base, count: count)
        base.deallocate()
        base = fresh
        capacity = larger
    }
}
