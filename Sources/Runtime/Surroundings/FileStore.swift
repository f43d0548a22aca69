import Foundation
import Glibc
import Parquet

/// Where the files of Parquet sinks are. A staged file lies in `<sink>/.staging`, where no reader of the sink's directory looks.
package protocol FileStore: Sendable {
    /// Writes `rows` to the file's staging name: complete and durable when it returns, with its size.
    func stage(_ rows: RolledRows, as file: StagedFile) throws(ParquetError) -> StagedFile

    /// Gives the file its final name, durably. Doing so again changes nothing.
    /// - Returns: false when it is under neither name: it was published before and taken away since, or somebody deleted it.
    func publish(_ file: StagedFile) throws(ParquetError) -> Bool

    /// The names in the staging directory of the sink at `path`, without it.
    func staged(at path: String) -> [String]

    /// Deletes a staged file, by its name without the directory; it need not be there.
    func removeStaged(_ name: String, at path: String)
}

/// The file system of this machine.
struct LocalFiles: FileStore {
    func stage(_ rows: RolledRows, as file: StagedFile) throws(ParquetError) -> StagedFile {
        let directory = FilePublisher.stagingDirectory(rows.path)
        try Self.makeDirectory(directory)
        var writer = try ParquetWriter(path: file.staging, schema: rows.schema, compression: .init(rows.compression))
        try writer.write(rows.columns, rows: 0..<rows.rows)
        let summary = try writer.finish()
        try Self.synchronize(directory: directory)
        var staged = file
        staged.bytes = summary.bytes
        return staged
    }

    func publish(_ file: StagedFile) throws(ParquetError) -> Bool {
        let directory = Self.parent(file.final)
        try Self.makeDirectory(directory)
        guard rename(file.staging, file.final) == 0 else {
            if errno == ENOENT, access(file.staging, F_OK) != 0 { return access(file.final, F_OK) == 0 }
            throw ParquetError("rename \(file.staging) to", file.final, errno)
        }
        try Self.synchronize(directory: directory)
        return true
    }

    func staged(at path: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: FilePublisher.stagingDirectory(path))) ?? []
    }

    func removeStaged(_ name: String, at path: String) {
        unlink(FilePublisher.stagingDirectory(path) + "/" + name)
    }

    /// Makes a directory and those above it, each durable: a file in a directory that a power cut takes away is lost with it.
    static func makeDirectory(_ path: String) throws(ParquetError) {
        if access(path, F_OK) == 0 { return }
        let above = parent(path)
        if !above.isEmpty, above != path { try makeDirectory(above) }
        guard mkdir(path, 0o777) == 0 || errno == EEXIST else { throw ParquetError("create directory", path, errno) }
        try synchronize(directory: above.isEmpty ? "." : above)
    }

    /// Empty for a name without a directory; `/` above its entries.
    static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "" }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    static func synchronize(directory: String) throws(ParquetError) {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ParquetError("open directory", directory, errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw ParquetError("fsync directory", directory, errno) }
    }
}
