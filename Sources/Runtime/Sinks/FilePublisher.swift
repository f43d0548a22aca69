import Foundation
import JobFile
import Parquet

/// A Parquet file on its way: complete under its staging name before the commit, renamed after it.
package struct StagedFile: Equatable, Sendable {
    /// Absolute or relative to where the daemon was started, as the sink's path is.
    package var staging: String
    package var final: String
    package var bytes: Int
    package var rows: Int
}

/// The names of a Parquet sink's files, and which of the staged ones may go.
///
/// A file is named after its task, epoch and delta under either name, in a backfill after its task and number under the final one:
/// writing and renaming again changes nothing, and nobody else's file is ever touched.
package enum FilePublisher {
    /// - Parameter published: the final name without its directory; nil for one after task, epoch and delta.
    static func names(
        _ rows: RolledRows, job: String, task: TaskID, epoch: Int, delta: UInt64, number: Int, published: String? = nil
    ) -> StagedFile {
        let digits = String(epoch)
        let padded = String(repeating: "0", count: max(0, epochDigits - digits.count)) + digits
        let base = "\(prefix(job: job, task: task))\(padded)-\(String(delta, radix: 16))-\(number)"
        let directory = rows.directory.isEmpty ? rows.path : rows.path + "/" + rows.directory
        return StagedFile(
            staging: "\(stagingDirectory(rows.path))/\(base).tmp", final: "\(directory)/\(published ?? base + ".parquet")", bytes: 0,
            rows: rows.rows)
    }

    package static func stagingDirectory(_ path: String) -> String { path + "/.staging" }

    /// Deletes what a task staged at `path` and never committed, as far as that is certain.
    ///
    /// Only files of epochs up to `epoch`, the task's committed one, are certain. A later one may belong to whoever has the task by now,
    /// and be committed a moment from now: what is committed may have been read long ago by an instance that was frozen since. It goes
    /// when a later epoch is committed.
    /// - Parameter committed: the staging names of the files of `epoch`.
    /// - Returns: whether files of later epochs are left.
    package static func clean(
        _ files: any FileStore, path: String, job: String, task: TaskID, upTo epoch: Int, keeping committed: Set<String>
    ) -> Bool {
        let directory = stagingDirectory(path)
        var isLeft = false
        for name in files.staged(at: path).sorted() {
            guard let found = Self.epoch(of: name, job: job, task: task), !committed.contains("\(directory)/\(name)") else { continue }
            if found <= epoch { files.removeStaged(name, at: path) } else { isLeft = true }
        }
        return isLeft
    }

    /// The epoch of a staged file of this task; nil if it is none. Task `clicks-1` also begins the names of a source `clicks-1`.
    static func epoch(of name: String, job: String, task: TaskID) -> Int? {
        let prefix = prefix(job: job, task: task)
        guard name.hasPrefix(prefix), name.hasSuffix(".tmp") else { return nil }
        let parts = name.dropFirst(prefix.count).dropLast(4).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].utf8.count >= epochDigits, UInt64(parts[1], radix: 16) != nil, Int(parts[2]) != nil else { return nil }
        return Int(parts[0])
    }

    private static let epochDigits = 12

    /// The beginning of the names of all files of a task.
    private static func prefix(job: String, task: TaskID) -> String { "\(job)-\(task.name)-" }
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
