/// When which spilled chain may be due: like `EventTimers`, but all beyond the next bucket lies in a scratch file, but for a part of a
/// page a bucket.
///
/// An entry is void when its chain is no longer where it says: to be found out by whoever takes it.
struct SpilledTimers: ~Copyable {
    struct Entry: BitwiseCopyable {
        var end: Int64
        var hash: UInt64
        /// Where the chain is, in `SpilledChains`.
        var number: UInt32
        var padding: UInt32 = 0
    }

    private struct Bucket {
        var entries: UnsafeMutablePointer<Entry>?
        var count = 0
        var capacity = 0
        /// Full pages of it in the file.
        var pages: [UInt32] = []

        /// - Returns: the bytes that it takes more than before.
        mutating func append(_ entry: Entry) -> Int {
            let before = capacity
            if count == capacity {
                capacity = min(max(capacity * 2, SpilledTimers.capacityMin), SpilledTimers.pageEntries)
                let fresh = UnsafeMutablePointer<Entry>.allocate(capacity: capacity)
                if let entries { fresh.update(from: entries, count: count) }
                entries?.deallocate()
                entries = fresh
            }
            entries?[count] = entry
            count += 1
            return (capacity - before) * MemoryLayout<Entry>.stride
        }
    }

    private static let pageBytes = 4_096
    private static let pageEntries = pageBytes / MemoryLayout<Entry>.stride
    private static let capacityMin = 8

    /// Microseconds of one bucket.
    private let width: Int64
    private let directory: String
    private var file: SpillFile?
    private var freePages = RawList<UInt32>(capacity: 1)
    private var nextPage: UInt32 = 0
    private var buckets: [Int64: Bucket] = [:]
    /// Everything up to here is in `near`.
    private var current: Int64?
    private var near = RawList<Entry>(capacity: 1)
    private var earliest = Int64.max
    private var bufferedBytes = 0

    init(width: Int64, directory: String) {
        self.width = width
        self.directory = directory
    }

    deinit { for bucket in buckets.values { bucket.entries?.deallocate() } }

    /// In memory.
    var bytes: Int { near.bytes + freePages.bytes + bufferedBytes + buckets.capacity * 48 }

    private func bucket(of end: Int64) -> Int64 {
        let quotient = end / width
        return end % width < 0 ? quotient - 1 : quotient
    }

    mutating func register(_ hash: UInt64, _ number: UInt32, end: Int64) throws(StateError) {
        let entry = Entry(end: end, hash: hash, number: number)
        let bucket = bucket(of: end)
        if let current, bucket <= current {
            near.append(entry)
            earliest = min(earliest, end)
            return
        }
        if let count = buckets[bucket]?.count, count == Self.pageEntries { try writePage(of: bucket) }
        bufferedBytes += buckets[bucket, default: Bucket()].append(entry)
    }

    private mutating func writePage(of bucket: Int64) throws(StateError) {
        guard let entries = buckets[bucket]?.entries else { return }
        if file == nil { file = try SpillFile(directory: directory, name: "timers.spill") }
        let page = freePages.count > 0 ? freePages[freePages.count - 1] : nextPage
        try file?.write(UnsafeRawBufferPointer(start: entries, count: Self.pageEntries * MemoryLayout<Entry>.stride), at: Int(page) * Self.pageBytes)
        if freePages.count > 0 { freePages.count -= 1 } else { nextPage += 1 }
        buckets[bucket]?.pages.append(page)
        buckets[bucket]?.count = 0
    }

    /// Moves every entry with end <= `watermark` to the end of `due`, in no particular order.
    mutating func takeDue(upTo watermark: Int64, into due: inout RawList<Entry>) throws(StateError) {
        let target = bucket(of: watermark)
        if current.map({ target > $0 }) ?? true {
            for reached in buckets.keys.filter({ $0 <= target }) { try moveNear(reached) }
            current = target
        }
        guard earliest <= watermark else { return }
        var kept = 0
        earliest = .max
        for position in 0..<near.count {
            let entry = near[position]
            if entry.end <= watermark {
                due.append(entry)
            } else {
                near[kept] = entry
                kept += 1
                earliest = min(earliest, entry.end)
            }
        }
        near.count = kept
        if kept == 0 { near = RawList(capacity: 1) }
    }

    private mutating func moveNear(_ reached: Int64) throws(StateError) {
        guard let bucket = buckets[reached] else { return }
        let before = near.count
        near.reserve(near.count + bucket.pages.count * Self.pageEntries + bucket.count)
        for page in bucket.pages {
            let room = UnsafeMutableRawBufferPointer(start: near.base + near.count, count: Self.pageEntries * MemoryLayout<Entry>.stride)
            do throws(StateError) {
                try file?.read(room, at: Int(page) * Self.pageBytes)
            } catch {
                near.count = before
                throw error
            }
            near.count += Self.pageEntries
        }
        if let entries = bucket.entries { near.append(entries, count: bucket.count) }
        for position in before..<near.count { earliest = min(earliest, near[position].end) }
        for page in bucket.pages { freePages.append(page) }
        bufferedBytes -= bucket.capacity * MemoryLayout<Entry>.stride
        bucket.entries?.deallocate()
        buckets[reached] = nil
    }
}
