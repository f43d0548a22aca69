import Glibc
import Synchronization

/// Checkpoint storage in a directory, which instances on other machines may share.
///
/// An object is written under a temporary name (it begins with a dot, which no object's name may), brought to the disk, renamed, and
/// the directory brought to the disk: there is never half of one. A failed fsync may have dropped pages that a second one
/// would call clean ("Can applications recover from fsync failures?", ATC'20), so after one nothing more is written by this object.
package final class DirectoryStorage: CheckpointStorage {
    private let root: String
    private let failure = Mutex<StateError?>(nil)
    private let temporaries = Atomic<UInt64>(0)
    private let session = UInt64.random(in: .min ... .max)

    /// Makes the directory if it is missing.
    package init(root: String) throws(StateError) {
        self.root = root.count > 1 && root.hasSuffix("/") ? String(root.dropLast()) : root
        try Files.createDirectories(self.root)
    }

    package func put(_ bytes: [UInt8], as name: String) throws(StateError) {
        let path = try path(of: name)
        try writing { () throws(StateError) in
            let directory = Files.parent(path)
            try Files.createDirectories(directory)
            let temporary = "\(directory)/\(temporaryName())"
            do throws(StateError) {
                try bytes.span.bytes.withUnsafeBytes { (bytes) throws(StateError) in try Files.create(temporary, bytes) }
                try Files.rename(temporary, to: path)
            } catch {
                try? Files.remove(temporary)
                throw error
            }
            try Files.syncDirectory(directory)
        }
    }

    package func get(_ name: String) throws(StateError) -> [UInt8]? {
        try Files.read(path(of: name))
    }

    package func list(_ name: String) throws(StateError) -> [StoredObject] {
        let path = try path(of: name)
        var objects: [StoredObject] = []
        try list(path, as: name, into: &objects)
        return objects.sorted { $0.name < $1.name }
    }

    package func delete(_ name: String) throws(StateError) {
        let path = try path(of: name)
        guard let status = try Files.status(path) else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else { return try Files.remove(path) }
        // Out of sight in one step, so that nobody finds half of a snapshot.
        let directory = Files.parent(path)
        let temporary = "\(directory)/\(temporaryName())"
        try Files.rename(path, to: temporary)
        try Files.remove(temporary)
    }

    package func putDirectory(_ path: String, as name: String) throws(StateError) {
        try fill(name, from: path)
    }

    package func copyDirectory(_ name: String, to target: String) throws(StateError) {
        try fill(target, from: path(of: name))
    }

    private func fill(_ name: String, from path: String) throws(StateError) {
        let target = try self.path(of: name)
        try writing { () throws(StateError) in
            guard let files = try Files.names(in: path) else { throw Self.missing(path) }
            let directory = Files.parent(target)
            try Files.createDirectories(directory)
            let temporary = "\(directory)/\(temporaryName())"
            do throws(StateError) {
                try Self.fill(temporary, with: files, of: path)
                if try Files.status(target) != nil { try delete(name) }
                try Files.rename(temporary, to: target)
            } catch {
                try? Files.remove(temporary)
                throw error
            }
            try Files.syncDirectory(directory)
        }
    }

    package func getDirectory(_ name: String, to path: String) throws(StateError) {
        let source = try self.path(of: name)
        guard let files = try Files.names(in: source) else { throw Self.missing(source) }
        let directory = Files.parent(path)
        try Files.createDirectories(directory)
        let temporary = "\(path).partial"
        do throws(StateError) {
            try Files.remove(temporary)
            try Self.fill(temporary, with: files, of: source)
            try Files.rename(temporary, to: path)
        } catch {
            try? Files.remove(temporary)
            throw error
        }
        try Files.syncDirectory(directory)
    }

    /// Removes what crashes left half-written. Of another instance's writes only those are touched that are older than `age` seconds, by
    /// `now` (seconds since 1970).
    package func removeLeftovers(olderThan age: Int, now: Int) throws(StateError) {
        try removeLeftovers(in: root, before: now - age)
    }

    private func removeLeftovers(in directory: String, before limit: Int) throws(StateError) {
        for name in try Files.names(in: directory) ?? [] {
            let path = "\(directory)/\(name)"
            guard let status = try Files.status(path) else { continue }
            if name.hasPrefix(Self.temporaryPrefix) {
                if status.st_mtim.tv_sec < limit { try Files.remove(path) }
            } else if status.st_mode & S_IFMT == S_IFDIR {
                try removeLeftovers(in: path, before: limit)
            }
        }
    }

    /// RocksDB never writes to a finished table file again, so those are shared by link. The other files are small, and are copied.
    private static func fill(_ target: String, with files: [String], of source: String) throws(StateError) {
        guard mkdir(target, 0o755) == 0 else { throw Files.failure("make the directory", target) }
        for file in files {
            if file.hasSuffix(".sst") {
                try Files.linkOrCopy("\(source)/\(file)", to: "\(target)/\(file)")
            } else {
                try Files.copy("\(source)/\(file)", to: "\(target)/\(file)")
            }
        }
        try Files.syncDirectory(target)
    }

    private func list(_ path: String, as name: String, into objects: inout [StoredObject]) throws(StateError) {
        for entry in try Files.names(in: path) ?? [] where !entry.hasPrefix(".") {
            let below = "\(path)/\(entry)"
            guard let status = try Files.status(below) else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                try list(below, as: "\(name)/\(entry)", into: &objects)
            } else {
                objects.append(StoredObject(name: "\(name)/\(entry)", bytes: Int(status.st_size)))
            }
        }
    }

    private func path(of name: String) throws(StateError) -> String {
        try ObjectName.check(name)
        return "\(root)/\(name)"
    }

    private func writing(_ body: () throws(StateError) -> Void) throws(StateError) {
        if let failure = failure.withLock({ $0 }) { throw failure }
        do throws(StateError) {
            try body()
        } catch {
            if error.kind == .inputOutput && error.problem.hasPrefix("could not fsync") {
                let final = StateError(
                    error.kind, root, "a write to \(error.place) could not be brought to the disk (\(error.problem)); nothing more is written here",
                    remedy: "look at the device, then restart")
                failure.withLock { $0 = final }
                throw final
            }
            throw error
        }
    }

    private static let temporaryPrefix = ".writing-"

    private func temporaryName() -> String {
        let number = temporaries.wrappingAdd(1, ordering: .relaxed).newValue
        return "\(Self.temporaryPrefix)\(String(session, radix: 16))-\(number)"
    }

    private static func missing(_ path: String) -> StateError {
        StateError(.missing, path, "there is no such directory", remedy: "take another snapshot, or restore this one from a copy")
    }
}
