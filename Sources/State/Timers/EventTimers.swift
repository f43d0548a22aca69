/// When which window may be due: event-time ends and the records that have them.
///
/// Ends are put into buckets of `width` microseconds; the buckets near the watermark form a ring, those further away
/// are kept by lap of the ring and spread out when it comes round. Registering is an append.
///
/// An end that moves on is not registered again at once: an entry is a lower bound, and when it is due its owner looks at
/// the record, and registers it once more if its end is later. An entry whose record is gone, or registered under
/// another end, is void. So a window costs one entry for every `gap` or so of its life, whatever its rows.
/// Exact: `takeDue(upTo: w)` gives every entry with end <= w, and no other.
package struct EventTimers: ~Copyable {
    package struct Entry: BitwiseCopyable {
        package var end: Int64
        package var record: UInt32
        var padding: UInt32 = 0
    }

    private struct Bucket: BitwiseCopyable {
        var entries: UnsafeMutablePointer<Entry>?
        var count = 0
        var capacity = 0
        /// Smallest end in it; meaningful when it is not empty.
        var earliest = Int64.max
    }

    private static let ringBits: Int64 = 10
    private static let ringSize = 1 << Int(ringBits)
    private static let ringMask = Int64(ringSize - 1)

    /// Microseconds of one bucket.
    package let width: Int64
    private let ring: UnsafeMutablePointer<Bucket>
    /// Entries whose bucket is not in the ring, by lap (bucket number / ring size).
    private var far: [Int64: [Entry]] = [:]
    /// The bucket of the latest watermark seen; the ring holds the buckets from here on. Nothing before the first.
    private var current: Int64?
    /// Entries, void ones included.
    package private(set) var count = 0
    private var capacity = 0

    package init(width: Int64) {
        precondition(width > 0, "a bucket has a width")
        self.width = width
        ring = .allocate(capacity: Self.ringSize)
        ring.initialize(repeating: Bucket(), count: Self.ringSize)
    }

    deinit {
        for index in 0..<Self.ringSize { ring[index].entries?.deallocate() }
        ring.deallocate()
    }

    package var bytes: Int {
        (capacity + far.values.reduce(0) { $0 + $1.capacity }) * MemoryLayout<Entry>.stride
            + Self.ringSize * MemoryLayout<Bucket>.stride
    }

    private func bucket(of end: Int64) -> Int64 {
        let quotient = end / width
        return end % width < 0 ? quotient - 1 : quotient
    }

    /// `end` is after every watermark that `takeDue` was called with.
    package mutating func register(_ record: UInt32, end: Int64) {
        count += 1
        place(Entry(end: end, record: record))
    }

    private mutating func place(_ entry: Entry) {
        let bucket = bucket(of: entry.end)
        if let current, bucket &- current >= 0, bucket &- current < Int64(Self.ringSize) {
            append(entry, to: ring + Int(bucket & Self.ringMask))
        } else {
            far[bucket >> Self.ringBits, default: []].append(entry)
        }
    }

    private mutating func append(_ entry: Entry, to bucket: UnsafeMutablePointer<Bucket>) {
        if bucket.pointee.count == bucket.pointee.capacity {
            resize(bucket, to: max(16, bucket.pointee.capacity * 2))
        }
        bucket.pointee.entries![bucket.pointee.count] = entry
        bucket.pointee.count += 1
        bucket.pointee.earliest = min(bucket.pointee.earliest, entry.end)
    }

    /// Forgets the entries that `isVoid`.
    package mutating func removeAll(where isVoid: (Entry) -> Bool) {
        for index in 0..<Self.ringSize { removeAll(in: ring + index, where: isVoid) }
        for lap in far.keys {
            count -= far[lap]?.count ?? 0
            far[lap] = far[lap]?.filter { !isVoid($0) }
            count += far[lap]?.count ?? 0
        }
    }

    private mutating func removeAll(in bucket: UnsafeMutablePointer<Bucket>, where isVoid: (Entry) -> Bool) {
        guard let entries = bucket.pointee.entries else { return }
        var kept = 0
        var earliest = Int64.max
        for position in 0..<bucket.pointee.count where !isVoid(entries[position]) {
            entries[kept] = entries[position]
            kept += 1
            earliest = min(earliest, entries[position].end)
        }
        count -= bucket.pointee.count - kept
        settle(bucket, kept, earliest)
        if kept > 0, kept * 2 < bucket.pointee.capacity { resize(bucket, to: max(16, kept)) }
    }

    /// To at least what it holds.
    private mutating func resize(_ bucket: UnsafeMutablePointer<Bucket>, to larger: Int) {
        let fresh = UnsafeMutablePointer<Entry>.allocate(capacity: larger)
        if let old = bucket.pointee.entries {
            fresh.update(from: old, count: bucket.pointee.count)
            old.deallocate()
        }
        capacity += larger - bucket.pointee.capacity
        bucket.pointee.entries = fresh
        bucket.pointee.capacity = larger
    }

    /// Keeps the first `kept` entries of a bucket.
    private mutating func settle(_ bucket: UnsafeMutablePointer<Bucket>, _ kept: Int, _ earliest: Int64) {
        bucket.pointee.count = kept
        bucket.pointee.earliest = earliest
        if kept == 0 {
            bucket.pointee.entries?.deallocate()
            capacity -= bucket.pointee.capacity
            bucket.pointee = Bucket()
        }
    }

    /// Moves every entry with end <= `watermark` to the end of `due`, in no particular order.
    package mutating func takeDue(upTo watermark: Int64, into due: inout RawList<Entry>) {
        let target = bucket(of: watermark)
        let before = due.count
        if let current {
            guard target >= current else { return }
            let (distance, isFar) = target.subtractingReportingOverflow(current)
            let passed = isFar ? Int64(Self.ringSize) : min(distance, Int64(Self.ringSize))
            for bucket in current..<current + passed { take(ring + Int(bucket & Self.ringMask), upTo: watermark, into: &due) }
        }
        if current == nil || target != current { advance(to: target, watermark, &due) }
        take(ring + Int(target & Self.ringMask), upTo: watermark, into: &due)
        count -= due.count - before
    }

    /// The ring begins at `target` now: spreads out the laps that it has reached.
    private mutating func advance(to target: Int64, _ watermark: Int64, _ due: inout RawList<Entry>) {
        current = target
        guard !far.isEmpty else { return }
        let lap = target >> Self.ringBits
        for reached in far.keys.filter({ $0 <= lap }) {
            for entry in far.removeValue(forKey: reached) ?? [] {
                if entry.end <= watermark { due.append(entry) } else { place(entry) }
            }
        }
    }

    private mutating func take(
        _ bucket: UnsafeMutablePointer<Bucket>, upTo watermark: Int64, into due: inout RawList<Entry>
    ) {
        guard bucket.pointee.count > 0, bucket.pointee.earliest <= watermark, let entries = bucket.pointee.entries else {
            return
        }
        var kept = 0
        var earliest = Int64.max
        for position in 0..<bucket.pointee.count {
            let entry = entries[position]
            if entry.end <= watermark {
                due.append(entry)
            } else {
                entries[kept] = entry
                kept += 1
                earliest = min(earliest, entry.end)
            }
        }
        settle(bucket, kept, earliest)
    }
}
