import Batch
import CShims

/// A set of 128-bit hashes that hangs from 16 bytes of a record's payload: 16 zero bytes are the empty set.
///
/// Elements stay in the order in which they came, so what is new since a freeze is a suffix. Up to 16 are searched one
/// by one; beyond, an index of positions stands behind them. The piece that holds them belongs to the table's `ByteArena`.
package struct DistinctSet {
    /// 0: address of the piece, 8: count (UInt32), 12: how many of them are persisted in chunks (UInt32).
    private let state: UnsafeMutableRawPointer

    package static let stateBytes = 16
    /// Elements of one stored chunk.
    package static let chunkElements = 64
    private static let headerBytes = 16
    private static let linearMax = 16

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

    private static func pieceBytes(_ capacity: Int) -> Int {
        headerBytes + capacity * 16 + (capacity > linearMax ? capacity * 2 * 4 : 0)
    }

    private func capacity(_ piece: UnsafeMutableRawPointer) -> Int { Int(piece.load(as: UInt32.self)) }

    private func elements(_ piece: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Hash128> {
        (piece + Self.headerBytes).assumingMemoryBound(to: Hash128.self)
    }

    private func index(_ piece: UnsafeMutableRawPointer) -> UnsafeMutablePointer<UInt32> {
        (piece + Self.headerBytes + capacity(piece) * 16).assumingMemoryBound(to: UInt32.self)
    }

    /// The elements in order of insertion; valid until the next insertion. The set is resident.
    package var elements: UnsafeBufferPointer<Hash128> {
        guard let piece else { return UnsafeBufferPointer(start: nil, count: 0) }
        return UnsafeBufferPointer(start: elements(piece), count: count)
    }

    /// Brings closer what an insertion looks at first.
    @inline(__always)
    package func prefetch() {
        guard let piece else { return }
        millrace_prefetch(piece)
        let lines = min(count, Self.linearMax) / 4
        for line in 0..<lines { millrace_prefetch(piece + 64 * (line + 1)) }
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
        if let piece {
            let elements = elements(piece)
            if capacity(piece) <= Self.linearMax {
                for position in 0..<count where elements[position] == hash { return false }
            } else {
                let index = index(piece)
                let mask = capacity(piece) * 2 - 1
                var slot = Int(truncatingIfNeeded: hash.low) & mask
                while index[slot] != 0 {
                    if elements[Int(index[slot]) - 1] == hash { return false }
                    slot = (slot + 1) & mask
                }
                if count < capacity(piece) { index[slot] = UInt32(count + 1) }
            }
        }
        precondition(isResident, "a set without its elements takes no more")
        precondition(count < Int(UInt32.max) - 1, "a set holds at most four billion values")
        let (piece, isFresh) = roomForOneMore(&pieces)
        elements(piece)[count] = hash
        if isFresh, capacity(piece) > Self.linearMax {
            place(hash, count, index(piece), capacity(piece) * 2 - 1)
        }
        self.count = count + 1
        return true
    }

    private func roomForOneMore(_ pieces: inout ByteArena) -> (UnsafeMutableRawPointer, isFresh: Bool) {
        let old = piece
        let oldCapacity = old.map(capacity) ?? 0
        if let old, count < oldCapacity { return (old, false) }
        let larger = max(4, oldCapacity * 2)
        let fresh = pieces.allocate(Self.pieceBytes(larger))
        fresh.storeBytes(of: UInt32(larger), as: UInt32.self)
        if let old {
            elements(fresh).update(from: elements(old), count: count)
            pieces.free(old, Self.pieceBytes(oldCapacity))
        }
        if larger > Self.linearMax { buildIndex(fresh, larger) }
        piece = fresh
        return (fresh, true)
    }

    private func buildIndex(_ piece: UnsafeMutableRawPointer, _ capacity: Int) {
        let index = index(piece)
        index.initialize(repeating: 0, count: capacity * 2)
        for position in 0..<count { place(elements(piece)[position], position, index, capacity * 2 - 1) }
    }

    private func place(_ hash: Hash128, _ position: Int, _ index: UnsafeMutablePointer<UInt32>, _ mask: Int) {
        var slot = Int(truncatingIfNeeded: hash.low) & mask
        while index[slot] != 0 { slot = (slot + 1) & mask }
        index[slot] = UInt32(position + 1)
    }

    /// Gives the set, which is empty, `count` elements that follow each other in memory and differ.
    package func restore(_ elements: UnsafeRawPointer, count: Int, persisted: Int, _ pieces: inout ByteArena) {
        guard count > 0 else { return }
        var capacity = 4
        while capacity < count { capacity *= 2 }
        let fresh = pieces.allocate(Self.pieceBytes(capacity))
        fresh.storeBytes(of: UInt32(capacity), as: UInt32.self)
        (fresh + Self.headerBytes).copyMemory(from: elements, byteCount: count * MemoryLayout<Hash128>.stride)
        piece = fresh
        self.count = count
        self.persisted = persisted
        if capacity > Self.linearMax { buildIndex(fresh, capacity) }
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
        if let piece { pieces.free(piece, Self.pieceBytes(capacity(piece))) }
        state.storeBytes(of: (0, 0), as: (UInt64, UInt64).self)
    }
}
