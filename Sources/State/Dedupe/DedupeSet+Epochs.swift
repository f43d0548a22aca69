import Batch

// What is persisted (the format does not change): for every epoch and bucket the ids first seen then, up to 4,096 a value.
//
// Key: bucket, 8 bytes big-endian with the sign bit flipped; epoch, 8 bytes big-endian; number of the chunk, 4 bytes big-endian.
// Value: the hashes, 16 bytes each, low half before high half, little-endian.
// A forgotten bucket is the deletion of its prefix.
extension DedupeSet {
    private static let keyCount = 20

    /// Ends the open epoch: the ids first seen since the last belong to `epoch`, and `continueFreeze` appends them to `changes`. The deletion
    /// of the buckets that are over at `watermark` is appended here: the task's, which no later row's is below.
    package func beginFreeze(epoch: Int, watermark: Int64, into changes: EpochChanges) {
        precondition(frozen == nil, "one epoch is frozen before the next ends")
        clock.advance(to: watermark)
        noteAll()
        let forgotten = persisted.filter { $0 < clock.oldest }
        for bucket in forgotten.sorted() {
            withUnsafeBytes(of: Self.order(bucket).bigEndian) { changes.changes.deletePrefix(namespace, prefix: $0) }
        }
        persisted.subtract(forgotten)
        let chunks = pending.take().filter { $0.bucket >= clock.oldest }
        for chunk in chunks { persisted.insert(chunk.bucket) }
        frozen = FrozenIDs(epoch: epoch, changes: changes, chunks: chunks)
    }

    /// Appends some of the ids of the epoch that has ended.
    /// - Parameter budget: how much: 1 for every 256 bytes. What that takes is taken off.
    /// - Returns: false when something is left for the next call.
    package func continueFreeze(budget: inout Int) -> Bool {
        while budget > 0, let chunk = frozen?.chunks.popLast(), let epoch = frozen?.epoch {
            budget -= 1 + chunk.hashes.count * 16 / 256
            chunk.hashes.withUnsafeBytes { hashes in
                frozen?.changes.changes.put(namespace, keyCount: Self.keyCount, valueCount: hashes.count) { key, value in
                    key.storeBytes(of: Self.order(chunk.bucket).bigEndian, as: UInt64.self)
                    key.storeBytes(of: UInt64(bitPattern: Int64(epoch)).bigEndian, toByteOffset: 8, as: UInt64.self)
                    key.storeBytes(of: UInt32(chunk.number).bigEndian, toByteOffset: 16, as: UInt32.self)
                    Self.copy(hashes, to: value)
                }
            }
        }
        guard frozen?.chunks.isEmpty ?? true else { return false }
        frozen = nil
        return true
    }

    private static func copy(_ hashes: UnsafeRawBufferPointer, to value: UnsafeMutableRawBufferPointer) {
        #if _endian(little)
            value.copyMemory(from: hashes)
        #else
            for offset in stride(from: 0, to: hashes.count, by: 8) {
                value.storeBytes(of: hashes.loadUnaligned(fromByteOffset: offset, as: UInt64.self).littleEndian, toByteOffset: offset, as: UInt64.self)
            }
        #endif
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
            clock.forget(before: bucket == .max ? bucket : bucket + 1)
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
