import CShims

/// An id on disk: as in memory, with its bucket modulo 2^32.
struct SpilledID: BitwiseCopyable {
    var key: UInt64
    var tail: UInt32
    var bucket: UInt32
}

/// Ids of one table that have been moved to the disk: entries sorted by hash in a scratch file, in memory a filter that says which ids are
/// certainly not among them (12 bits an id) and the first hash of every page.
final class SpilledIDs {
    static let entriesPerPage = 256
    private static let bitsPerEntry = 12

    private let file: SpillFile
    private let start: Int
    let count: Int
    /// The newest bucket among them: when it is forgotten, all are.
    let newestBucket: Int64
    private let blocks: UnsafeMutablePointer<UInt64>
    private let blockCount: Int
    private let pageKeys: [UInt64]

    /// - Parameter entries: ascending by key, at least one.
    init(_ entries: UnsafeBufferPointer<SpilledID>, newestBucket: Int64, file: SpillFile) throws(StateError) {
        start = try file.append(UnsafeRawBufferPointer(entries))
        self.file = file
        count = entries.count
        self.newestBucket = newestBucket
        blockCount = (entries.count * Self.bitsPerEntry + 511) / 512
        let memory = UnsafeMutableRawPointer.allocate(byteCount: blockCount * 64, alignment: 64)
        blocks = memory.bindMemory(to: UInt64.self, capacity: blockCount * 8)
        blocks.initialize(repeating: 0, count: blockCount * 8)
        pageKeys = stride(from: 0, to: entries.count, by: Self.entriesPerPage).map { entries[$0].key }
        for entry in entries {
            let block = block(of: entry.key)
            var bits = Self.bits(entry.key, entry.tail)
            for _ in 0..<6 {
                block[Int(truncatingIfNeeded: bits >> 6 & 7)] |= 1 << (bits & 63)
                bits >>= 9
            }
        }
    }

    deinit {
        file.free(start, count * MemoryLayout<SpilledID>.stride)
        UnsafeMutableRawPointer(blocks).deallocate()
    }

    /// Bytes.
    var memory: Int { blockCount * 64 + pageKeys.count * 8 + 128 }

    func prefetch(_ key: UInt64) { millrace_prefetch(block(of: key)) }

    /// False: certainly not here. True for others than those here in about one of a hundred.
    func mayHold(_ key: UInt64, _ tail: UInt32) -> Bool {
        let block = block(of: key)
        var bits = Self.bits(key, tail)
        for _ in 0..<6 {
            if block[Int(truncatingIfNeeded: bits >> 6 & 7)] & 1 << (bits & 63) == 0 { return false }
            bits >>= 9
        }
        return true
    }

    /// The bucket of an id; nil when it is not here.
    func bucket(_ key: UInt64, _ tail: UInt32) throws(StateError) -> Int64? {
        // The last page that begins before the key, and those after it that begin with the key.
        var low = 0
        var high = pageKeys.count
        while low < high {
            let middle = (low + high) / 2
            if pageKeys[middle] < key { low = middle + 1 } else { high = middle }
        }
        var page = max(low - 1, 0)
        while page < pageKeys.count, pageKeys[page] <= key {
            let first = page * Self.entriesPerPage
            let size = min(Self.entriesPerPage, count - first)
            let found = try withEntries(first, size) { (entries) -> UInt32? in
                for entry in entries where entry.key == key && entry.tail == tail { return entry.bucket }
                return nil
            }
            if let found {
                // None is newer than the newest, nor older by more than the buckets that are remembered at one time.
                return newestBucket &+ Int64(Int32(bitPattern: found &- UInt32(truncatingIfNeeded: newestBucket)))
            }
            page += 1
        }
        return nil
    }

    /// All entries.
    func read() throws(StateError) -> [SpilledID] {
        try withEntries(0, count) { Array($0) }
    }

    private func withEntries<Result>(
        _ first: Int, _ size: Int, _ body: (UnsafeBufferPointer<SpilledID>) -> Result
    ) throws(StateError) -> Result {
        let buffer = UnsafeMutableBufferPointer<SpilledID>.allocate(capacity: size)
        defer { buffer.deallocate() }
        try file.read(UnsafeMutableRawBufferPointer(buffer), at: start + first * MemoryLayout<SpilledID>.stride)
        return body(UnsafeBufferPointer(buffer))
    }

    private func block(of key: UInt64) -> UnsafeMutablePointer<UInt64> {
        blocks + Int(truncatingIfNeeded: (((key << IDTable.numberBits) >> 32) &* UInt64(truncatingIfNeeded: blockCount)) >> 32) * 8
    }

    /// 54 bits that the place of the block does not depend on.
    private static func bits(_ key: UInt64, _ tail: UInt32) -> UInt64 {
        let mixed = (UInt64(tail) << 24 | key & 0xFF_FFFF) &* 0x9E37_79B9_7F4A_7C15
        return mixed ^ mixed >> 29
    }
}
