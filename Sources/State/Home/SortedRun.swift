import Glibc

/// Changes gathered in memory until they are many enough to be sorted and written at once: of every key only the newest is kept.
struct SortedRun: ~Copyable {
    /// A change in `bytes`: the key with its namespace before it, then the value.
    private struct Entry {
        /// Eight bytes of the key after what all keys of the namespace begin with: decides most comparisons.
        var prefix: UInt64
        var start: Int
        var keyCount: UInt32
        var valueCount: UInt32
        /// Position among all changes of the run, above the kind.
        var orderAndKind: UInt32

        var order: UInt32 { orderAndKind >> 2 }
        var kind: UInt32 { orderAndKind & 3 }
    }

    /// How many changes a run may hold.
    static let countLimit = 1 << 29

    private var bytes: UnsafeMutableRawBufferPointer
    private(set) var byteCount = 0
    private(set) var count = 0
    private var entries: [UInt16: [Entry]] = [:]
    private var deletedPrefixes: [UInt16: [Entry]] = [:]

    init(byteCapacity: Int) {
        bytes = .allocate(byteCount: max(byteCapacity, 64), alignment: 16)
    }

    deinit { bytes.deallocate() }

    var isEmpty: Bool { count == 0 }

    /// Whether the run should be written before `change` is appended.
    func isFull(for change: Change) -> Bool {
        count > 0 && (byteCount + 2 + change.key.count + change.value.count > bytes.count || count >= Self.countLimit)
    }

    /// Later changes win over earlier ones.
    mutating func append(_ change: Change) {
        let needed = byteCount + 2 + change.key.count + change.value.count
        if needed > bytes.count { grow(to: needed) }
        let start = byteCount
        bytes[start] = UInt8(truncatingIfNeeded: change.namespace >> 8)
        bytes[start + 1] = UInt8(truncatingIfNeeded: change.namespace)
        UnsafeMutableRawBufferPointer(rebasing: bytes[(start + 2)...]).copyMemory(from: change.key)
        UnsafeMutableRawBufferPointer(rebasing: bytes[(start + 2 + change.key.count)...]).copyMemory(from: change.value)
        byteCount = needed
        let entry = Entry(
            prefix: 0, start: start, keyCount: UInt32(2 + change.key.count), valueCount: UInt32(change.value.count),
            orderAndKind: UInt32(count) << 2 | UInt32(change.kind.rawValue))
        count += 1
        if change.kind == .deletePrefix {
            deletedPrefixes[change.namespace, default: []].append(entry)
        } else {
            entries[change.namespace, default: []].append(entry)
        }
    }

    mutating func removeAll() {
        byteCount = 0
        count = 0
        for namespace in entries.keys { entries[namespace]?.removeAll(keepingCapacity: true) }
        deletedPrefixes.removeAll()
    }

    /// The deleted prefixes, each with its namespace before it, ascending, without those that another one covers.
    func prefixes() -> [[UInt8]] {
        var all: [[UInt8]] = []
        for list in deletedPrefixes.values {
            for entry in list { all.append(Array(key(of: entry))) }
        }
        all.sort { $0.lexicographicallyPrecedes($1) }
        var kept: [[UInt8]] = []
        for prefix in all where !(kept.last.map { prefix.starts(with: $0) } ?? false) { kept.append(prefix) }
        return kept
    }

    /// The newest change of every key, by namespace and key, without those that the later deletion of a prefix undoes: what has to be
    /// written after the prefixes have been deleted. Keys have their namespace before them; `value` is nil for a deletion.
    mutating func forEachNewest(
        _ body: (_ namespace: UInt16, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) throws(StateError) -> Void
    ) throws(StateError) {
        for namespace in entries.keys.sorted() {
            guard var list = entries.removeValue(forKey: namespace), !list.isEmpty else { continue }
            sort(&list)
            var deletions = deletedPrefixes[namespace] ?? []
            sort(&deletions)
            var covering: [Entry] = []
            var nextDeletion = 0
            var index = 0
            while index < list.count {
                let newest = list[index]
                let key = key(of: newest)
                index += 1
                while index < list.count, Self.areEqual(self.key(of: list[index]), key) { index += 1 }

                // `covering` holds the deleted prefixes that `key` begins with, shortest first.
                while nextDeletion < deletions.count, Self.compare(self.key(of: deletions[nextDeletion]), key) <= 0 {
                    let prefix = self.key(of: deletions[nextDeletion])
                    while let last = covering.last, !Self.begins(prefix, with: self.key(of: last)) { covering.removeLast() }
                    covering.append(deletions[nextDeletion])
                    nextDeletion += 1
                }
                while let last = covering.last, !Self.begins(key, with: self.key(of: last)) { covering.removeLast() }
                if covering.contains(where: { $0.order > newest.order }) { continue }
                let value = UnsafeRawBufferPointer(
                    start: UnsafeRawPointer(bytes.baseAddress.unsafelyUnwrapped) + newest.start + Int(newest.keyCount),
                    count: Int(newest.valueCount))
                try body(namespace, key, newest.kind == UInt32(Change.Kind.put.rawValue) ? value : nil)
            }
            list.removeAll(keepingCapacity: true)
            entries[namespace] = list
        }
    }

    private func key(of entry: Entry) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: UnsafeRawPointer(bytes.baseAddress.unsafelyUnwrapped) + entry.start, count: Int(entry.keyCount))
    }

    /// By key, of equal keys the newest first.
    private func sort(_ list: inout [Entry]) {
        guard let first = list.first else { return }
        let base = UnsafeRawPointer(bytes.baseAddress.unsafelyUnwrapped)
        var common = Int(first.keyCount)
        for entry in list {
            var length = 0
            let limit = min(common, Int(entry.keyCount))
            while length < limit, base.load(fromByteOffset: entry.start + length, as: UInt8.self)
                == base.load(fromByteOffset: first.start + length, as: UInt8.self) { length += 1 }
            common = length
        }
        for index in list.indices {
            var prefix: UInt64 = 0
            let start = list[index].start + common
            let length = min(8, Int(list[index].keyCount) - common)
            for place in 0..<length {
                prefix |= UInt64(base.load(fromByteOffset: start + place, as: UInt8.self)) << UInt64(56 - 8 * place)
            }
            list[index].prefix = prefix
        }
        list.sort { one, other in
            if one.prefix != other.prefix { return one.prefix < other.prefix }
            let order = Self.compare(
                UnsafeRawBufferPointer(start: base + one.start, count: Int(one.keyCount)),
                UnsafeRawBufferPointer(start: base + other.start, count: Int(other.keyCount)))
            return order != 0 ? order < 0 : one.orderAndKind > other.orderAndKind
        }
    }

    private mutating func grow(to needed: Int) {
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: needed, alignment: 16)
        larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<byteCount]))
        bytes.deallocate()
        bytes = larger
    }

    private static func compare(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Int {
        let order = memcmp(one.baseAddress.unsafelyUnwrapped, other.baseAddress.unsafelyUnwrapped, min(one.count, other.count))
        return order != 0 ? Int(order) : one.count - other.count
    }

    private static func areEqual(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Bool {
        one.count == other.count && memcmp(one.baseAddress.unsafelyUnwrapped, other.baseAddress.unsafelyUnwrapped, one.count) == 0
    }

    private static func begins(_ key: UnsafeRawBufferPointer, with prefix: UnsafeRawBufferPointer) -> Bool {
        prefix.count <= key.count && memcmp(key.baseAddress.unsafelyUnwrapped, prefix.baseAddress.unsafelyUnwrapped, prefix.count) == 0
    }
}
