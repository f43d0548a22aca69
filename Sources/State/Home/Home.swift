/// The home of a task's whole state in RocksDB.
///
/// Reads may come from one thread while `apply` runs on another.
package final class Home: Sendable {
    /// A namespace whose values begin with the earliest end of their windows: 8 bytes, big-endian Int64, microseconds.
    package struct TimedNamespace: Hashable, Sendable {
        package var namespace: UInt16
        /// How far the operator's own watermark is behind the one in the delta's header, microseconds (its allowed lateness and
        /// those of the operators before it).
        package var lateness: Int64

        package init(namespace: UInt16, lateness: Int64) {
            self.namespace = namespace
            self.lateness = lateness
        }
    }

    /// Touches nothing on disk: the database is opened by the first call that needs it, and made by the first `apply`.
    package init(directory: String, job: String, task: String, timed: [TimedNamespace], cache: HomeCache) {}

    /// Nothing has ever been applied.
    package var isEmpty: Bool { get throws(StateError) { preconditionFailure("skeleton") } }

    /// The delta up to which the home is complete; nil when it is empty.
    package func completeTo() throws(StateError) -> DeltaReference? { preconditionFailure("skeleton") }

    /// Looks up many keys in one call. `body` is called once a key, in the order of `keys`, with its position and its value,
    /// nil when there is none; the value is good during the call.
    package func multiGet(
        _ namespace: UInt16, _ keys: [UnsafeRawBufferPointer], areSorted: Bool = false,
        _ body: (Int, UnsafeRawBufferPointer?) -> Void
    ) throws(StateError) { preconditionFailure("skeleton") }

    /// The keys of a timed namespace with an entry for an end at or before `end`, by (end, key). Entries may be stale: the
    /// key's value says what holds. `body` returns whether to go on; the key is good during the call.
    package func scanTimers(
        _ namespace: UInt16, upTo end: Int64, _ body: (_ end: Int64, _ key: UnsafeRawBufferPointer) -> Bool
    ) throws(StateError) { preconditionFailure("skeleton") }

    /// The smallest end above `end` among the timers of a namespace (stale ones too); nil when there is none.
    package func firstTimer(_ namespace: UInt16, after end: Int64 = .min) throws(StateError) -> Int64? { preconditionFailure("skeleton") }

    /// Every entry whose key begins with `prefix`, by key. `body` returns whether to go on; key (without the namespace) and value are good during the call.
    package func scan(
        _ namespace: UInt16, prefix: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool
    ) throws(StateError) { preconditionFailure("skeleton") }

    /// Applies deltas, oldest first, each the child of the one before; durable when it returns. One at a time.
    package func apply(_ deltas: [DeltaFile]) throws(StateError) { preconditionFailure("skeleton") }

    /// A consistent copy in `directory`, which must not exist: files hard-linked where the file system allows.
    package func checkpoint(to directory: String) throws(StateError) { preconditionFailure("skeleton") }

    /// Closes the database when the calls under way are over. A later call opens it again.
    package func close() {}
}

/// What the homes of a process share: block cache.
package final class HomeCache: Sendable {
    package init(bytes: Int) {}
}
