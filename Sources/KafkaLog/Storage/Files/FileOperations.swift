import CShims
import Glibc

/// The calls that change what is on disk, as values: so that tests can let them fail.
package struct FileOperations: Sendable {
    /// Writes to a descriptor at a position (`pwrite`); returns the number of bytes written, which may be fewer than asked.
    package var write: @Sendable (_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, _ position: Int64) throws(SystemError) -> Int
    /// Makes a file's bytes and length durable (`fdatasync`).
    package var synchronize: @Sendable (_ descriptor: Int32) throws(SystemError) -> Void
    /// Sets a file's length (`ftruncate`).
    package var truncate: @Sendable (_ descriptor: Int32, _ length: Int64) throws(SystemError) -> Void
    /// Gives a file another name; one that has that name goes.
    package var rename: @Sendable (_ old: String, _ new: String) throws(SystemError) -> Void
    /// Removes a file; it may be gone already.
    package var remove: @Sendable (_ path: String) throws(SystemError) -> Void
    /// Makes the names in a directory durable.
    package var synchronizeDirectory: @Sendable (_ path: String) throws(SystemError) -> Void

    package static let system = FileOperations(
        write: { (descriptor, bytes, position) throws(SystemError) -> Int in
            while true {
                let written = pwrite(descriptor, bytes.baseAddress, bytes.count, off_t(position))
                if written >= 0 { return written }
                guard errno == EINTR else { throw SystemError.last }
            }
        },
        synchronize: { (descriptor) throws(SystemError) in
            // Not tried again after EINTR: whether the pages are still dirty then is not known.
            guard fdatasync(descriptor) == 0 else { throw SystemError.last }
        },
        truncate: { (descriptor, length) throws(SystemError) in
            while ftruncate(descriptor, off_t(length)) != 0 {
                guard errno == EINTR else { throw SystemError.last }
            }
        },
        rename: { (old, new) throws(SystemError) in
            guard Glibc.rename(old, new) == 0 else { throw SystemError.last }
        },
        remove: { (path) throws(SystemError) in
            guard unlink(path) == 0 || errno == ENOENT else { throw SystemError.last }
        },
        synchronizeDirectory: { (path) throws(SystemError) in
            let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard descriptor >= 0 else { throw SystemError.last }
            defer { Glibc.close(descriptor) }
            guard fsync(descriptor) == 0 else { throw SystemError.last }
        })
}

extension FileOperations {
    func rename(_ old: String, to new: String) throws(StorageError) {
        do throws(SystemError) { try rename(old, new) } catch { throw .system("rename \(old) to", new, error) }
    }

    func removeFile(_ path: String) throws(StorageError) {
        do throws(SystemError) { try remove(path) } catch { throw .system("remove", path, error) }
    }

    func synchronize(directory path: String) throws(StorageError) {
        do throws(SystemError) { try synchronizeDirectory(path) } catch { throw .system("sync directory", path, error) }
    }

    /// Makes many files durable. The disk gets all their pages at once: a file system with a journal then has one transaction to write for
    /// them, and not one for each.
    /// - Returns: the first failure, with its file; the files behind it were not synced.
    func synchronize(_ files: [LogFile]) -> StorageError? {
        if files.count > Self.fewFiles {
            for file in files { millrace_start_writeback(file.descriptor) }
        }
        for file in files {
            do throws(SystemError) { try synchronize(file.descriptor) } catch { return .system("sync", file.path, error) }
        }
        return nil
    }

    private static var fewFiles: Int { 4 }

    /// Writes all of `bytes` at `position`, or throws; what a failed call left behind is the caller's to cut away.
    func writeAll(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at position: Int64) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            let written = try write(descriptor, UnsafeRawBufferPointer(rebasing: bytes[done...]), position + Int64(done))
            // A disk that takes nothing and says nothing is full.
            guard written > 0 else { throw SystemError(code: ENOSPC) }
            done += written
        }
    }
}
