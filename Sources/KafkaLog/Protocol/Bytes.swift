/// Memory that a frame was received into. A connection reuses it when no view of it is left.
package final class ByteStorage {
    package let base: UnsafeMutableRawPointer
    package let capacity: Int

    /// `capacity` uninitialised bytes.
    package init(capacity: Int) {
        precondition(capacity >= 0)
        self.base = .allocate(byteCount: max(capacity, 1), alignment: 16)
        self.capacity = capacity
    }

    deinit { base.deallocate() }
}

/// A view of received bytes: shares the storage, copies nothing. Belongs to the thread that received them.
package struct Bytes: Equatable {
    package let storage: ByteStorage
    package let offset: Int
    package let count: Int

    package init(storage: ByteStorage, offset: Int, count: Int) {
        precondition(offset >= 0 && count >= 0 && offset <= storage.capacity && count <= storage.capacity - offset)
        self.storage = storage
        self.offset = offset
        self.count = count
    }

    /// A copy of `bytes`.
    package init(_ bytes: some Collection<UInt8>) {
        self.init(storage: ByteStorage(capacity: bytes.count), offset: 0, count: bytes.count)
        UnsafeMutableRawBufferPointer(start: storage.base, count: count).copyBytes(from: bytes)
    }

    package static var empty: Bytes { Bytes(storage: ByteStorage(capacity: 0), offset: 0, count: 0) }

    package var isEmpty: Bool { count == 0 }

    /// A copy.
    package var array: [UInt8] { withUnsafeBytes { [UInt8]($0) } }

    package func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(start: storage.base + offset, count: count))
    }

    /// The bytes may be changed in place: offsets are assigned to record batches where they were received.
    package func withUnsafeMutableBytes<Result, Failure: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeMutableRawBufferPointer(start: storage.base + offset, count: count))
    }

    package static func == (left: Bytes, right: Bytes) -> Bool {
        left.withUnsafeBytes { l in right.withUnsafeBytes { r in l.count == r.count && l.elementsEqual(r) } }
    }
}

/// A part of an open file. `owner` keeps the descriptor open until the region was sent.
package struct FileSlice: Equatable {
    package let owner: AnyObject
    package let descriptor: Int32
    /// Bytes from the start of the file.
    package let position: Int64
    package let count: Int

    package init(owner: AnyObject, descriptor: Int32, position: Int64, count: Int) {
        self.owner = owner
        self.descriptor = descriptor
        self.position = position
        self.count = count
    }

    package static func == (left: FileSlice, right: FileSlice) -> Bool {
        left.descriptor == right.descriptor && left.position == right.position && left.count == right.count
    }
}

/// The content of a `records` field: a view when received, file regions when sent.
package enum Records: Equatable {
    case null
    case bytes(Bytes)
    case file([FileSlice])

    package var count: Int {
        switch self {
        case .null: 0
        case .bytes(let bytes): bytes.count
        case .file(let regions): regions.reduce(0) { $0 + $1.count }
        }
    }
}
