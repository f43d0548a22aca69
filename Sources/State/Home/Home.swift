import Synchronization

/// The home of a task's whole state in RocksDB: fed from the deltas of committed epochs, many at a time, never ahead of what Kafka committed.
///
/// It is a cache of snapshot and deltas: removing it costs time, never data. Reads come from the task's worker while `apply`
/// runs on a background thread. A read sees, of the deltas being applied, some changes or none: the worker only asks for keys that
/// have not changed since the last application that it was told of.
package final class Home: Sendable {
    /// A namespace whose values begin with the earliest end of their windows: 8 bytes, big-endian Int64, microseconds.
    package struct TimedNamespace: Hashable, Sendable {
        package var namespace: UInt16
        /// How far the operator's own watermark is behind the least of a delta's header, microseconds: its allowed lateness and those of
        /// the operators before it. What ends at or before the operator's watermark at an epoch is closed in that epoch.
        package var lateness: Int64

        package init(namespace: UInt16, lateness: Int64) {
            self.namespace = namespace
            self.lateness = lateness
        }
    }

    private struct State {
        var database: RocksDatabase?
        var mark: HomeMark?
        var isExamined = false
    }

    package let directory: String
    let job: String
    let task: String
    let timed: [TimedNamespace]
    let runByteCount: Int
    let cache: HomeCache
    private let state = Mutex(State())
    /// Held by the one application at a time.
    let applying = Mutex(())

    /// Touches nothing on disk: the database is opened by the first call that needs it and made by the first `apply`.
    /// - Parameter runByteCount: how much memory `apply` takes for what it sorts.
    package init(
        directory: String, job: String, task: String, timed: [TimedNamespace], cache: HomeCache, runByteCount: Int = 64 << 20
    ) {
        self.directory = directory
        self.job = job
        self.task = task
        self.timed = timed
        self.cache = cache
        self.runByteCount = runByteCount
    }

    /// The delta up to which the home is complete; nil when nothing has been applied yet.
    ///
    /// Not enough to trust it: see `usable`.
    package func completeTo() throws(StateError) -> DeltaReference? {
        try examine().mark?.completeTo
    }

    package var isEmpty: Bool {
        get throws(StateError) { try examine().mark == nil }
    }

    /// The delta up to which the home is complete, provided that whatever is in it is on the committed chain: also what an application
    /// that did not come to its end has brought. Nil when it is empty or may not be used; then `remove` it and restore.
    package func usable(isOnChain: (DeltaReference) -> Bool) throws(StateError) -> DeltaReference? {
        guard let mark = try examine().mark, isOnChain(mark.completeTo) else { return nil }
        if let applying = mark.applying, !isOnChain(applying) { return nil }
        return mark.completeTo
    }

    /// Closes the database when the calls under way are over. A later call opens it again.
    package func close() {
        state.withLock { $0 = State() }
    }

    /// Removes all of it from the disk. No other call may be under way.
    package func remove() throws(StateError) {
        close()
        try Files.remove(runDirectory)
        try Files.remove(directory)
    }

    /// A consistent copy of the database in `directory`, which must not exist while the one above it does. Table files are hard-linked where
    /// the file system allows it.
    package func checkpoint(to directory: String) throws(StateError) {
        guard let database = try examine().database else {
            throw StateError(
                .missing, self.directory, "nothing has been applied to the local state, so there is nothing to copy",
                remedy: "take a snapshot after the first epoch has been applied")
        }
        try database.checkpoint(to: directory)
    }

    /// Keys of all namespaces, about; entries by window end included.
    package var estimatedKeys: Int {
        get throws(StateError) { try examine().database?.property("rocksdb.estimate-num-keys") ?? 0 }
    }

    /// What its files take, bytes.
    package var byteCount: Int {
        get throws(StateError) { try examine().database?.property("rocksdb.total-sst-files-size") ?? 0 }
    }

    /// Where sorted files are written before the database takes them in: on the same file system.
    var runDirectory: String { directory + ".runs" }

    /// Where scratch files of the task's operators go.
    package var spillDirectory: String { directory + ".spill" }

    /// The database, if there is one on disk, and its mark.
    func examine() throws(StateError) -> (database: RocksDatabase?, mark: HomeMark?) {
        try state.withLock { (state) throws(StateError) in
            if !state.isExamined {
                if try Files.status("\(directory)/CURRENT") != nil {
                    let database = try RocksDatabase(opening: directory, create: false, cache: cache)
                    if let bytes = try database.get(HomeMark.key) {
                        state.mark = try checked(HomeMark(decoding: bytes, place: directory))
                        state.database = database
                    }
                    // Without a mark, what is there is of a first application that did not come to its end: `open` starts anew.
                }
                state.isExamined = true
            }
            return (state.database, state.mark)
        }
    }

    /// The database, made anew if there is none with a mark.
    func open() throws(StateError) -> RocksDatabase {
        if let database = try examine().database { return database }
        try Files.remove(directory)
        try Files.createDirectories(Files.parent(directory))
        let database = try RocksDatabase(opening: directory, create: true, cache: cache)
        state.withLock { $0.database = database }
        return database
    }

    /// Writes the mark and everything before it to the disk, in that order.
    func mark(_ mark: HomeMark, in database: RocksDatabase) throws(StateError) {
        let batch = RocksBatch()
        batch.put(HomeMark.key, mark.encoded())
        try database.write(batch)
        // One column family without a log: memtables reach the disk in the order of their writes, so never the mark without what
        // was written before it. Ingested files are on the disk already.
        try database.flush()
        state.withLock { if $0.database === database { $0.mark = mark } }
    }

    private func checked(_ mark: HomeMark) throws(StateError) -> HomeMark {
        guard mark.job == job, mark.task == task else {
            throw StateError(
                .foreign, directory, "the local state of job \(mark.job), task \(mark.task), where job \(job), task \(task) was expected",
                remedy: "give every job its own state directory, or remove this one: it is restored from the newest snapshot and the deltas")
        }
        return mark
    }
}
