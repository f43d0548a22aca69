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

    /// The hashes of the open one are in `open`.
    private var chunks: [Chunk] = []
    /// The last chunk of each bucket.
    private var last: [Int64: Int] = [:]
    private var current = 0
    private var open: [Hash128] = []
    private var openBucket: Int64 = 0
    /// What `open` may hold; 0 before there is an open chunk.
    private var openMax = 0
    /// Ids that are not in `open`.
    private var closedCount = 0

    /// Bytes.
    var memory: Int { (closedCount + open.count) * MemoryLayout<Hash128>.stride }

    @inline(__always)
    mutating func append(_ hash: Hash128, bucket: Int64) {
        if bucket != openBucket || open.count >= openMax { select(bucket) }
        open.append(hash)
    }

    @inline(never)
    private mutating func select(_ bucket: Int64) {
        close()
        let before = last[bucket]
        if let before, chunks[before].hashes.count < Self.idsPerChunk {
            current = before
            swap(&open, &chunks[before].hashes)
            closedCount -= open.count
        } else {
            current = chunks.count
            last[bucket] = current
            chunks.append(Chunk(bucket: bucket, number: before.map { chunks[$0].number + 1 } ?? 0))
            // Where there was one chunk there will be more.
            if before != nil { open.reserveCapacity(Self.idsPerChunk) }
        }
        openBucket = bucket
        openMax = Self.idsPerChunk
    }

    private mutating func close() {
        guard openMax > 0 else { return }
        closedCount += open.count
        swap(&open, &chunks[current].hashes)
        openMax = 0
    }

    /// All of them, by descending bucket and number; none are left.
    mutating func take() -> [Chunk] {
        close()
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
