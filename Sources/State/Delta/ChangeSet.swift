import Glibc
import Synchronization

/// The changes of a task's state in one epoch, in the order in which they were made: an append-only buffer.
///
/// Encoding of an entry (also what a delta file holds; does not change): varint of `namespace << 2 | kind`, varint of the
/// key's length, for a put varint of the value's length, the key, the value. Varints are LEB128.
///
/// A value type whose copies share their bytes until one of them is appended to.
@usableFromInline
package struct ChangeSet: Sendable {
    @usableFromInline var storage: Storage?
    /// Entries.
    @usableFromInline package private(set) var count: Int
    /// Of all entries as encoded, bytes.
    @usableFromInline package private(set) var byteCount: Int
    /// Where the entries are cut into the blocks of a delta file: bytes and entries up to the end of each but the last.
    @usableFromInline private(set) var cuts: [Cut]

    @usableFromInline
    struct Cut: Sendable {
        var byteCount: Int
        var count: Int
    }

    @usableFromInline
    package init() {
        storage = nil
        count = 0
        byteCount = 0
        cuts = []
    }

    @inlinable package var isEmpty: Bool { count == 0 }

    /// Makes room for `byteCount` more bytes, so that appending them does not have to grow.
    package mutating func reserve(byteCount more: Int) {
        _ = room(more)
    }

    /// Forgets the entries; keeps the memory, if no copy holds it.
    package mutating func removeAll() {
        count = 0
        byteCount = 0
        cuts.removeAll(keepingCapacity: true)
        if !isKnownUniquelyReferenced(&storage) { storage = nil }
    }

    /// Appends a put of a whole value.
    @inlinable
    package mutating func put(_ namespace: UInt16, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        put(namespace, keyCount: key.count, valueCount: value.count) { keyRoom, valueRoom in
            keyRoom.copyMemory(from: key)
            valueRoom.copyMemory(from: value)
        }
    }

    /// Appends a put whose key and value `fill` writes in place: every byte of both.
    @inlinable
    package mutating func put(
        _ namespace: UInt16, keyCount: Int, valueCount: Int,
        fill: (_ key: UnsafeMutableRawBufferPointer, _ value: UnsafeMutableRawBufferPointer) -> Void
    ) {
        let start = appendHead(.put, namespace, keyCount: keyCount, valueCount: valueCount)
        fill(
            UnsafeMutableRawBufferPointer(start: start, count: keyCount),
            UnsafeMutableRawBufferPointer(start: start + keyCount, count: valueCount))
    }

    /// Appends the deletion of one key.
    @inlinable
    package mutating func delete(_ namespace: UInt16, key: UnsafeRawBufferPointer) {
        let start = appendHead(.delete, namespace, keyCount: key.count, valueCount: 0)
        UnsafeMutableRawBufferPointer(start: start, count: key.count).copyMemory(from: key)
    }

    /// Appends the deletion of one key that `fill` writes in place.
    @inlinable
    package mutating func delete(_ namespace: UInt16, keyCount: Int, fill: (_ key: UnsafeMutableRawBufferPointer) -> Void) {
        let start = appendHead(.delete, namespace, keyCount: keyCount, valueCount: 0)
        fill(UnsafeMutableRawBufferPointer(start: start, count: keyCount))
    }

    /// Appends the deletion of all keys that begin with `prefix`.
    @inlinable
    package mutating func deletePrefix(_ namespace: UInt16, prefix: UnsafeRawBufferPointer) {
        let start = appendHead(.deletePrefix, namespace, keyCount: prefix.count, valueCount: 0)
        UnsafeMutableRawBufferPointer(start: start, count: prefix.count).copyMemory(from: prefix)
    }

    /// Appends all entries of `other`.
    package mutating func append(_ other: ChangeSet) {
        guard let from = other.storage, other.byteCount > 0 else { return }
        let to = room(other.byteCount)
        to.copyMemory(from: from.bytes, byteCount: other.byteCount)
        var reader = ChangeReader(UnsafeRawBufferPointer(start: to, count: other.byteCount))
        var start = 0
        while reader.next() != nil {
            note(reader.position - start)
            start = reader.position
        }
    }

    /// Every entry, in the order in which they were appended.
    @inlinable
    package func forEach<Failure: Error>(_ body: (Change) throws(Failure) -> Void) throws(Failure) {
        guard let storage, byteCount > 0 else { return }
        defer { withExtendedLifetime(storage) {} }
        var reader = ChangeReader(UnsafeRawBufferPointer(start: storage.bytes, count: byteCount))
        while let change = reader.next() { try body(change) }
    }

    /// The entries as encoded.
    package func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { withExtendedLifetime(storage) {} }
        return try body(UnsafeRawBufferPointer(start: storage?.bytes, count: byteCount))
    }

    /// - Returns: where key and value go.
    @inlinable
    mutating func appendHead(
        _ kind: Change.Kind, _ namespace: UInt16, keyCount: Int, valueCount: Int
    ) -> UnsafeMutableRawPointer {
        precondition(namespace >= StateNamespace.firstOfRuntime, "namespaces 0 and 1 belong to the home")
        let start = room(keyCount + valueCount + 3 + 10 + 10)
        var end = start
        end = Self.varint(UInt64(namespace) << 2 | UInt64(kind.rawValue), to: end)
        end = Self.varint(UInt64(keyCount), to: end)
        if kind == .put { end = Self.varint(UInt64(valueCount), to: end) }
        note(end - start + keyCount + valueCount)
        return end
    }

    @inlinable
    static func varint(_ value: UInt64, to place: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        var rest = value
        var end = place
        while rest >= 0x80 {
            end.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, as: UInt8.self)
            end += 1
            rest >>= 7
        }
        end.storeBytes(of: UInt8(truncatingIfNeeded: rest), as: UInt8.self)
        return end + 1
    }

    @usableFromInline
    mutating func note(_ bytes: Int) {
        byteCount += bytes
        count += 1
        if byteCount - (cuts.last?.byteCount ?? 0) >= DeltaFile.blockTarget { cuts.append(Cut(byteCount: byteCount, count: count)) }
    }

    /// - Returns: where the next entry goes, with room for `more` bytes.
    @inlinable
    mutating func room(_ more: Int) -> UnsafeMutableRawPointer {
        if isKnownUniquelyReferenced(&storage) {
            // No name for the reference here: it would count as a second one.
            let free = storage.unsafelyUnwrapped.capacity - byteCount
            if free >= more { return storage.unsafelyUnwrapped.bytes + byteCount }
        }
        return grow(more)
    }

    @usableFromInline
    mutating func grow(_ more: Int) -> UnsafeMutableRawPointer {
        let needed = byteCount + more
        if isKnownUniquelyReferenced(&storage), let own = storage {
            own.grow(to: max(needed, own.capacity * 2))
            return own.bytes + byteCount
        }
        let own = Storage(capacity: max(needed, 4_096))
        if let shared = storage { own.bytes.copyMemory(from: shared.bytes, byteCount: byteCount) }
        storage = own
        return own.bytes + byteCount
    }

    // Sendable: the bytes below any copy's `byteCount` are never written again while a second reference exists
    // (`room` looks), and growing happens only with one.
    @usableFromInline
    final class Storage: @unchecked Sendable {
        // Only whoever appends touches these, through a unique reference: checking each access costs more than an append.
        @exclusivity(unchecked) @usableFromInline var bytes: UnsafeMutableRawPointer
        @exclusivity(unchecked) @usableFromInline var capacity: Int

        /// At least `capacity` bytes.
        init(capacity: Int) {
            (self.bytes, self.capacity) = SpareMemory.take(capacity)
        }

        func grow(to capacity: Int) {
            // Large blocks are moved by the kernel's page tables, not copied.
            guard let moved = realloc(bytes, capacity) else { preconditionFailure("out of memory: \(capacity) bytes for changes") }
            bytes = moved
            self.capacity = capacity
        }

        deinit { SpareMemory.give(bytes, capacity) }
    }
}

/// Blocks of memory of change sets that are gone, for those to come: an epoch's are about as large as those of the one before, and
/// memory that is new from the system costs more than what is done with it.
private enum SpareMemory {
    // Unchecked: a block belongs to nobody while it is here.
    private struct Block: @unchecked Sendable {
        let bytes: UnsafeMutableRawPointer
        let capacity: Int
    }

    private static let blocks = Mutex<[Block]>([])
    private static let blockMin = 64 << 10
    private static let bytesMax = 64 << 20

    /// The largest spare block, or a new one.
    static func take(_ capacity: Int) -> (UnsafeMutableRawPointer, Int) {
        let spare = blocks.withLock { blocks in
            blocks.indices.max { blocks[$0].capacity < blocks[$1].capacity }.map { blocks.remove(at: $0) }
        }
        if let spare {
            if spare.capacity >= capacity { return (spare.bytes, spare.capacity) }
            free(spare.bytes)
        }
        guard let bytes = malloc(capacity) else { preconditionFailure("out of memory: \(capacity) bytes for changes") }
        return (bytes, capacity)
    }

    static func give(_ bytes: UnsafeMutableRawPointer, _ capacity: Int) {
        let block = Block(bytes: bytes, capacity: capacity)
        let isKept = blocks.withLock { blocks in
            guard capacity >= blockMin, blocks.reduce(capacity, { $0 + $1.capacity }) <= bytesMax else { return false }
            blocks.append(block)
            return true
        }
        if !isKept { free(bytes) }
    }
}
