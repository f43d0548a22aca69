import Batch
import CShims

/// A set of 128-bit hashes that hangs from 16 bytes of a record's payload: 16 zero bytes are the empty set.
///
/// Elements stay in the order in which they came, so what is new since a freeze is a suffix. The piece that holds them belongs to the
/// table's `ByteArena`; how large it is follows from their number. Whether a hash is among them is mostly told without looking at any of
/// them, which are spread over many cache lines: up to 16 have a byte of each hash, a tag, in front of them; up to 128 an index behind them
/// of tags and positions, and more than that one of positions.
package struct DistinctSet {
    /// 0: address of the piece, 8: count (UInt32), 12: how many of them are persisted in chunks (UInt32).
    private let state: UnsafeMutableRawPointer

    package static let stateBytes = 16
    /// Elements of one stored chunk.
    package static let chunkElements = 64
    /// Tags.
    private static let headerBytes = 16
    private static let linearMax = 16
    private static let taggedMax = 128

    package init(_ state: UnsafeMutableRawPointer) { self.state = state }

    private var piece: UnsafeMutableRawPointer? {
        get { state.load(as: UnsafeMutableRawPointer?.self) }
        nonmutating set { state.storeBytes(of: newValue, as: UnsafeMutableRawPointer?.self) }
    }

    package private(set) var count: Int {
        get { Int(state.load(fromByteOffset: 8, as: UInt32.self)) }
        nonmutating set { state.storeBytes(of: UInt32(newValue), toByteOffset: 8, as: UInt32.self) }
    }

    /// Elements, from the first, that the persisted state has in chunks.
    package var persisted: Int {
        get { Int(state.load(fromByteOffset: 12, as: UInt32.self)) }
        nonmutating set { state.storeBytes(of: UInt32(newValue), toByteOffset: 12, as: UInt32.self) }
    }

    /// False when the elements are only in the persisted state: `count` is right, but nothing may be inserted.
    package var isResident: Bool { piece != nil || count == 0 }

    /// What is stored of a set besides its elements: how many there are.
    package static func writeCount(_ count: Int, to state: UnsafeMutableRawPointer) {
        state.storeBytes(of: 0, as: UInt64.self)
        DistinctSet(state).count = count
        DistinctSet(state).persisted = count
    }

    /// Elements that the piece of a set of `count` has room for.
    @inline(__always)
    private static func capacity(_ count: Int) -> Int {
        count <= 4 ? 4 : 1 << (Int.bitWidth - (count - 1).leadingZeroBitCount)
    }

    private static func pieceBytes(_ capacity: Int) -> Int {
        headerBytes + capacity * 16 + (capacity <= linearMax ? 0 : capacity <= taggedMax ? capacity * 2 * 2 : capacity * 2 * 4)
    }

    @inline(__always)
    private func elements(_ piece: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Hash128> {
        (piece + Self.headerBytes).assumingMemoryBound(to: Hash128.self)
    }

    @inline(__always)
    private static func tag(_ hash: Hash128) -> UInt8 { UInt8(truncatingIfNeeded: hash.high) }

    /// The elements in order of insertion; valid until the next insertion. The set is resident.
    package var elements: UnsafeBufferPointer<Hash128> {
        guard let piece else { return UnsafeBufferPointer(start: nil, count: 0) }
        return UnsafeBufferPointer(start: elements(piece), count: count)
    }

    /// Brings closer what an insertion of `hash` looks at and writes.
    @inline(__always)
    package func prefetch(_ hash: Hash128) {
        guard let piece else { return }
        let count = count
        millrace_prefetch(piece + Self.headerBytes + count * 16)
        if count <= Self.linearMax { return millrace_prefetch(piece) }
        let capacity = Self.capacity(count)
        let slot = Int(truncatingIfNeeded: hash.low) & (capacity * 2 - 1)
        millrace_prefetch(piece + Self.headerBytes + capacity * 16 + slot * (capacity <= Self.taggedMax ? 2 : 4))
    }

    /// Brings closer the beginning of what holds the elements.
    @inline(__always)
    package func prefetchPiece() {
        if let piece { millrace_prefetch(piece) }
    }

    /// Brings closer what a freeze is going to take out.
    @inline(__always)
    package func prefetchUnpersisted() {
        guard let piece, count > persisted else { return }
        let first = persisted / Self.chunkElements * Self.chunkElements
        for line in 0...min(count - first, Self.linearMax) / 4 { millrace_prefetch(piece + Self.headerBytes + first * 16 + 64 * line) }
    }

    /// - Returns: whether it is new.
    @discardableResult
    package func insert(_ hash: Hash128, _ pieces: inout ByteArena) -> Bool {
        let count = count
        if let piece, holds(hash, count, piece) { return false }
        precondition(isResident, "a set without its elements takes no more")
        precondition(count < Int(UInt32.max) - 1, "a set holds at most four billion values")
        let capacity = Self.capacity(count + 1)
        let piece = roomForOneMore(count, capacity, &pieces)
        elements(piece)[count] = hash
        note(hash, count, piece, capacity)
        self.count = count + 1
        return true
    }

    @inline(__always)
    private func holds(_ hash: Hash128, _ count: Int, _ piece: UnsafeMutableRawPointer) -> Bool {
        let capacity = Self.capacity(count)
        if capacity <= Self.linearMax {
            let tag = Self.tag(hash)
            return holds(hash, tag, 0, count, piece) || count > 8 && holds(hash, tag, 8, count, piece)
        }
        let mask = capacity * 2 - 1
        var slot = Int(truncatingIfNeeded: hash.low) & mask
        let index = piece + Self.headerBytes + capacity * 16
        if capacity <= Self.taggedMax {
            let index = index.assumingMemoryBound(to: UInt16.self)
            let tag = UInt16(Self.tag(hash)) << 8
            while index[slot] != 0 {
                if index[slot] & 0xFF00 == tag, elements(piece)[Int(index[slot] & 0xFF) - 1] == hash { return true }
                slot = (slot + 1) & mask
            }
        } else {
            let index = index.assumingMemoryBound(to: UInt32.self)
            while index[slot] != 0 {
                if elements(piece)[Int(index[slot]) - 1] == hash { return true }
                slot = (slot + 1) & mask
            }
        }
        return false
    }

    /// Among the elements whose tags are the eight from `first`, of those that there are.
    @inline(__always)
    private func holds(_ hash: Hash128, _ tag: UInt8, _ first: Int, _ count: Int, _ piece: UnsafeMutableRawPointer) -> Bool {
        let tags = UInt64(littleEndian: (piece + first).load(as: UInt64.self))
        let differences = tags ^ (UInt64(tag) &* 0x0101_0101_0101_0101)
        // The highest bit of each byte that is zero; now and then of another one above it.
        var candidates = (differences &- 0x0101_0101_0101_0101) & ~differences & 0x8080_8080_8080_8080
        while candidates != 0 {
            let position = first + candidates.trailingZeroBitCount / 8
            if position < count, elements(piece)[position] == hash { return true }
            candidates &= candidates &- 1
        }
        return false
    }

    /// - Parameter capacity: of a piece for one element more.
    @inline(__always)
    private func roomForOneMore(_ count: Int, _ capacity: Int, _ pieces: inout ByteArena) -> UnsafeMutableRawPointer {
        if let piece, capacity == Self.capacity(count) { return piece }
        return grow(count, capacity, &pieces)
    }

    @inline(never)
    private func grow(_ count: Int, _ capacity: Int, _ pieces: inout ByteArena) -> UnsafeMutableRawPointer {
        let fresh = pieces.allocate(Self.pieceBytes(capacity))
        if let old = piece {
            (fresh + Self.headerBytes).copyMemory(from: old + Self.headerBytes, byteCount: count * 16)
            pieces.free(old, Self.pieceBytes(Self.capacity(count)))
        }
        piece = fresh
        noteAll(count, fresh, capacity)
        return fresh
    }

    /// Makes tags or an index of the first `count` elements.
    private func noteAll(_ count: Int, _ piece: UnsafeMutableRawPointer, _ capacity: Int) {
        let bytes = Self.pieceBytes(capacity) - Self.headerBytes - capacity * 16
        _ = (piece + Self.headerBytes + capacity * 16).initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        _ = piece.initializeMemory(as: UInt8.self, repeating: 0, count: Self.headerBytes)
        for position in 0..<count { note(elements(piece)[position], position, piece, capacity) }
    }

    /// - Parameter hash: the element at `position`, which no earlier one equals.
    @inline(__always)
    private func note(_ hash: Hash128, _ position: Int, _ piece: UnsafeMutableRawPointer, _ capacity: Int) {
        if capacity <= Self.linearMax { return piece.storeBytes(of: Self.tag(hash), toByteOffset: position, as: UInt8.self) }
        let mask = capacity * 2 - 1
        var slot = Int(truncatingIfNeeded: hash.low) & mask
        let index = piece + Self.headerBytes + capacity * 16
        if capacity <= Self.taggedMax {
            let index = index.assumingMemoryBound(to: UInt16.self)
            while index[slot] != 0 { slot = (slot + 1) & mask }
            index[slot] = UInt16(Self.tag(hash)) << 8 | UInt16(position + 1)
        } else {
            let index = index.assumingMemoryBound(to: UInt32.self)
            while index[slot] != 0 { slot = (slot + 1) & mask }
            index[slot] = UInt32(position + 1)
        }
    }

    /// Gives the set, which is empty, `count` elements that follow each other in memory and differ.
    package func restore(_ elements: UnsafeRawPointer, count: Int, persisted: Int, _ pieces: inout ByteArena) {
        guard count > 0 else { return }
        let capacity = Self.capacity(count)
        let fresh = pieces.allocate(Self.pieceBytes(capacity))
        (fresh + Self.headerBytes).copyMemory(from: elements, byteCount: count * MemoryLayout<Hash128>.stride)
        piece = fresh
        self.count = count
        self.persisted = persisted
        noteAll(count, fresh, capacity)
    }

    /// Adds the elements of `other`, which stays as it is.
    package func formUnion(_ other: DistinctSet, _ pieces: inout ByteArena) {
        for element in other.elements { insert(element, &pieces) }
    }

    /// Swaps the two sets; each then has what the other had persisted.
    package func swap(with other: DistinctSet) {
        let mine = state.load(as: (UInt64, UInt64).self)
        state.copyMemory(from: other.state, byteCount: 16)
        other.state.storeBytes(of: mine, as: (UInt64, UInt64).self)
    }

    /// Gives the elements' memory back; the set is empty.
    package func release(_ pieces: inout ByteArena) {
        if let piece { pieces.free(piece, Self.pieceBytes(Self.capacity(count))) }
        state.storeBytes(of: (0, 0), as: (UInt64, UInt64).self)
    }
}
