import Batch

/// The ids first seen since the last freeze, in chunks of one bucket each.
struct PendingIDs {
    struct Chunk {
        let bucket: Int64
        /// Among the chunks of the bucket.
        let number: Int
        var hashes: [Hash128] = []
    }

    static let idsPerChunk = 4_096

    private var chunks: [Chunk] = []
    /// The last chunk of each bucket.
    private var last: [Int64: Int] = [:]
    private var current = 0
    private var count = 0

    /// Bytes.
    var memory: Int { count * MemoryLayout<Hash128>.stride }

    @inline(__always)
    mutating func append(_ hash: Hash128, bucket: Int64) {
        if current >= chunks.count || chunks[current].bucket != bucket || chunks[current].hashes.count == Self.idsPerChunk { select(bucket) }
        chunks[current].hashes.append(hash)
        count += 1
    }

    private mutating func select(_ bucket: Int64) {
        let before = last[bucket]
        if let before, chunks[before].hashes.count < Self.idsPerChunk {
            current = before
            return
        }
        current = chunks.count
        last[bucket] = current
        var chunk = Chunk(bucket: bucket, number: before.map { chunks[$0].number + 1 } ?? 0)
        // Where there was one chunk there will be more.
        if before != nil { chunk.hashes.reserveCapacity(Self.idsPerChunk) }
        chunks.append(chunk)
    }

    /// All of them, by descending bucket and number; none are left.
    mutating func take() -> [Chunk] {
        defer { self = PendingIDs() }
        return chunks.sorted { ($0.bucket, $0.number) > ($1.bucket, $1.number) }
    }
}

/// The ids of an epoch that has ended, on their way to its changes.
struct FrozenIDs {
    let epoch: Int
    let changes: EpochChanges
    /// Those that are left, the next one last.
    var chunks: [PendingIDs.Chunk]

    /// Bytes.
    var memory: Int { chunks.reduce(0) { $0 + $1.hashes.count } * MemoryLayout<Hash128>.stride }
}
