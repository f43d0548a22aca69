import Glibc

/// An open file. Closed when the last reference goes: what is being sent from it stays readable after it was deleted.
package final class LogFile: Sendable {
    /// Valid as long as this object lives.
    package let descriptor: Int32
    package let path: String

    enum Mode {
        case read
        case readWrite
        case create
        case replace

        var flags: Int32 {
            switch self {
            case .read: O_RDONLY
            case .readWrite: O_RDWR
            case .create: O_RDWR | O_CREAT | O_EXCL
            case .replace: O_RDWR | O_CREAT | O_TRUNC
            }
        }
    }

    init(_ path: String, _ mode: Mode) throws(StorageError) {
        var descriptor: Int32
        repeat {
            descriptor = Glibc.open(path, mode.flags | O_CLOEXEC, 0o640)
        } while descriptor < 0 && errno == EINTR
        guard descriptor >= 0 else { throw .system("open", path, .last) }
        self.descriptor = descriptor
        self.path = path
    }

    deinit {
        Glibc.close(descriptor)
    }

    /// The length in bytes.
    func size() throws(StorageError) -> Int64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system("examine", path, .last) }
        return Int64(status.st_size)
    }

    /// Fills as much of `buffer` as the file has from `position` on; returns the number of bytes.
    func read(at position: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(StorageError) -> Int {
        var done = 0
        while done < buffer.count {
            let count = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(position + Int64(done)))
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw .system("read", path, .last)
            }
            done += count
        }
        return done
    }

    /// Exactly `count` bytes from `position` on.
    func read(at position: Int64, count: Int) throws(StorageError) -> [UInt8] {
        var failure: StorageError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            do throws(StorageError) {
                initialized = try read(at: position, into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count]))
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        guard bytes.count == count else {
            throw StorageError(.storageError, "\(path): expected \(count) bytes at \(position), the file has \(bytes.count)")
        }
        return bytes
    }
}

extension StorageError {
    /// A failed call of the operating system on a file.
    static func system(_ action: String, _ path: String, _ error: SystemError) -> StorageError {
        var failure = StorageError(.storageError, "cannot \(action) \(path): \(error)")
        failure.isOutOfSpace = error.isOutOfSpace
        return failure
    }
}
