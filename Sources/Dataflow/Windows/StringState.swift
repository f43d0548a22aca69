import Batch
import CShims
import State

/// A string of a record's payload: 16 bytes that say where it lies among the table's pieces. Zero bytes are the empty
/// string; whether there is a value at all is for the presence word to say.
struct StringState {
    private let state: UnsafeMutableRawPointer

    init(_ state: UnsafeMutableRawPointer) { self.state = state }

    private var address: UnsafeMutableRawPointer? { state.load(as: UnsafeMutableRawPointer?.self) }
    var count: Int { Int(state.load(fromByteOffset: 8, as: UInt32.self)) }
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: address, count: count) }

    /// Brings the string closer.
    func prefetch() { millrace_prefetch(address) }

    func set(_ value: UnsafeRawBufferPointer, _ pieces: inout ByteArena) {
        if let address, !value.isEmpty, ByteArena.areInterchangeable(count, value.count) {
            address.copyMemory(from: value.baseAddress!, byteCount: value.count)
            state.storeBytes(of: UInt32(value.count), toByteOffset: 8, as: UInt32.self)
            return
        }
        release(&pieces)
        guard let base = value.baseAddress, !value.isEmpty else { return }
        let piece = pieces.allocate(value.count)
        piece.copyMemory(from: base, byteCount: value.count)
        state.storeBytes(of: piece, as: UnsafeMutableRawPointer?.self)
        state.storeBytes(of: UInt32(value.count), toByteOffset: 8, as: UInt32.self)
    }

    /// Takes over the other's string, which is empty afterwards.
    func take(_ other: StringState, _ pieces: inout ByteArena) {
        release(&pieces)
        state.copyMemory(from: other.state, byteCount: 16)
        other.forget()
    }

    /// Zero bytes, whatever was there; for copies of a payload that do not own the piece.
    func forget() { state.storeBytes(of: (0, 0), as: (UInt64, UInt64).self) }

    func release(_ pieces: inout ByteArena) {
        if let address { pieces.free(address, count) }
        forget()
    }

    /// By UTF-8 bytes, which is also the order of code points.
    static func isLess(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Bool {
        compareBytes(one, other) < 0
    }
}

/// Byte by byte, a prefix before what it begins: negative, zero, positive.
func compareBytes(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Int {
    let shared = min(one.count, other.count)
    var offset = 0
    while offset + 8 <= shared {
        let left = UInt64(bigEndian: one.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        let right = UInt64(bigEndian: other.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        if left != right { return left < right ? -1 : 1 }
        offset += 8
    }
    while offset < shared {
        if one[offset] != other[offset] { return one[offset] < other[offset] ? -1 : 1 }
        offset += 1
    }
    return one.count - other.count
}
