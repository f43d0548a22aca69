import Foundation
import Glibc

/// Checkpoint storage in a bucket of S3 or of a store that speaks its protocol.
///
/// Objects are single PUTs. A directory is stored as one small object, its list of files (`name/files`), written last; the files are
/// objects named by their SHA-256 in `<directory above>/tables/`, so that a file that several snapshots share is stored once, and is checked when it is
/// read back. A file is taken as stored only if a list that is there names it; deleting a list also deletes files that no list names, but
/// none younger than the grace: an upload may be under way whose list is still to come.
package final class S3Storage: CheckpointStorage {
    /// Requests at a time: one after the other would wait for the network, all at once would take the memory.
    private static let transfers = 4
    private static let list = "files"
    private static let tables = "tables"
    /// A delta holds an epoch's changes.
    private static let objectLimit = 4 << 30

    private let client: S3Client
    /// With a `/` at its end, or empty.
    private let prefix: String
    private let graceSeconds: Int

    /// Makes no request: a store that is away is reported by what needs it.
    /// - Parameter graceSeconds: what an upload of a snapshot takes at most.
    package init(
        _ location: S3Location, prefix: String, environment: S3Environment, retries: S3Retries = S3Retries(), graceSeconds: Int = 3_600
    ) {
        client = S3Client(location, environment, retries)
        self.prefix = prefix.isEmpty ? "" : "\(prefix)/"
        self.graceSeconds = graceSeconds
    }

    package func put(_ bytes: [UInt8], as name: String) throws(StateError) {
        try client.put(bytes, as: try key(name))
    }

    package func get(_ name: String) throws(StateError) -> [UInt8]? {
        try client.get(try key(name), limit: Self.objectLimit)
    }

    package func list(_ name: String) throws(StateError) -> [StoredObject] {
        var objects: [StoredObject] = []
        for found in try client.list(prefix: "\(try key(name))/") {
            let name = String(found.key.dropFirst(prefix.count))
            let parts = name.split(separator: "/")
            if parts.contains(Substring(Self.tables)) { continue }
            objects.append(StoredObject(name: name, bytes: found.bytes))
        }
        return objects
    }

    package func delete(_ name: String) throws(StateError) {
        let key = try key(name)
        let below = try client.list(prefix: "\(key)/").map(\.key)
        // The list of a stored directory goes first: without it there is no directory, whatever else is left.
        let lists = below.filter { $0.hasSuffix("/\(Self.list)") }
        for list in lists { try client.delete(list) }
        for object in below where !lists.contains(object) { try client.delete(object) }
        try client.delete(key)
        if lists.contains("\(key)/\(Self.list)") { try collect(above: Self.above(key)) }
    }

    package func putDirectory(_ path: String, as name: String) throws(StateError) {
        let key = try key(name)
        guard let names = try Files.names(in: path) else {
            throw StateError(.missing, path, "there is no such directory", remedy: "take another snapshot")
        }
        let above = Self.above(key)
        let stored = try filesInLists(above: above)
        let files = try inParallel(names, width: Self.transfers) { name throws(StateError) in
            let local = "\(path)/\(name)"
            guard let bytes = try Files.status(local).map({ Int($0.st_size) }) else {
                throw StateError(.missing, local, "the file is gone", remedy: "will be tried again")
            }
            let hash: String
            do throws(HTTPFailure) {
                hash = SHA256.hex(try SHA256.hash(file: local, offset: 0, count: bytes))
            } catch {
                throw StateError(.inputOutput, local, error.reason, remedy: "look at the disk; will be tried again")
            }
            if !stored.contains(hash) {
                try self.client.put(file: local, bytes: bytes, hash: hash, as: "\(above)\(Self.tables)/\(hash)")
            }
            return StoredFile(name: name, bytes: bytes, hash: hash)
        }
        try client.put(Array(StoredFile.text(of: files).utf8), as: "\(key)/\(Self.list)")
    }

    package func copyDirectory(_ name: String, to target: String) throws(StateError) {
        let from = try key(name)
        let to = try key(target)
        let files = try files(of: "\(from)/\(Self.list)")
        _ = try inParallel(Set(files.map(\.hash)).sorted(), width: Self.transfers) { hash throws(StateError) in
            try self.client.copy("\(Self.above(from))\(Self.tables)/\(hash)", to: "\(Self.above(to))\(Self.tables)/\(hash)")
        }
        try client.put(Array(StoredFile.text(of: files).utf8), as: "\(to)/\(Self.list)")
    }

    package func getDirectory(_ name: String, to path: String) throws(StateError) {
        let key = try key(name)
        let files = try files(of: "\(key)/\(Self.list)")
        let temporary = "\(path).partial"
        try Files.createDirectories(Files.parent(path))
        do throws(StateError) {
            try Files.remove(temporary)
            try Files.createDirectories(temporary)
            _ = try inParallel(files, width: Self.transfers) { file throws(StateError) in
                try self.fetch(file, to: "\(temporary)/\(file.name)", of: key)
            }
            try Files.syncDirectory(temporary)
            try Files.rename(temporary, to: path)
        } catch {
            try? Files.remove(temporary)
            throw error
        }
        try Files.syncDirectory(Files.parent(path))
    }

    private func fetch(_ file: StoredFile, to path: String, of key: String) throws(StateError) {
        let source = "\(Self.above(key))\(Self.tables)/\(file.hash)"
        guard let hash = try client.get(source, to: path) else {
            // Somebody may have taken a newer snapshot and deleted this one meanwhile.
            guard try client.get("\(key)/\(Self.list)", limit: 64 << 20) != nil else {
                throw StateError(.inputOutput, place(key), "it was deleted while it was read", remedy: "will be tried again")
            }
            throw StateError(
                .missing, place(source), "the file \(file.name) of \(place(key)) is not there", remedy: "restore it from a copy of the bucket")
        }
        guard hash == file.hash else {
            throw StateError(
                .damaged, place(source), "its SHA-256 is \(hash), the name says \(file.hash)", remedy: "restore it from a copy of the bucket")
        }
    }

    /// The hashes of all files that the lists in a directory name.
    private func filesInLists(above: String) throws(StateError) -> Set<String> {
        var hashes: Set<String> = []
        for found in try client.list(prefix: above) where found.key.hasSuffix("/\(Self.list)") {
            hashes.formUnion(try files(of: found.key).map(\.hash))
        }
        return hashes
    }

    private func files(of key: String) throws(StateError) -> [StoredFile] {
        guard let bytes = try client.get(key, limit: 64 << 20) else {
            throw StateError(.missing, place(key), "there is no such directory", remedy: "take another snapshot, or restore this one from a copy")
        }
        guard let files = StoredFile.parse(bytes) else {
            throw StateError(.damaged, place(key), "it is no list of files", remedy: "restore it from a copy of the bucket")
        }
        return files
    }

    /// Deletes files that no list names and that are older than the grace.
    private func collect(above: String) throws(StateError) {
        let tables = try client.list(prefix: "\(above)\(Self.tables)/")
        let limit = time(nil) - graceSeconds
        let old = tables.filter { $0.modified < limit }
        if old.isEmpty { return }
        let named = try filesInLists(above: above)
        for table in old where !named.contains(String(table.key.dropFirst(above.count + Self.tables.count + 1))) {
            try client.delete(table.key)
        }
    }

    private func key(_ name: String) throws(StateError) -> String {
        try ObjectName.check(name)
        return prefix + name
    }

    /// The directory above, with a `/` at its end.
    private static func above(_ key: String) -> String {
        key.lastIndex(of: "/").map { String(key[...$0]) } ?? ""
    }

    private func place(_ key: String) -> String { "s3://\(client.location.bucket)/\(key)" }
}

/// A line of a stored directory's list: `<SHA-256> <bytes> <name>`.
private struct StoredFile: Sendable {
    var name: String
    var bytes: Int
    var hash: String

    private static let title = "millrace-files 1"

    static func text(of files: [StoredFile]) -> String {
        ([title] + files.map { "\($0.hash) \($0.bytes) \($0.name)" }).joined(separator: "\n") + "\n"
    }

    static func parse(_ bytes: [UInt8]) -> [StoredFile]? {
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard lines.first.map(String.init) == title else { return nil }
        var files: [StoredFile] = []
        for line in lines.dropFirst() {
            let parts = line.split(separator: " ", maxSplits: 2)
            guard parts.count == 3, parts[0].utf8.count == 64, parts[0].utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
                let bytes = Int(parts[1]), bytes >= 0, !parts[2].contains("/"), !parts[2].hasPrefix(".")
            else { return nil }
            files.append(StoredFile(name: String(parts[2]), bytes: bytes, hash: String(parts[0])))
        }
        return files
    }
}
