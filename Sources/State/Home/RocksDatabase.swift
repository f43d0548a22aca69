import CRocksDB
import Glibc

/// An open RocksDB with one column family and no write-ahead log; what was written is durable after `flush`.
///
/// Closes when the last reference goes, so a call under way keeps it open.
// Sendable: RocksDB's handles may be used from many threads; the pointers never change.
final class RocksDatabase: @unchecked Sendable {
    let path: String
    private let options: OpaquePointer
    private let database: OpaquePointer
    private let family: OpaquePointer
    private let reads: OpaquePointer
    private let writes: OpaquePointer

    init(opening path: String, create: Bool, cache: HomeCache) throws(StateError) {
        self.path = path
        let options = cache.makeOptions()
        rocksdb_options_set_create_if_missing(options, create ? 1 : 0)
        var family: OpaquePointer?
        var error: UnsafeMutablePointer<CChar>?
        // The batched look-up wants a family's handle, and this call is the only one to give it (also for the default family).
        let opened = "default".withCString { name in
            withUnsafePointer(to: Optional(name)) { names in
                withUnsafePointer(to: Optional(options)) { familyOptions in
                    rocksdb_open_column_families(options, path, 1, names, familyOptions, &family, &error)
                }
            }
        }
        guard error == nil, let opened, let family else {
            rocksdb_options_destroy(options)
            throw Self.failure("open", path, error)
        }
        self.options = options
        database = opened
        self.family = family
        reads = rocksdb_readoptions_create()
        writes = rocksdb_writeoptions_create()
        rocksdb_writeoptions_disable_WAL(writes, 1)
    }

    deinit {
        rocksdb_cancel_all_background_work(database, 0)
        rocksdb_column_family_handle_destroy(family)
        rocksdb_close(database)
        rocksdb_writeoptions_destroy(writes)
        rocksdb_readoptions_destroy(reads)
        rocksdb_options_destroy(options)
    }

    func get(_ key: [UInt8]) throws(StateError) -> [UInt8]? {
        var error: UnsafeMutablePointer<CChar>?
        let slice = key.withUnsafeBytes { key in
            rocksdb_get_pinned(database, reads, key.baseAddress?.assumingMemoryBound(to: CChar.self), key.count, &error)
        }
        guard error == nil else { throw Self.failure("read", path, error) }
        guard let slice else { return nil }
        defer { rocksdb_pinnableslice_destroy(slice) }
        return Array(Self.bytes(of: slice))
    }

    /// `body` gets the position of every key and its value, in order; the value is good during the call.
    func multiGet(
        _ keys: UnsafeBufferPointer<UnsafePointer<CChar>?>, _ lengths: UnsafeBufferPointer<Int>, areSorted: Bool,
        _ body: (Int, UnsafeRawBufferPointer?) -> Void
    ) throws(StateError) {
        let count = keys.count
        guard count > 0 else { return }
        var problem: StateError?
        withUnsafeTemporaryAllocation(of: OpaquePointer?.self, capacity: count) { values in
            withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<CChar>?.self, capacity: count) { errors in
                values.initialize(repeating: nil)
                errors.initialize(repeating: nil)
                rocksdb_batched_multi_get_cf(
                    database, reads, family, count, keys.baseAddress, lengths.baseAddress, values.baseAddress, errors.baseAddress,
                    areSorted)
                for index in 0..<count {
                    if let error = errors[index] {
                        let failure = Self.failure("read", path, error)
                        problem = problem ?? failure
                    }
                    if problem == nil { body(index, values[index].map(Self.bytes(of:))) }
                    if let value = values[index] { rocksdb_pinnableslice_destroy(value) }
                }
            }
        }
        if let problem { throw problem }
    }

    /// Applies the writes of `batch`, which are then visible but not durable.
    func write(_ batch: RocksBatch) throws(StateError) {
        var error: UnsafeMutablePointer<CChar>?
        rocksdb_write(database, writes, batch.batch, &error)
        guard error == nil else { throw Self.failure("write", path, error) }
    }

    /// Makes all writes durable, in their order.
    func flush() throws(StateError) {
        let flushOptions = rocksdb_flushoptions_create()
        defer { rocksdb_flushoptions_destroy(flushOptions) }
        rocksdb_flushoptions_set_wait(flushOptions, 1)
        var error: UnsafeMutablePointer<CChar>?
        rocksdb_flush(database, flushOptions, &error)
        guard error == nil else { throw Self.failure("flush", path, error) }
    }

    /// Takes sorted table files in, by moving them; durable when it returns.
    func ingest(_ files: [String]) throws(StateError) {
        guard !files.isEmpty else { return }
        let ingestion = rocksdb_ingestexternalfileoptions_create()
        defer { rocksdb_ingestexternalfileoptions_destroy(ingestion) }
        rocksdb_ingestexternalfileoptions_set_move_files(ingestion, 1)
        let names = files.map { strdup($0) }
        defer { for name in names { free(name) } }
        var error: UnsafeMutablePointer<CChar>?
        names.map { UnsafePointer($0) }.withUnsafeBufferPointer {
            rocksdb_ingest_external_file(database, $0.baseAddress, $0.count, ingestion, &error)
        }
        guard error == nil else { throw Self.failure("take in sorted files", path, error) }
    }

    /// Writes a sorted table file that fits this database.
    func makeTableWriter(_ file: String) throws(StateError) -> RocksTableWriter {
        try RocksTableWriter(file, options)
    }

    func cursor(from lower: [UInt8], below upper: [UInt8]?, fillsCache: Bool) -> RocksCursor {
        RocksCursor(self, database, from: lower, below: upper, fillsCache: fillsCache)
    }

    func checkpoint(to directory: String) throws(StateError) {
        var error: UnsafeMutablePointer<CChar>?
        let checkpoint = rocksdb_checkpoint_object_create(database, &error)
        guard error == nil, let checkpoint else { throw Self.failure("make a checkpoint of", path, error) }
        defer { rocksdb_checkpoint_object_destroy(checkpoint) }
        rocksdb_checkpoint_create(checkpoint, directory, 0, &error)
        guard error == nil else { throw Self.failure("make a checkpoint in \(directory) of", path, error) }
    }

    /// A number that RocksDB keeps about itself, `rocksdb.estimate-num-keys` and the like.
    func property(_ name: String) -> Int {
        var value: UInt64 = 0
        return rocksdb_property_int(database, name, &value) == 0 ? Int(truncatingIfNeeded: value) : 0
    }

    /// What the keys of a range take on disk, bytes, about.
    func approximateSize(from lower: [UInt8], to upper: [UInt8]) -> Int {
        var size: UInt64 = 0
        var error: UnsafeMutablePointer<CChar>?
        lower.withUnsafeBytes { lower in
            upper.withUnsafeBytes { upper in
                withUnsafePointer(to: lower.characters) { starts in
                    withUnsafePointer(to: upper.characters) { ends in
                        var startCount = lower.count
                        var endCount = upper.count
                        rocksdb_approximate_sizes(database, 1, starts, &startCount, ends, &endCount, &size, &error)
                    }
                }
            }
        }
        free(error)
        return error == nil ? Int(truncatingIfNeeded: size) : 0
    }

    static func bytes(of slice: OpaquePointer) -> UnsafeRawBufferPointer {
        var count = 0
        let start = rocksdb_pinnableslice_value(slice, &count)
        return UnsafeRawBufferPointer(start: start, count: count)
    }

    /// Frees `error`.
    static func failure(_ action: String, _ path: String, _ error: UnsafeMutablePointer<CChar>?) -> StateError {
        let text = error.map { String(cString: $0) } ?? "no reason given"
        free(error)
        let problem = "could not \(action) the local state: \(text)"
        if text.contains("No space left on device") || text.contains("Disk quota exceeded") {
            return StateError(.noSpace, path, problem, remedy: "make room on the device; work goes on when there is some")
        }
        // An unreadable database says so in many ways (a missing file is an "IO error: No such file", a cut manifest "Corruption").
        let isDamaged = ["Corruption", "Invalid argument", "No such file", "Not implemented"].contains { text.contains($0) }
        return isDamaged
            ? StateError(
                .damagedHome, path, problem,
                remedy: "it is only a cache: remove the directory, and it is restored from the newest snapshot and the deltas")
            : StateError(.inputOutput, path, problem, remedy: "look at the device and its file system")
    }
}

/// Writes to apply in one step.
final class RocksBatch {
    let batch: OpaquePointer

    init() { batch = rocksdb_writebatch_create() }

    deinit { rocksdb_writebatch_destroy(batch) }

    var count: Int { Int(rocksdb_writebatch_count(batch)) }

    func removeAll() { rocksdb_writebatch_clear(batch) }

    func put(_ key: [UInt8], _ value: [UInt8]) {
        key.withUnsafeBytes { key in
            value.withUnsafeBytes { value in
                rocksdb_writebatch_put(batch, key.characters, key.count, value.characters, value.count)
            }
        }
    }

    func delete(_ key: UnsafeRawBufferPointer) {
        rocksdb_writebatch_delete(batch, key.characters, key.count)
    }

    /// - Parameter end: not among those deleted.
    func deleteRange(from start: [UInt8], to end: [UInt8]) {
        start.withUnsafeBytes { start in
            end.withUnsafeBytes { end in
                rocksdb_writebatch_delete_range(batch, start.characters, start.count, end.characters, end.count)
            }
        }
    }
}

/// Writes one sorted table file. Keys have to ascend.
final class RocksTableWriter {
    let file: String
    private let writer: OpaquePointer
    private let environment: OpaquePointer
    private(set) var count = 0

    fileprivate init(_ file: String, _ options: OpaquePointer) throws(StateError) {
        self.file = file
        environment = rocksdb_envoptions_create()
        writer = rocksdb_sstfilewriter_create(environment, options)
        var error: UnsafeMutablePointer<CChar>?
        rocksdb_sstfilewriter_open(writer, file, &error)
        guard error == nil else { throw RocksDatabase.failure("begin a sorted file for", file, error) }
    }

    deinit {
        rocksdb_sstfilewriter_destroy(writer)
        rocksdb_envoptions_destroy(environment)
    }

    func put(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(StateError) {
        var error: UnsafeMutablePointer<CChar>?
        rocksdb_sstfilewriter_put(writer, key.characters, key.count, value.characters, value.count, &error)
        guard error == nil else { throw RocksDatabase.failure("write a sorted file for", file, error) }
        count += 1
    }

    func delete(_ key: UnsafeRawBufferPointer) throws(StateError) {
        var error: UnsafeMutablePointer<CChar>?
        rocksdb_sstfilewriter_delete(writer, key.characters, key.count, &error)
        guard error == nil else { throw RocksDatabase.failure("write a sorted file for", file, error) }
        count += 1
    }

    /// Brings the file to the disk. It must not be empty.
    func finish() throws(StateError) {
        var error: UnsafeMutablePointer<CChar>?
        rocksdb_sstfilewriter_finish(writer, &error)
        guard error == nil else { throw RocksDatabase.failure("finish a sorted file for", file, error) }
    }
}

/// Walks the keys of a range as they were when it was made.
final class RocksCursor {
    private let database: RocksDatabase
    private let reads: OpaquePointer
    private let iterator: OpaquePointer
    private let bound: UnsafeMutableRawBufferPointer

    fileprivate init(_ owner: RocksDatabase, _ database: OpaquePointer, from lower: [UInt8], below upper: [UInt8]?, fillsCache: Bool) {
        self.database = owner
        reads = rocksdb_readoptions_create()
        rocksdb_readoptions_set_fill_cache(reads, fillsCache ? 1 : 0)
        bound = .allocate(byteCount: upper?.count ?? 0, alignment: 1)
        if let upper {
            // RocksDB keeps the pointer.
            bound.copyBytes(from: upper)
            rocksdb_readoptions_set_iterate_upper_bound(reads, bound.baseAddress?.assumingMemoryBound(to: CChar.self), bound.count)
        }
        iterator = rocksdb_create_iterator(database, reads)
        seek(lower)
    }

    deinit {
        rocksdb_iter_destroy(iterator)
        rocksdb_readoptions_destroy(reads)
        bound.deallocate()
    }

    var isValid: Bool { rocksdb_iter_valid(iterator) != 0 }

    var key: UnsafeRawBufferPointer {
        var count = 0
        let start = rocksdb_iter_key(iterator, &count)
        return UnsafeRawBufferPointer(start: start, count: count)
    }

    var value: UnsafeRawBufferPointer {
        var count = 0
        let start = rocksdb_iter_value(iterator, &count)
        return UnsafeRawBufferPointer(start: start, count: count)
    }

    func next() { rocksdb_iter_next(iterator) }

    func seek(_ key: [UInt8]) {
        key.withUnsafeBytes { rocksdb_iter_seek(iterator, $0.characters, $0.count) }
    }

    /// A cursor that is not valid is at the end, or has failed.
    func checkEnd() throws(StateError) {
        var error: UnsafeMutablePointer<CChar>?
        rocksdb_iter_get_error(iterator, &error)
        guard error == nil else { throw RocksDatabase.failure("read", database.path, error) }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate var characters: UnsafePointer<CChar>? { baseAddress?.assumingMemoryBound(to: CChar.self) }
}
