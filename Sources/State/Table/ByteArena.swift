/// Variable-sized pieces of a table's records: long keys, strings, small sets.
///
/// Pieces up to 4 KiB come from size classes (four a power of two) cut out of chunks of 64 KiB, later of 1 MiB, and are reused through a
/// free list a class; larger ones are malloc's. A piece is freed with the length that it was allocated with.
package struct ByteArena: ~Copyable {
    static let smallMax = 4096
    private static let chunkBytes = 64 * 1024
    private static let laterChunkBytes = 1024 * 1024

    private var chunks = RawList<UnsafeMutableRawPointer>()
    /// First free piece of a class; a free piece begins with the address of the next.
    private var freeLists: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    private var cursor: UnsafeMutableRawPointer?
    private var room = 0
    /// Pieces beyond the classes, to be given back at the end.
    private var large: Set<UnsafeMutableRawPointer> = []
    /// Bytes of the pieces in use, rounded up to their classes.
    package private(set) var bytes = 0

    /// Bytes that the pieces have been cut out of, and of those that are pieces of their own; never less than before but for these.
    package private(set) var allocatedBytes = 0

    package init() {
        freeLists = .allocate(capacity: 64)
        freeLists.initialize(repeating: nil, count: 64)
    }

    deinit {
        for index in 0..<chunks.count { chunks[index].deallocate() }
        for piece in large { piece.deallocate() }
        freeLists.deallocate()
    }

    /// 16, 24, 32, 40, 48, 56, 64, 80 ...: multiples of 8, at most four a power of two.
    @inline(__always)
    private static func sizeClass(_ length: Int) -> (index: Int, size: Int) {
        let length = max(length, 16)
        let power = Int.bitWidth - 1 - (length - 1).leadingZeroBitCount
        let base = 1 << power
        let step = max(base / 4, 8)
        let steps = (length - base + step - 1) / step
        return ((power - 3) * 4 + steps, base + steps * step)
    }

    /// How many bytes a piece of `length` occupies.
    package static func footprint(_ length: Int) -> Int {
        length <= smallMax ? sizeClass(length).size : length
    }

    package mutating func allocate(_ length: Int) -> UnsafeMutableRawPointer {
        guard length <= Self.smallMax else {
            bytes += length
            allocatedBytes += length
            let piece = UnsafeMutableRawPointer.allocate(byteCount: length, alignment: 16)
            large.insert(piece)
            return piece
        }
        let (index, size) = Self.sizeClass(length)
        bytes += size
        if let piece = freeLists[index] {
            freeLists[index] = piece.load(as: UnsafeMutableRawPointer?.self)
            return piece
        }
        if room < size {
            // Large ones come from the system as they are, and not from between what others free.
            room = chunks.count < 16 ? Self.chunkBytes : Self.laterChunkBytes
            cursor = .allocate(byteCount: room, alignment: 16)
            chunks.append(cursor!)
            allocatedBytes += room
        }
        let piece = cursor!
        cursor = piece + size
        room -= size
        return piece
    }

    /// `length`: as given to `allocate`.
    package mutating func free(_ piece: UnsafeMutableRawPointer, _ length: Int) {
        guard length <= Self.smallMax else {
            bytes -= length
            allocatedBytes -= length
            large.remove(piece)
            piece.deallocate()
            return
        }
        let (index, size) = Self.sizeClass(length)
        bytes -= size
        piece.storeBytes(of: freeLists[index], as: UnsafeMutableRawPointer?.self)
        freeLists[index] = piece
    }

    /// Whether pieces of both lengths are of one size, so that one can be written over the other.
    package static func areInterchangeable(_ one: Int, _ other: Int) -> Bool {
        one <= smallMax && other <= smallMax && sizeClass(one).index == sizeClass(other).index
    }
}
