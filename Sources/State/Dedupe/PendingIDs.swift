import Batch

/// The ids first seen since the last freeze, by bucket.
struct PendingIDs {
    private(set) var lists: [(bucket: Int64, hashes: [Hash128])] = []
    private var positions: [Int64: Int] = [:]
    private var current = 0
    private var count = 0

    /// Bytes.
    var memory: Int { count * MemoryLayout<Hash128>.stride }

    @inline(__always)
    mutating func append(_ hash: Hash128, bucket: Int64) {
        if current >= lists.count || lists[current].bucket != bucket { select(bucket) }
        lists[current].hashes.append(hash)
        count += 1
    }

    private mutating func select(_ bucket: Int64) {
        if let position = positions[bucket] {
            current = position
        } else {
            current = lists.count
            positions[bucket] = current
            lists.append((bucket, []))
        }
    }
}
