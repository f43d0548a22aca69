import Batch

// What is persisted (the format does not change): for every epoch and bucket the ids first seen then, up to 4,096 a value.
//
// Key: bucket, 8 bytes big-endian with the sign bit flipped; epoch, 8 bytes big-endian; number of the chunk, 4 bytes big-endian.
// Value: the hashes, 16 bytes each, low half before high half, little-endian.
// A forgotten bucket is the deletion of its prefix.
extension DedupeSet {
    static let idsPerChunk = 4_096
    private static let keyCount = 20

    /// Appends the ids first seen since the last freeze, and the deletion of the buckets that are over at `watermark`: the task's, which no
    /// later row's is below.
    package func freeze(epoch: Int, watermark: Int64, into changes: inout ChangeSet) {
        let before = clock.oldest
        clock.advance(to: watermark)
        freeIfFar(from: before, to: clock.oldest)
        let forgotten = persisted.filter { $0 < clock.oldest }
        for bucket in forgotten.sorted() {
            withUnsafeBytes(of: Self.order(bucket).bigEndian) { changes.deletePrefix(namespace, prefix: $0) }
        }
        persisted.subtract(forgotten)
        for (bucket, hashes) in pending.lists.sorted(by: { $0.bucket < $1.bucket }) where bucket >= clock.oldest {
            persisted.insert(bucket)
            for (chunk, start) in stride(from: 0, to: hashes.count, by: Self.idsPerChunk).enumerated() {
                let end = min(start + Self.idsPerChunk, hashes.count)
                changes.put(namespace, keyCount: Self.keyCount, valueCount: (end - start) * 16) { key, value in
                    key.storeBytes(of: Self.order(bucket).bigEndian, as: UInt64.self)
                    key.storeBytes(of: UInt64(bitPattern: Int64(epoch)).bigEndian, toByteOffset: 8, as: UInt64.self)
                    key.storeBytes(of: UInt32(chunk).bigEndian, toByteOffset: 16, as: UInt32.self)
                    for index in start..<end {
                        value.storeBytes(of: hashes[index].low.littleEndian, toByteOffset: (index - start) * 16, as: UInt64.self)
                        value.storeBytes(of: hashes[index].high.littleEndian, toByteOffset: (index - start) * 16 + 8, as: UInt64.self)
                    }
                }
            }
        }
        pending = PendingIDs()
    }

    /// Remembers again what a change of this namespace holds: for recovery, oldest delta first, into a set that has seen no rows.
    package func load(_ change: Change) throws(StateError) {
        switch change.kind {
        case .put:
            guard change.key.count == Self.keyCount, change.value.count % 16 == 0 else { throw damaged(change) }
            let bucket = Self.bucket(of: change.key)
            let count = change.value.count / 16
            let hashes = UnsafeMutableBufferPointer<Hash128>.allocate(capacity: count)
            defer { hashes.deallocate() }
            for index in 0..<count {
                let low = UInt64(littleEndian: change.value.loadUnaligned(fromByteOffset: index * 16, as: UInt64.self))
                let high = UInt64(littleEndian: change.value.loadUnaligned(fromByteOffset: index * 16 + 8, as: UInt64.self))
                hashes.initializeElement(at: index, to: Hash128(low: low, high: high))
            }
            persisted.insert(bucket)
            try remember(UnsafeBufferPointer(hashes), bucket: bucket)
        case .deletePrefix:
            guard change.key.count == 8 else { throw damaged(change) }
            let bucket = Self.bucket(of: change.key)
            persisted.remove(bucket)
            let before = clock.oldest
            clock.forget(before: bucket == .max ? bucket : bucket + 1)
            freeIfFar(from: before, to: clock.oldest)
        case .delete:
            throw damaged(change)
        }
    }

    /// Remembers again what the home holds: for recovery, before the deltas that came after it.
    package func load(from home: Home) throws(StateError) {
        try home.scan(namespace) { (key, value) throws(StateError) in
            try load(Change(kind: .put, namespace: namespace, key: key, value: value))
            return true
        }
    }

    private static func order(_ bucket: Int64) -> UInt64 { UInt64(bitPattern: bucket) ^ 1 << 63 }

    private static func bucket(of key: UnsafeRawBufferPointer) -> Int64 {
        Int64(bitPattern: UInt64(bigEndian: key.loadUnaligned(as: UInt64.self)) ^ 1 << 63)
    }

    private func damaged(_ change: Change) -> StateError {
        StateError(
            .damaged, "namespace \(change.namespace)",
            "an entry with a key of \(change.key.count) and a value of \(change.value.count) bytes is none of remembered ids",
            remedy: "the numbers of namespaces and the job file do not fit each other: this is a defect, report it")
    }
}
