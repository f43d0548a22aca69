/// One key and its value.
package struct JournalEntry: Sendable, Hashable {
    package let key: [UInt8]
    /// nil: the key is deleted.
    package let value: [UInt8]?

    package init(key: [UInt8], value: [UInt8]?) {
        self.key = key
        self.value = value
    }
}

/// A small append-only key/value file for the state of coordinators. All entries of one append survive together or not at all.
///
/// The live entries are kept in memory, so that the file can be rewritten when most of it is out of date. Not thread-safe: all calls come
/// from the broker's thread. The format is `JournalFormat`'s.
package final class Journal: SyncParticipant {
    package let name: String
    /// The number of the last append.
    package private(set) var lastSequence: UInt64 = 0
    /// The number of the last append that is durable. Under `interval` and `never` it follows at once, as for partitions.
    package private(set) var durableSequence: UInt64 = 0
    /// Bytes in the file.
    package private(set) var byteCount: Int64

    let participantID: UInt64
    private let environment: LogEnvironment
    private let directory: String
    private var file: LogFile
    private var live: [[UInt8]: Live] = [:]
    /// Bytes of the live entries.
    package private(set) var liveBytes: Int64 = 0
    private var nextOrder: UInt64 = 0
    private var isDirty = false
    private var rewriteAbove = rewriteMinimum

    private struct Live {
        let value: [UInt8]
        /// Rises with every write: entries are rewritten and restored in this order.
        let order: UInt64
    }

    /// A file is rewritten when it is larger than this and has more than `garbageFactor` times the bytes that live.
    static let rewriteMinimum: Int64 = 1 << 20
    static let garbageFactor: Int64 = 4

    /// Opens `<name>.journal`, or makes it.
    /// - Throws: `storageError` when it is damaged elsewhere than at its end.
    init(name: String, in directory: String, environment: LogEnvironment) throws(StorageError) {
        self.name = name
        self.directory = directory
        self.environment = environment
        participantID = environment.newParticipantID()
        let path = Self.path(name, in: directory)
        if !Directories.exists(path) {
            try CheckedFile.replace(path, with: JournalFormat.header, operations: environment.operations)
        }
        file = try LogFile(path, .readWrite)
        byteCount = 0
        let size = try file.size()
        let contents = try file.read(at: 0, count: Int(size))
        let end = try JournalFormat.decode(contents, path: path) { entry in apply(entry) }
        byteCount = Int64(end)
        if byteCount < size {
            try cut()
            environment.report(
                RecoveryEvent(
                    kind: .truncated, path: path, offset: 0, position: byteCount, bytes: size - byteCount,
                    reason: "the last append is not whole"))
        }
    }

    static func exists(_ name: String, in directory: String) -> Bool { Directories.exists(path(name, in: directory)) }

    private static func path(_ name: String, in directory: String) -> String { "\(directory)/\(name).journal" }

    /// The live entries, in the order in which they were last written.
    package var entries: [JournalEntry] {
        live.sorted { $0.value.order < $1.value.order }.map { JournalEntry(key: $0.key, value: $0.value.value) }
    }

    /// Appends entries as one. Returns the append's number: it is durable once `durableSequence` has reached it. Without entries that is
    /// the last append's.
    /// - Throws: `storageError`; nothing was appended then, or the directory is offline.
    package func append(_ entries: [JournalEntry]) throws(StorageError) -> UInt64 {
        try environment.checkOnline()
        guard !entries.isEmpty else { return lastSequence }
        try write(JournalFormat.encode(entries))
        for entry in entries { apply(entry) }
        lastSequence += 1
        if environment.acknowledgesAtOnce { durableSequence = lastSequence }
        if !isDirty {
            isDirty = true
            environment.markDirty(self)
        }
        if byteCount > rewriteAbove && byteCount > liveBytes * Self.garbageFactor { try rewrite() }
        return lastSequence
    }

    private func apply(_ entry: JournalEntry) {
        if let old = live.removeValue(forKey: entry.key) { liveBytes -= Int64(entry.key.count + old.value.count) }
        guard let value = entry.value else { return }
        nextOrder += 1
        live[entry.key] = Live(value: value, order: nextOrder)
        liveBytes += Int64(entry.key.count + value.count)
    }

    private func write(_ frame: [UInt8]) throws(StorageError) {
        var failure: SystemError?
        frame.withUnsafeBytes { bytes in
            do throws(SystemError) {
                try environment.operations.writeAll(file.descriptor, bytes, at: byteCount)
            } catch {
                failure = error
            }
        }
        guard let failure else {
            byteCount += Int64(frame.count)
            return
        }
        let error = StorageError.system("append to", file.path, failure)
        do throws(StorageError) {
            try cut()
        } catch {
            environment.fail(error)
        }
        if !failure.isOutOfSpace { environment.fail(error) }
        throw error
    }

    /// Cuts off what is behind the last whole append.
    private func cut() throws(StorageError) {
        do throws(SystemError) {
            try environment.operations.truncate(file.descriptor, byteCount)
        } catch {
            throw .system("cut", file.path, error)
        }
    }

    /// Replaces the file by one that has only what lives. Everything appended so far is durable after that.
    private func rewrite() throws(StorageError) {
        var contents = JournalFormat.header
        let entries = entries
        var start = 0
        while start < entries.count {
            // Frames of moderate size, so that reading one back needs little memory.
            let end = min(start + 1000, entries.count)
            contents += JournalFormat.encode(Array(entries[start..<end]))
            start = end
        }
        let path = Self.path(name, in: directory)
        do throws(StorageError) {
            try CheckedFile.write(
                CheckedFile.temporary(path), contents, operations: environment.operations, synchronize: true)
        } catch {
            // No room for a second file: the first one goes on growing for a while.
            rewriteAbove = byteCount * 2
            try? Directories.removeFile(CheckedFile.temporary(path))
            return
        }
        do throws(StorageError) {
            try CheckedFile.publish(path, operations: environment.operations)
            file = try LogFile(path, .readWrite)
        } catch {
            // Which of the two files a restart would find is not known.
            environment.fail(error)
            throw error
        }
        rewriteAbove = Self.rewriteMinimum
        byteCount = Int64(contents.count)
        durableSequence = lastSequence
    }

    func takeTicket() -> SyncTicket? {
        isDirty = false
        guard environment.durability != .never else { return nil }
        return SyncTicket(participant: participantID, files: [file], directories: [], position: Int64(lastSequence))
    }

    func didSync(to position: Int64) -> Bool {
        guard UInt64(position) > durableSequence else { return false }
        durableSequence = UInt64(position)
        return true
    }

    func close() throws(StorageError) {
        do throws(SystemError) {
            try environment.operations.synchronize(file.descriptor)
        } catch {
            let failure = StorageError.system("sync", file.path, error)
            environment.fail(failure)
            throw failure
        }
        durableSequence = lastSequence
    }
}
