import Foundation
import JobFile
import State

/// What the checkpoint of a task holds: read from the storage and the group's committed offset alone.
package struct StateReport: Sendable {
    /// What one transform or sink keeps.
    package struct Part: Equatable, Sendable {
        package var name: String
        package var fingerprint: String
        /// Entries: for windows a key (or a key's window) each, for `dedupe` the ids of an epoch each, for Parquet the rows of an epoch.
        package var entries: Int
        /// Keys and values, bytes.
        package var bytes: Int
    }

    package var committed: CommittedTask
    /// Of the deltas above the snapshot, bytes in the storage.
    package var deltaBytes: Int
    /// Of the snapshot's files, bytes; nil when there is none.
    package var snapshotBytes: Int?
    package var parts: [Part]

    /// Microseconds since 1970 UTC; nil before the first record.
    package var watermark: Int64? {
        committed.tip.header.watermarks[committed.partition.topic].flatMap { $0 == EventTimeRange.noWatermark ? nil : $0 }
    }

    /// The savepoint that the state came from.
    package var savepoint: String? { StateRegistry(extras: committed.tip.header.extras).savepoint?.description }

    /// Builds the state in `scratch`, which must not be there and is removed again, and counts what is in it.
    package init(_ committed: CommittedTask, job: String, in storage: any CheckpointStorage, scratch: String) throws(StateError) {
        self.committed = committed
        let home = Home(directory: scratch, job: job, task: committed.task.name, timed: [], cache: HomeCache(bytes: 8 << 20))
        defer { try? home.remove() }
        if let snapshot = committed.snapshot {
            try storage.getDirectory(snapshot.name, to: scratch)
            snapshotBytes = Self.byteCount(ofFilesIn: scratch)
        }
        try home.apply(committed.deltas)
        deltaBytes = committed.deltas.reduce(0) { $0 + $1.bytes.count }
        parts = []
        for component in StateRegistry(extras: committed.tip.header.extras).stored.values.sorted(by: { $0.namespace < $1.namespace }) {
            var part = Part(name: component.name, fingerprint: component.fingerprint, entries: 0, bytes: 0)
            for offset in 0..<StateRegistry.namespacesEach {
                try home.scan(component.namespace + offset) { key, value in
                    if offset == 0 { part.entries += 1 }
                    part.bytes += key.count + value.count
                    return true
                }
            }
            parts.append(part)
        }
    }

    private static func byteCount(ofFilesIn directory: String) -> Int {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return files.reduce(0) { sum, file in
            let attributes = try? FileManager.default.attributesOfItem(atPath: "\(directory)/\(file)")
            return sum + ((attributes?[.size] as? Int) ?? 0)
        }
    }
}
