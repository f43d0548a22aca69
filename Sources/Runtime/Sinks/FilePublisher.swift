import Foundation
import Glibc
import JobFile
import Parquet

/// A Parquet file on its way: complete under its staging name before the commit, renamed after it.
struct StagedFile: Equatable, Sendable {
    /// Absolute or relative to where the daemon was started, as the sink's path is.
    var staging: String
    var final: String
    var bytes: Int
    var rows: Int
}

/// Writes and publishes the files of Parquet sinks.
///
/// A staged file lies in `<sink>/.staging`, where no reader of the directory looks, and is named after its task, epoch and delta,
/// as is the published one: writing and renaming again changes nothing, and nobody else's file is ever touched.
enum FilePublisher {
    static func names(_ rows: RolledRows, job: String, task: TaskID, epoch: Int, delta: UInt64, number: Int) -> StagedFile {
        let digits = String(epoch)
        let padded = String(repeating: "0", count: max(0, 12 - digits.count)) + digits
        let base = "\(prefix(job: job, task: task))\(padded)-\(String(delta, radix: 16))-\(number)"
        let directory = rows.directory.isEmpty ? rows.path : rows.path + "/" + rows.directory
        return StagedFile(staging: "\(rows.path)/.staging/\(base).tmp", final: "\(directory)/\(base).parquet", bytes: 0, rows: rows.rows)
    }

    /// The beginning of the names of all files of a task.
    static func prefix(job: String, task: TaskID) -> String { "\(job)-\(task.name)-" }

    /// Writes `rows` to the file's staging name: complete and on disk when it returns.
    static func stage(_ rows: RolledRows, as file: StagedFile) throws(ParquetError) -> StagedFile {
        try makeDirectory(rows.path + "/.staging")
        var writer = try ParquetWriter(path: file.staging, schema: rows.schema, compression: .init(rows.compression))
        try writer.write(rows.columns, rows: 0..<rows.rows)
        let summary = try writer.finish()
        try synchronize(directory: rows.path + "/.staging")
        var staged = file
        staged.bytes = summary.bytes
        return staged
    }

    /// Gives the file its final name. Doing so again changes nothing.
    /// - Returns: false when it is under neither name: it was published before and taken away since, or somebody deleted it.
    static func publish(_ file: StagedFile) throws(ParquetError) -> Bool {
        let directory = String(file.final[..<(file.final.lastIndex(of: "/") ?? file.final.startIndex)])
        try makeDirectory(directory)
        guard rename(file.staging, file.final) == 0 else {
            if errno == ENOENT, access(file.staging, F_OK) != 0 { return access(file.final, F_OK) == 0 }
            throw ParquetError("rename \(file.staging) to", file.final, errno)
        }
        try synchronize(directory: directory)
        return true
    }

    /// Deletes what a task staged in `path` and never committed; `committed` are the staging names that may stay.
    static func clean(path: String, job: String, task: TaskID, keeping committed: Set<String>) {
        let staging = path + "/.staging"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: staging)) ?? []
        for name in names where name.hasPrefix(prefix(job: job, task: task)) && !committed.contains(staging + "/" + name) {
            unlink(staging + "/" + name)
        }
    }

    private static func makeDirectory(_ path: String) throws(ParquetError) {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw ParquetError("create directory", path, (error as NSError).underlyingErrno ?? EIO)
        }
    }

    private static func synchronize(directory: String) throws(ParquetError) {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ParquetError("open directory", directory, errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw ParquetError("fsync directory", directory, errno) }
    }
}

extension NSError {
    fileprivate var underlyingErrno: Int32? {
        if domain == NSPOSIXErrorDomain { return Int32(code) }
        return (userInfo[NSUnderlyingErrorKey] as? NSError).flatMap { $0.domain == NSPOSIXErrorDomain ? Int32($0.code) : nil }
    }
}

extension Parquet.Compression {
    init(_ plan: ParquetCompression) {
        switch plan {
        case .zstd: self = .zstd
        case .snappy: self = .snappy
        case .none: self = .none
        }
    }
}
