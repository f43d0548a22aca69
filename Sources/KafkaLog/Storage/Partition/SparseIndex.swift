/// A file of fixed-width entries in rising order, as Kafka's index files are: key and value, big-endian.
///
/// `.index`: key = offset relative to the segment's base u32, value = position u32; one for about every `index.interval.bytes`.
/// `.timeindex`: key = largest timestamp so far i64, value = relative offset of the batch that has it u32.
///
/// Indexes are hints: what they say is checked against the log when it is used, and they are rebuilt when it is not so.
struct SparseIndex {
    enum Kind {
        case offsets
        case times

        var keyWidth: Int { self == .offsets ? 4 : 8 }
        var width: Int { keyWidth + 4 }
        var suffix: String { self == .offsets ? ".index" : ".timeindex" }
    }

    /// Of the segment that is written to: in memory. Of a closed one: read where it is, so that the heap does not grow with the log.
    private enum Storage {
        case memory([UInt8])
        case file(LogFile)
    }

    let kind: Kind
    private var storage: Storage = .memory([])
    private(set) var count = 0

    init(_ kind: Kind) {
        self.kind = kind
    }

    /// Uses the file of a closed segment. nil when its length is not that of an index.
    init?(_ kind: Kind, file: LogFile) throws(StorageError) {
        self.kind = kind
        let size = try file.size()
        guard size % Int64(kind.width) == 0, size < 1 << 32 else { return nil }
        count = Int(size) / kind.width
        storage = .file(file)
    }

    struct Entry: Hashable {
        let key: Int64
        let value: Int64
    }

    func entry(_ index: Int) throws(StorageError) -> Entry {
        precondition(index >= 0 && index < count, "index entry out of range")
        switch storage {
        case .memory(let bytes):
            return decode(bytes, at: index * kind.width)
        case .file(let file):
            return decode(try file.read(at: Int64(index * kind.width), count: kind.width), at: 0)
        }
    }

    var last: Entry? {
        get throws(StorageError) { count == 0 ? nil : try entry(count - 1) }
    }

    /// The last entry whose key is at most `key`.
    func last(keyAtMost key: Int64) throws(StorageError) -> Entry? {
        let index = try firstIndex { entry in entry.key > key } - 1
        return index < 0 ? nil : try entry(index)
    }

    /// The last entry whose value is at most `value`.
    func last(valueAtMost value: Int64) throws(StorageError) -> Entry? {
        let index = try firstIndex { entry in entry.value > value } - 1
        return index < 0 ? nil : try entry(index)
    }

    private func firstIndex(where isBeyond: (Entry) -> Bool) throws(StorageError) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if isBeyond(try entry(middle)) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// Only while in memory.
    mutating func append(key: Int64, value: Int64) {
        guard case .memory(var bytes) = storage else { preconditionFailure("a closed index is not appended to") }
        storage = .memory([])
        if kind == .offsets { bytes.append(bigEndian: UInt32(key)) } else { bytes.append(bigEndian: key) }
        bytes.append(bigEndian: UInt32(value))
        storage = .memory(bytes)
        count += 1
    }

    /// Drops all entries from the first one on that `isUnwanted`. Only while in memory.
    mutating func removeTail(from isUnwanted: (Entry) -> Bool) throws(StorageError) {
        guard case .memory(let bytes) = storage else { preconditionFailure("a closed index is not cut") }
        count = try firstIndex(where: isUnwanted)
        storage = .memory([UInt8](bytes.prefix(count * kind.width)))
    }

    /// The contents, to be written to a file.
    func bytes() throws(StorageError) -> [UInt8] {
        switch storage {
        case .memory(let bytes): bytes
        case .file(let file): try file.read(at: 0, count: count * kind.width)
        }
    }

    /// Takes over the contents of a file; nil when they are not in order.
    init?(_ kind: Kind, bytes: [UInt8]) throws(StorageError) {
        self.kind = kind
        guard bytes.count % kind.width == 0 else { return nil }
        count = bytes.count / kind.width
        storage = .memory(bytes)
        var previous = Entry(key: -1, value: -1)
        for index in 0..<count {
            let entry = try entry(index)
            guard entry.key > previous.key, kind == .times || entry.value > previous.value else { return nil }
            previous = entry
        }
    }

    private func decode(_ bytes: [UInt8], at position: Int) -> Entry {
        bytes.withUnsafeBytes { bytes in
            let key = kind == .offsets ? Int64(bytes.bigEndian(position, as: UInt32.self)) : bytes.bigEndian(position, as: Int64.self)
            return Entry(key: key, value: Int64(bytes.bigEndian(position + kind.keyWidth, as: UInt32.self)))
        }
    }
}
