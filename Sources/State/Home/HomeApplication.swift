/// One call of `Home.apply`: gathers changes into runs, writes each as sorted files, and has the database take those in.
final class HomeApplication {
    /// Above this many keys below a deleted prefix, one range deletion is cheaper than that many deletions. Below it is not: every
    /// read has to pass the range deletions that are there, and closed windows make a great many.
    private static let rangeDeletionThreshold = 64

    private let home: Home
    private let database: RocksDatabase
    /// By timed namespace: what ends at or before this has been closed.
    private let dueByNamespace: [UInt16: Int64]
    private var run: SortedRun
    private var timers: SortedRun
    private var files = 0

    /// - Parameter watermark: the operators' after the last delta, their lateness not taken off.
    init(home: Home, database: RocksDatabase, watermark: Int64?) {
        self.home = home
        self.database = database
        var due: [UInt16: Int64] = [:]
        for timed in home.timed {
            let (end, overflow) = (watermark ?? .min).subtractingReportingOverflow(timed.lateness)
            due[timed.namespace] = overflow ? .min : end
        }
        self.dueByNamespace = due
        run = SortedRun(byteCapacity: home.runByteCount)
        timers = SortedRun(byteCapacity: home.timed.isEmpty ? 0 : home.runByteCount / 4)
    }

    /// What ended by the last delta's watermark was closed in one of these epochs, whose deltas hold what became of it.
    func deleteDueTimers() throws(StateError) {
        let batch = RocksBatch()
        for (namespace, due) in dueByNamespace where due > .min {
            guard try home.firstTimer(namespace).map({ $0 <= due }) ?? false else { continue }
            batch.deleteRange(from: HomeKeys.timer(namespace, .min), to: HomeKeys.timersEnd(namespace, due))
        }
        if batch.count > 0 { try database.write(batch) }
    }

    func add(_ change: Change, of header: DeltaHeader) throws(StateError) {
        if run.isFull(for: change) { try writeRun() }
        if change.kind == .put, dueByNamespace[change.namespace] != nil, change.value.count < 8 {
            throw StateError(
                .damaged, home.directory,
                "epoch \(header.reference.epoch): a value of \(change.value.count) bytes in namespace \(change.namespace), where 8 for a window's end come first",
                remedy: "this is a defect of the program that wrote the delta: report it")
        }
        run.append(change)
    }

    /// Deletes the run's prefixes, then takes in its newest changes as sorted files.
    func writeRun() throws(StateError) {
        guard !run.isEmpty else { return }
        try delete(run.prefixes())
        var main: RocksTableWriter?
        var timerFiles: [String] = []
        try run.forEachNewest { (namespace, key, value) throws(StateError) in
            if main == nil { main = try makeWriter() }
            guard let writer = main else { return }
            guard let value else { return try writer.delete(key) }
            try writer.put(key, value)
            guard let due = dueByNamespace[namespace] else { return }
            let end = Int64(bigEndian: value.loadUnaligned(as: Int64.self))
            if end > due { try addTimer(namespace, end, key, &timerFiles) }
        }
        try writeTimers(&timerFiles)
        try main?.finish()
        // Timer files may overlap each other; the database takes them in in this order.
        for file in timerFiles { try database.ingest([file]) }
        if let main { try database.ingest([main.file]) }
        run.removeAll()
    }

    private func addTimer(
        _ namespace: UInt16, _ end: Int64, _ key: UnsafeRawBufferPointer, _ files: inout [String]
    ) throws(StateError) {
        var timer = Array(HomeKeys.timer(namespace, end)[2...])
        timer.append(contentsOf: key[2...])
        try timer.span.bytes.withUnsafeBytes { (timer) throws(StateError) in
            let change = Change(
                kind: .put, namespace: StateNamespace.timers, key: timer, value: UnsafeRawBufferPointer(start: nil, count: 0))
            if timers.isFull(for: change) { try writeTimers(&files) }
            timers.append(change)
        }
    }

    private func writeTimers(_ files: inout [String]) throws(StateError) {
        guard !timers.isEmpty else { return }
        let writer = try makeWriter()
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        try timers.forEachNewest { (_, key, _) throws(StateError) in try writer.put(key, nothing) }
        try writer.finish()
        files.append(writer.file)
        timers.removeAll()
    }

    private func makeWriter() throws(StateError) -> RocksTableWriter {
        files += 1
        return try database.makeTableWriter("\(home.runDirectory)/\(files).sst")
    }

    /// A whole namespace goes, perhaps one of which the home no longer knows that it was timed.
    private func deleteTimers(of namespace: UInt16, in batch: RocksBatch) {
        batch.deleteRange(from: HomeKeys.timer(namespace, .min), to: HomeKeys.timersEnd(namespace, .max))
    }

    private func delete(_ prefixes: [[UInt8]]) throws(StateError) {
        guard let first = prefixes.first else { return }
        let batch = RocksBatch()
        let cursor = database.cursor(from: first, below: nil, fillsCache: false)
        for prefix in prefixes {
            if prefix.count == 2 { deleteTimers(of: UInt16(prefix[0]) << 8 | UInt16(prefix[1]), in: batch) }
            cursor.seek(prefix)
            var keys: [[UInt8]] = []
            while cursor.isValid, keys.count <= Self.rangeDeletionThreshold, cursor.key.starts(with: prefix) {
                keys.append(Array(cursor.key))
                cursor.next()
            }
            if !cursor.isValid { try cursor.checkEnd() }
            if keys.count > Self.rangeDeletionThreshold, let end = HomeKeys.successor(of: prefix) {
                batch.deleteRange(from: prefix, to: end)
            } else {
                for key in keys { key.withUnsafeBytes { batch.delete($0) } }
            }
            if batch.count >= 1_024 {
                try database.write(batch)
                batch.removeAll()
            }
        }
        if batch.count > 0 { try database.write(batch) }
    }
}
