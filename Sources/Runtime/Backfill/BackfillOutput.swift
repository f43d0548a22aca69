import Foundation
import Glibc
import Parquet

/// The directory of a backfill's files of one Parquet sink: hidden beside its final name until the run is over, then renamed, so that
/// readers find all of it or nothing. It is not below the sink's own directory, where readers look for the live job's files.
package struct BackfillOutput: Codable, Equatable, Sendable {
    /// `<sink's path>.backfill/<run>`, absolute.
    package let directory: String
    /// `<sink's path>.backfill/.<run>`
    package let hidden: String

    /// - Parameter path: of the sink, as the job file has it.
    package init(path: String, run: RunID) {
        let absolute = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + (path.hasPrefix("./") ? String(path.dropFirst(2)) : path)
        directory = "\(absolute).backfill/\(run)"
        hidden = "\(absolute).backfill/.\(run)"
    }

    package var isPublished: Bool { access(directory, F_OK) == 0 }
    package var isHidden: Bool { access(hidden, F_OK) == 0 }

    /// Makes the hidden directory ready: what was staged and never committed goes, and it is there even if the run has no rows.
    /// - Returns: the number of its files.
    func complete() throws(ParquetError) -> Int {
        try LocalFiles.makeDirectory(hidden)
        let staging = FilePublisher.stagingDirectory(hidden)
        if access(staging, F_OK) == 0 {
            do {
                try FileManager.default.removeItem(atPath: staging)
            } catch {
                throw ParquetError("remove", staging, EIO)
            }
        }
        try LocalFiles.synchronize(directory: hidden)
        var count = 0
        let names = FileManager.default.enumerator(atPath: hidden)
        while let name = names?.nextObject() as? String { if name.hasSuffix(".parquet") { count += 1 } }
        return count
    }

    /// Gives the directory its final name, durably. Doing so again changes nothing.
    /// - Returns: false when it is under neither name.
    func publish() throws(ParquetError) -> Bool {
        guard isHidden else { return isPublished }
        // Not over what somebody else has put there, which rename would do with an empty directory.
        guard !isPublished else { throw ParquetError("rename \(hidden) to", directory, EEXIST) }
        guard rename(hidden, directory) == 0 else { throw ParquetError("rename \(hidden) to", directory, errno) }
        try LocalFiles.synchronize(directory: LocalFiles.parent(directory))
        return true
    }
}
